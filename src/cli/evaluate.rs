//! `gia-gpu evaluate`

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use serde_json::json;

use super::{
    data_options::open_data,
    help::group,
    misuse,
    model_options::{Known, ModelOptions, victim_error},
    options::{DeviceOptions, NormalisationOptions, check_apart, check_batch, check_limit},
    print_json, print_line,
    progress::Terminal,
    training_options::pictures_error,
};
use crate::{
    data::{Dataset, Normalisation, read_class_names},
    federated::Victim,
    statistics::share_interval_95,
    tensor_file::{Tensor, TensorFile, WeightsInfo},
    train::{Evaluation, Evaluator, Pictures},
};

/// Classify a data set: accuracy and cross entropy.
///
/// The share of pictures whose own class comes first, and mean cross entropy, with batch norm in eval mode.
#[derive(Args)]
#[command(
    next_help_heading = group::VICTIM,
    after_help = "Example: gia-gpu evaluate --arch resnet20 --weights resnet20.safetensors --data cifar/test\n\n\
                  Weights of `train victim` say their architecture and normalisation themselves."
)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    model: ModelOptions,
    /// Weights: a safetensors or .npz file with PyTorch's state_dict
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    weights: Option<PathBuf>,
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files.
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: PathBuf,
    /// Names of the victim's classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line. Without it those that the weights name, if they name any.
    #[arg(long, value_name = "NAMES|FILE", help_heading = group::INPUT)]
    class_names: Option<String>,
    /// Classify N pictures only, evenly spaced over the data set
    #[arg(long, value_name = "N", help_heading = group::INPUT)]
    limit: Option<usize>,
    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = group::INPUT)]
    batch: usize,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Also write logits (N,K) and labels (N) to this safetensors file
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    logits: Option<PathBuf>,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Evaluate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        check_limit(self.limit)?;
        if let Some(logits) = &self.logits {
            let inputs = [self.weights.as_ref(), self.model.model.as_ref(), Some(&self.data)];
            let inputs = inputs.into_iter().flatten().map(PathBuf::as_path);
            check_apart("--logits", [logits.as_path()], inputs)?;
            TensorFile::check_writable(logits)?;
        }
        let (info, dataset) = self.pictures()?;
        let victim = self.victim(&info, &dataset)?;
        dataset.check_classes(victim.model.classes).map_err(misuse)?;
        let normalisation = self.normalisation(&info, victim.image_shape()[0])?;
        if let Some(names) = info.class_names.as_ref().filter(|names| **names != dataset.class_names) {
            let _ = writeln!(
                io::stderr(),
                "warning: the weights' classes are {names:?}, the data set's {:?}: labels go by position",
                dataset.class_names
            );
        }
        let pictures = Pictures::read(&dataset, victim.image_shape(), victim.model.classes, self.limit);
        let pictures = pictures.map_err(pictures_error)?;

        let device = self.device.open()?;
        let mut evaluator = Evaluator::new(&*device, &victim.model, self.batch.min(pictures.len().max(1)))?;
        let evaluation = evaluator.run(&victim.tensors, &pictures, &normalisation, &Terminal)?;
        if let Some(path) = &self.logits {
            write_logits(path, &evaluation, &pictures)?;
        }
        self.print(&victim, &dataset, &evaluation)
    }

    /// What the weights say of themselves, and the pictures.
    fn pictures(&self) -> anyhow::Result<(WeightsInfo, Dataset)> {
        let info = match &self.weights {
            Some(weights) => WeightsInfo::of(&TensorFile::read(weights)?)?,
            None => WeightsInfo::default(),
        };
        let dataset = open_data(Some(&self.data), None)?;
        let dataset = match (&self.class_names, &info.class_names) {
            (Some(names), _) => dataset.with_class_names(&read_class_names(names)?)?,
            // The weights' own names, where the folders' are among them.
            (None, Some(names)) if dataset.is_of_folders() => {
                dataset.clone().with_class_names(names).unwrap_or(dataset)
            }
            _ => dataset,
        };
        Ok((info, dataset))
    }

    fn victim(&self, info: &WeightsInfo, dataset: &Dataset) -> anyhow::Result<Victim> {
        let network = self.model.network()?;
        let victim = match &self.weights {
            Some(weights) => {
                let pictures = Known {
                    pictures: dataset.picture(0).ok().map(|p| p.shape()),
                    sizes: dataset.sizes(),
                    ..Known::default()
                };
                Victim::from_file(weights, &network.of_weights(info, weights, pictures)?)
            }
            None => Victim::from_seed(&network.request(&Known::of_data(dataset))?, 0),
        };
        victim.map_err(victim_error)
    }

    fn normalisation(&self, info: &WeightsInfo, channels: usize) -> anyhow::Result<Normalisation> {
        let known = match (&info.mean, &info.std) {
            (Some(mean), Some(std)) => Some(Normalisation::new(mean.clone(), std.clone())?),
            _ => None,
        };
        self.normalisation.open(channels, known)
    }

    fn print(&self, victim: &Victim, dataset: &Dataset, evaluation: &Evaluation) -> anyhow::Result<()> {
        let accuracy = evaluation.accuracy();
        let [low, high] = share_interval_95(evaluation.right, evaluation.pictures);
        if self.json {
            return print_json(&json!({
                "architecture": victim.model.name,
                "options": victim.model.options.to_string(),
                "weights": victim.weights,
                "data": dataset.name,
                "pictures": evaluation.pictures,
                "right": evaluation.right,
                "accuracy": accuracy,
                "accuracy_interval_95": [low, high],
                "cross_entropy": evaluation.cross_entropy,
            }));
        }
        let [accuracy, low, high] = [accuracy, low, high].map(|share| 100.0 * share);
        print_line(format!(
            "{} of {} pictures right: {accuracy:.2} % [{low:.2}, {high:.2}], cross entropy {:.4}",
            evaluation.right, evaluation.pictures, evaluation.cross_entropy
        ))
    }
}

fn write_logits(path: &std::path::Path, evaluation: &Evaluation, pictures: &Pictures) -> anyhow::Result<()> {
    let count = pictures.len();
    let logits = Tensor {
        shape: vec![count, evaluation.logits.len() / count.max(1)],
        data: evaluation.logits.clone(),
    };
    let labels =
        Tensor { shape: vec![count], data: pictures.labels.iter().map(|&label| label as f32).collect() };
    let tensors = [("logits".to_string(), logits), ("labels".to_string(), labels)];
    Ok(TensorFile::write(path, &tensors.into(), &Default::default())?)
}
