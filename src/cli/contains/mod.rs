//! `gia-gpu contains`: was this picture in that update?

mod output;

use std::path::PathBuf;

use clap::Args;

use super::{
    misuse,
    model_options::{ModelOptions, known_from, victim_error},
    note,
    observed::{ObservedOptions, check_kind, check_sign, say_positions},
    options::{DeviceOptions, NormalisationOptions, check_batch, same_file},
    print_json, print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::exact::{
        ExactError,
        batch::check_protocol,
        inputs::LayerInputs,
        layers::{Linear, linear_layers},
        membership::{Span, outsiders_needed, verdicts},
        spear::check_batch as check_room,
    },
    data::{Normalisation, Picture, read_any_pictures, same_name, samples},
    device::Device,
    federated::{Protocol, Victim},
    nn::Mode,
    report::distances_plot,
    tensor_file::{GradientFile, GradientInfo, TensorFile, WeightsInfo},
};
use output::{Candidate, Found};

/// Say whether pictures were in the batch behind a gradient, with the rate of false alarms.
#[derive(Args)]
#[command(
    after_help = "Example: gia-gpu contains --arch resnet20 --weights victim.safetensors --gradient g.safetensors \
                  --batch 8 --outsiders other-pictures suspect.png\n\nA picture whose features lie in the span of the \
                  layer's gradient has distance 0. Outsiders are pictures of the same kind that were certainly not in \
                  the batch: they say how often a stranger is as near."
)]
pub struct Contains {
    #[command(flatten)]
    model: ModelOptions,
    /// The victim's weights: a safetensors or .npz file with PyTorch's state_dict
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// What was observed: a safetensors or .npz file of a gradient, an update, or a trained model
    #[arg(long, value_name = "FILE")]
    gradient: PathBuf,
    #[command(flatten)]
    observed: ObservedOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    /// Pictures in the batch, where the gradient file does not say
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// The candidates: PNG or JPEG files
    #[arg(value_name = "PICTURE", required_unless_present = "images")]
    pictures: Vec<PathBuf>,
    /// Folders or data sets of candidates, to be ranked
    #[arg(long, value_name = "DIR", num_args = 1..)]
    images: Vec<PathBuf>,
    /// Pictures of the same kind that were not in the batch: a folder or a data set (default: the pictures inside the
    /// program, where the victim's classes are theirs)
    #[arg(long, value_name = "DIR")]
    outsiders: Option<PathBuf>,
    /// Chance of calling any outsider a member
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    alpha: f64,
    /// The linear layer to look at (default: the first that has room for the batch)
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// SVG file for a plot of the distances of outsiders and candidates
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Seed of the decomposition of large layers
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Contains {
    pub fn run(self) -> anyhow::Result<()> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(misuse(format!("--alpha: expected a chance between 0 and 1, found {}", self.alpha)));
        }
        if same_file(&self.weights, &self.gradient) {
            let path = self.weights.display();
            return Err(misuse(format!("--weights and --gradient name the same file, {path}")));
        }
        let file = GradientFile::read(&self.gradient)?;
        let info = file.info.clone();
        let batch = self.batch_size(&info)?;
        let (victim, gradient) = self.open(file, batch)?;
        let layers = linear_layers(&victim);
        let at = self.layer(&layers, batch)?;
        let layer = &layers[at];
        let span = Span::of(&layer.name, &gradient[layer.weight], layer.shape, batch, self.seed)?;

