//! `gia-gpu contains`: was this picture in that update?

mod output;

use std::path::PathBuf;

use clap::Args;

use super::{
    help::group,
    misuse,
    model_options::ModelOptions,
    note,
    observation::Observing,
    observed::ObservedOptions,
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::{config::AttackConfig, exact::membership::outsiders_needed, preset::Preset},
    audit::{Observation, Suspects},
    data::{Picture, read_any_pictures, same_name, samples},
    nn::architecture::depth,
    report::distances_plot,
    tensor_file::{TensorFile, WeightsInfo},
};

/// Say whether pictures were in the batch behind a gradient, with the rate of false alarms.
#[derive(Args)]
#[command(
    next_help_heading = group::VICTIM,
    after_help = "Example: gia-gpu contains --arch resnet20 --weights victim.safetensors --gradient g.safetensors \
                  --batch 8 --outsiders other-pictures suspect.png\n\nA picture whose features lie in the span of the \
                  layer's gradient has distance 0. Outsiders are pictures of the same kind that were certainly not in \
                  the batch: they say how often a stranger is as near."
)]
pub(crate) struct Contains {
    #[command(flatten)]
    model: ModelOptions,
    /// The victim's weights before training
    ///
    /// A safetensors or .npz file with PyTorch's state_dict.
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    weights: Option<PathBuf>,
    /// What was observed: gradients, an update, or a trained model
    ///
    /// A safetensors or .npz file.
    #[arg(long, value_name = "FILE", help_heading = group::INPUT)]
    gradient: PathBuf,
    #[command(flatten)]
    observed: ObservedOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    /// Pictures in the batch, where the gradient file does not say
    #[arg(long, value_name = "N", help_heading = group::INPUT)]
    batch: Option<usize>,
    /// The candidates: PNG or JPEG files
    #[arg(value_name = "PICTURE", help_heading = group::INPUT, required_unless_present = "images")]
    pictures: Vec<PathBuf>,
    /// Folders or data sets of candidates, to be ranked
    #[arg(long, value_name = "DIR", num_args = 1.., help_heading = group::INPUT)]
    images: Vec<PathBuf>,
    /// Pictures of the same kind that were not in the batch
    ///
    /// A folder or a data set. Without it the pictures inside the program, where the victim's classes are theirs.
    #[arg(long, value_name = "DIR", help_heading = group::INPUT)]
    outsiders: Option<PathBuf>,
    /// Chance of calling any outsider a member
    #[arg(long, value_name = "P", default_value_t = 0.01, help_heading = group::ATTACK)]
    alpha: f64,
    /// The linear layer to look at
    ///
    /// Without it the first that has room for the batch.
    #[arg(long, value_name = "NAME", help_heading = group::ATTACK)]
    layer: Option<String>,
    /// SVG file for a plot of the distances of outsiders and candidates
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    plot: Option<PathBuf>,
    /// Seed of the decomposition of large layers
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

impl Contains {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(misuse(format!("--alpha: expected a chance between 0 and 1, found {}", self.alpha)));
        }
        let candidates = self.candidates()?;
        let outsiders = self.outsiders()?;
        let needed = outsiders_needed(candidates.len(), self.alpha);
        if !outsiders.is_empty() && outsiders.len() < needed {
            note(&format!(
                "{} outsiders cannot show a chance of {} for {} candidates: a verdict takes {needed}, or a larger --alpha",
                outsiders.len(),
                self.alpha,
                candidates.len()
            ));
        }
        let observation = self.observation()?;
        let device = self.device.open()?;
        let suspects = Suspects {
            candidates: &candidates,
            outsiders: &outsiders,
            alpha: self.alpha,
            layer: self.layer.as_deref(),
        };
        let found = observation.contains(&*device, &suspects)?;
        if let Some(path) = &self.plot {
            let own: Vec<f64> = found.candidates.iter().map(|c| c.verdict.distance).collect();
            distances_plot::write(path, &found.strangers, &own)?;
        }
        if self.json {
            print_json(&found)
        } else {
            print_line(output::Table { found: &found, alpha: self.alpha })
        }
    }

    fn observation(&self) -> anyhow::Result<Observation> {
        let observing = Observing {
            model: &self.model,
            weights: self.weights.as_deref(),
            gradients: std::slice::from_ref(&self.gradient),
            observed: &self.observed,
            protocol: &self.protocol,
            labels: None,
            batch: self.batch,
            normalisation: &self.normalisation,
            seed: self.seed,
        };
        observing.read(|architecture| Ok(AttackConfig::preset(Preset::Spear.name(), depth(architecture))?))
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
        let names = match &self.weights {
            Some(weights) => WeightsInfo::of(&TensorFile::read(weights)?)?.class_names.unwrap_or_default(),
            None => vec![],
        };
        let own = &embedded.class_names;
        if names.len() == own.len() && names.iter().all(|name| own.iter().any(|o| same_name(o, name))) {
            return Ok((0..embedded.len()).map(|i| embedded.picture(i)).collect::<Result<_, _>>()?);
        }
        note("no --outsiders: distances without a rate of false alarms, and no verdict");
        Ok(vec![])
    }
}
