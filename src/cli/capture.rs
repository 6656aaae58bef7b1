//! `gia-gpu capture`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use super::{
    misuse,
    options::{DeviceOptions, NormalisationOptions, VictimOptions, fit_picture, parse_labels, same_file},
    print_line,
};
use crate::{
    data::Picture,
    federated::client,
    tensor_file::{GradientFile, GradientInfo, ParameterSpec, Tensor, TensorFile},
};

/// What the metadata of weights says under `format`, so that they are not taken for a gradient.
const WEIGHTS_FORMAT: &str = "gia-gpu weights";

/// Compute the gradient of mean cross entropy that a client would send for these pictures.
#[derive(Args)]
#[command(
    after_help = "Example: gia-gpu capture --arch lenet-zhu --seed 1 --images cat.png dog.png --labels 3,5 \
                  --out gradient.safetensors --save-weights victim.safetensors"
)]
pub struct Capture {
    #[command(flatten)]
    victim: VictimOptions,
    /// Seed of the weights, where no file gives them
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Pictures of the batch, in order: PNG or JPEG, fitted to the network's input
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    images: Vec<PathBuf>,
    /// Class index of each picture, as in 3,5
    #[arg(long, value_name = "L,L", allow_hyphen_values = true)]
    labels: String,
    /// Gradient file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write the victim's weights, which `invert` needs
    #[arg(long, value_name = "FILE")]
    save_weights: Option<PathBuf>,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Capture {
    pub fn run(self) -> anyhow::Result<()> {
        self.check_outputs()?;
        let victim = self.victim.open(self.seed, crate::federated::DEFAULT_CLASSES)?;
        let batch = self.images.len();
        let labels = parse_labels(&self.labels, batch, victim.classes)?;
        let shape = victim.image_shape();
        let normalisation = self.normalisation.open(shape[0], None)?;
        let pictures = self
            .images
            .iter()
            .map(|path| fit_picture(Picture::read(path)?, shape))
            .collect::<Result<Vec<_>, _>>()?;
        for path in self.outputs() {
            TensorFile::check_writable(path)?;
        }
        let device = self.device.device.open()?;
        let update = client::update(&*device, &victim, &normalisation.normalise(&pictures)?, &labels)?;

        let named = |(spec, data): (ParameterSpec, Vec<f32>)| (spec.name, Tensor { shape: spec.shape, data });
        let tensors: BTreeMap<String, Tensor> =
            victim.gradient_specs().into_iter().zip(update.gradient).map(named).collect();
        let info = GradientInfo {
            architecture: Some(victim.name.clone()),
            batch_size: Some(batch),
            image_shape: Some(shape),
            classes: Some(victim.classes),
            mean: Some(normalisation.mean().to_vec()),
            std: Some(normalisation.std().to_vec()),
        };
        if let Some(path) = &self.save_weights {
            let weights = victim
                .declarations
                .iter()
                .zip(&victim.tensors)
                .map(|(d, data)| (d.name.clone(), Tensor { shape: d.shape.clone(), data: data.clone() }));
            let metadata = [("format", WEIGHTS_FORMAT), ("architecture", &victim.name)];
            let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string()));
            TensorFile::write(path, &weights.collect(), &metadata.into())?;
        }
        GradientFile::write(&self.out, &tensors, &info)?;
        print_line(format!(
            "{}: gradient of {} over {batch} picture{}, loss {:.4}, {} tensors",
            self.out.display(),
            victim.name,
            if batch == 1 { "" } else { "s" },
            update.loss,
            tensors.len()
        ))
    }

    fn outputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.out].into_iter().chain(&self.save_weights)
    }

    /// No output may replace another, or an input.
    fn check_outputs(&self) -> anyhow::Result<()> {
        if self.save_weights.as_ref().is_some_and(|path| same_file(path, &self.out)) {
            return Err(misuse("--save-weights and --out name the same file"));
        }
        for input in self.images.iter().chain(&self.victim.weights) {
            if self.outputs().any(|output| same_file(output, input)) {
                return Err(misuse(format!("{} is an input: it cannot be written to", input.display())));
            }
        }
        Ok(())
    }
}