        let known = info.mean.zip(info.std).map(|(mean, std)| Normalisation::new(mean, std)).transpose()?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], known)?;
        let candidates = self.candidates()?;
        let outsiders = self.outsiders()?;
        let device = self.device.open()?;
        let measure =
            |pictures: &[Picture]| distances(&*device, &victim, &normalisation, at, &span, pictures);
        let (names, pictures): (Vec<String>, Vec<Picture>) = candidates.into_iter().unzip();
        let own = measure(&pictures)?;
        let others = measure(&outsiders)?;
        let needed = outsiders_needed(own.len(), self.alpha);
        if !others.is_empty() && others.len() < needed {
            note(&format!(
                "{} outsiders cannot show a chance of {} for {} candidates: a verdict takes {needed}, or a larger --alpha",
                others.len(),
                self.alpha,
                own.len()
            ));
        }
        if let Some(path) = &self.plot {
            distances_plot::write(path, &others, &own)?;
        }
        let verdicts = verdicts(&own, &others, self.alpha);
        let found = Found {
            layer: layer.name.clone(),
            batch,
            rank: span.rank,
            outsiders: others.len(),
            candidates: names
                .into_iter()
                .zip(verdicts)
                .map(|(picture, v)| Candidate::new(picture, v))
                .collect(),
        };
        if self.json {
            print_json(&found)
        } else {
            print_line(output::Table { found: &found, alpha: self.alpha })
        }
    }

    /// Of the gradient file, or of `--batch`.
    fn batch_size(&self, info: &GradientInfo) -> anyhow::Result<usize> {
        let file = self.gradient.display();
        if let Some(batch) = self.batch {
            check_batch(batch)?;
        }
        match (info.batch_size, self.batch) {
            (Some(said), Some(asked)) if said != asked => {
                Err(misuse(format!("--batch: expected {said}, the batch size in {file}, found {asked}")))
            }
            (Some(batch), _) | (None, Some(batch)) => Ok(batch),
            (None, None) => Err(misuse(format!("{file} does not say its batch size: give --batch"))),
        }
    }

    /// The victim, and the mean gradient of one step of it.
    fn open(&self, file: GradientFile, batch: usize) -> anyhow::Result<(Victim, Vec<Vec<f32>>)> {
        let known = known_from(&file.info, &self.model, &self.gradient)?;
        let protocol: Protocol = self.protocol.protocol(&file.info, batch)?;
        let kind = self.observed.kind(&file.info, &self.gradient, &protocol)?;
        check_kind(kind, &protocol)?;
        check_protocol(&protocol, batch).map_err(|error| match error {
            ExactError::ManySteps { steps } => misuse(format!(
                "{}: the update of {steps} local steps: the weights moved in between, so that no one span holds the \
                 pictures' features",
                self.gradient.display()
            )),
            error => misuse(error),
        })?;
        let victim = Victim::from_file(&self.weights, &self.model.request(&known)?).map_err(victim_error)?;
        say_positions(&self.weights, victim.positions.as_ref());
        if protocol.mode == Mode::Train && victim.has_batch_norm() {
            return Err(misuse(
                "batch norm in train mode: a picture's features depend on the whole batch, so that none can be told by \
                 itself",
            ));
        }
        let (gradient, _) = self.observed.read(file, &victim, &protocol, kind, false)?;
        check_sign(&victim, &gradient, batch, &self.gradient)?;
        Ok((victim, gradient))
    }

    /// The layer of this name, or the first with room for the batch; the last, whose refusal is said, if none has.
    fn layer(&self, layers: &[Linear], batch: usize) -> anyhow::Result<usize> {
        let room = |layer: &Linear| check_room(&layer.name, layer.shape, Some(batch));
        let at = match &self.layer {
            Some(name) => layers.iter().position(|layer| layer.name == *name).ok_or_else(|| {
                let names = layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>();
                misuse(format!("--layer: {}", ExactError::NoSuchLayer(name.clone(), names.join(", "))))
            })?,
            None => layers.iter().position(|layer| room(layer).is_ok()).unwrap_or(layers.len() - 1),
        };
        room(&layers[at]).map_err(misuse)?;
        Ok(at)
    }

    fn candidates(&self) -> anyhow::Result<Vec<(String, Picture)>> {
        let mut all = vec![];
        for path in &self.pictures {
            all.push((path.display().to_string(), Picture::read(path)?));
        }
        for path in &self.images {
            all.extend(read_any_pictures(path)?);
        }
        Ok(all)
    }

    /// Pictures that were not in the batch; none where nobody says which.
    fn outsiders(&self) -> anyhow::Result<Vec<Picture>> {
        if let Some(path) = &self.outsiders {
            let pictures = read_any_pictures(path)?;
            if pictures.len() < 2 {
                return Err(misuse(format!(
                    "--outsiders: expected pictures that show how near strangers come, found {} in {}",
                    pictures.len(),
                    path.display()
                )));
            }
            return Ok(pictures.into_iter().map(|(_, picture)| picture).collect());
        }
        let embedded = samples();
        let names = WeightsInfo::of(&TensorFile::read(&self.weights)?)?.class_names.unwrap_or_default();
        let own = &embedded.class_names;
        if names.len() == own.len() && names.iter().all(|name| own.iter().any(|o| same_name(o, name))) {
            return Ok((0..embedded.len()).map(|i| embedded.picture(i)).collect::<Result<_, _>>()?);
        }
        note("no --outsiders: distances without a rate of false alarms, and no verdict");
        Ok(vec![])
    }
}

/// Distances of pictures from the span, by what the layer is given for them.
fn distances(
    device: &dyn Device,
    victim: &Victim,
    normalisation: &Normalisation,
    layer: usize,
    span: &Span,
    pictures: &[Picture],
) -> anyhow::Result<Vec<f64>> {
    if pictures.is_empty() {
        return Ok(vec![]);
    }
    let shape = victim.image_shape();
    let fitted: Vec<Picture> = pictures.iter().map(|p| p.clone().fitted(shape)).collect::<Result<_, _>>()?;
    let inputs =
        LayerInputs::new(device, victim, layer, fitted.len())?.of(&normalisation.normalise(&fitted)?)?;
    Ok(inputs.iter().map(|v| span.distance(&v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>())).collect())
}
