//! The gradient file: what a client's update looks like on disk.
//!
//! Tensors carry the names of the parameters that they are the gradients of. The metadata says what the
//! eavesdropper is told beside the numbers, as strings; every field may be missing, because a gradient
//! saved from someone's training loop has none and the user can give the values otherwise.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use super::{Candidate, Extra, ParameterSpec, PositionReport, Tensor, TensorFile, TensorFileError};

/// What the metadata of our gradient files says under `format`.
pub const FORMAT: &str = "gia-gpu gradient";
const VERSION: &str = "1";
const LOSS: &str = "mean cross entropy";

/// So that a batch's element count fits any integer: images beyond it are a mistake in the file.
const MAX_IMAGE: usize = 1 << 28;
const MAX_COUNT: usize = 1 << 24;

/// What a gradient file's metadata says; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GradientInfo {
    /// As in `resnet18`.
    pub architecture: Option<String>,
    /// Choices beside the architecture's name, as in `stem=cifar norm=group:32`.
    pub options: Option<String>,
    /// What the tensors are: gradient, update or model.
    pub kind: Option<String>,
    /// Of the client's batch norm: eval or train.
    pub mode: Option<String>,
    /// Clients that the tensors are the mean of: how many, or the pictures of each, as in `3,5,8`.
    pub clients: Option<String>,
    /// Of the client's local training, for an update.
    pub local_steps: Option<usize>,
    /// In place of the steps, where clients of several sizes pass over their pictures so often.
    pub local_epochs: Option<usize>,
    /// Pictures of one local step.
    pub local_batch: Option<usize>,
    /// η of local training.
    pub local_lr: Option<f64>,
    /// As in `momentum:0.9`; plain SGD where nothing is said.
    pub local_optimiser: Option<String>,
    /// λ of local training; 0 where nothing is said.
    pub weight_decay: Option<f64>,
    /// What the client trained on, as in `sum`; the mean cross entropy where nothing is said.
    pub loss: Option<String>,
    /// `B`
    pub batch_size: Option<usize>,
    /// `[C, H, W]`
    pub image_shape: Option<[usize; 3]>,
    /// `K`
    pub classes: Option<usize>,
    /// `(C)`: subtracted from pixels in [0, 1] before the network sees them.
    pub mean: Option<Vec<f32>>,
    /// `(C)`: then divided by.
    pub std: Option<Vec<f32>>,
    /// Fingerprint of the weights that the client started from.
    pub victim: Option<String>,
}

/// A gradient and what is known about it.
#[derive(Clone, Debug)]
pub struct GradientFile {
    /// The tensors, by name.
    pub file: TensorFile,
    /// What the metadata says, read and checked.
    pub info: GradientInfo,
}

impl GradientFile {
    /// Reads a gradient of ours, or any safetensors or `.npz` file whose metadata does not contradict that it
    /// is one.
    pub fn read(path: &Path) -> Result<GradientFile, TensorFileError> {
        let file = TensorFile::read(path)?;
        let info = info(&file)?;
        Ok(GradientFile { file, info })
    }

    /// Writes `gradients`, by parameter name. Whole or not at all, like [`TensorFile::write`].
    pub fn write(
        path: &Path,
        gradients: &BTreeMap<String, Tensor>,
        info: &GradientInfo,
    ) -> Result<(), TensorFileError> {
        let fields = [
            ("format", Some(FORMAT.to_string())),
            ("version", Some(VERSION.to_string())),
            ("loss", Some(info.loss.clone().unwrap_or(LOSS.to_string()))),
            ("architecture", info.architecture.clone()),
            ("options", info.options.clone()),
            ("kind", info.kind.clone()),
            ("mode", info.mode.clone()),
            ("clients", info.clients.clone()),
            ("local_steps", info.local_steps.map(|n| n.to_string())),
            ("local_epochs", info.local_epochs.map(|n| n.to_string())),
            ("local_batch", info.local_batch.map(|n| n.to_string())),
            ("local_lr", info.local_lr.map(|n| n.to_string())),
            ("local_optimiser", info.local_optimiser.clone()),
            ("weight_decay", info.weight_decay.map(|decay| decay.to_string())),
            ("batch_size", info.batch_size.map(|n| n.to_string())),
            ("image_shape", info.image_shape.map(|shape| join(&shape))),
            ("classes", info.classes.map(|n| n.to_string())),
            ("mean", info.mean.as_deref().map(join)),
            ("std", info.std.as_deref().map(join)),
            ("victim", info.victim.clone()),
        ];
        let metadata =
            fields.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect();
        TensorFile::write(path, gradients, &metadata)
    }

    /// The gradient with names, and how it came to them; see [`TensorFile::by_name`].
    pub fn by_name(
        self,
        candidates: &[Candidate],
    ) -> Result<(GradientFile, Option<PositionReport>), TensorFileError> {
        let (file, report) = self.file.by_name(candidates)?;
        Ok((GradientFile { file, info: self.info }, report))
    }

    /// One gradient for each parameter of the victim, in its order, and no others. A positional file has to
    /// go through [`GradientFile::by_name`] first.
    pub fn gradients(&self, parameters: &[ParameterSpec]) -> Result<Vec<Tensor>, TensorFileError> {
        self.file.parameters(parameters, Extra::Reject)
    }
}

/// What other tools write under `format` when they save tensors: whatever else they say is about them.
const FOREIGN: [&str; 6] = ["np", "numpy", "tf", "flax", "jax", "mlx"];

/// What the metadata says. Of a file that is not ours, what is not as we write it is somebody else's, and says nothing.
fn info(file: &TensorFile) -> Result<GradientInfo, TensorFileError> {
    let format = file.metadata.get("format").map(String::as_str);
    match (format, strict_info(file)) {
        (Some(format), _) if FOREIGN.contains(&format) => Ok(GradientInfo::default()),
        (None | Some("pt"), Err(TensorFileError::Metadata { key, .. })) => {
            let mut metadata = file.metadata.clone();
            metadata.remove(key);
            // A mean without a deviation says as little.
            if ["mean", "std"].contains(&key) {
                metadata.remove("mean");
                metadata.remove("std");
            }
            let (path, naming) = (file.path.clone(), file.naming);
            let (tensors, non_float) = (BTreeMap::new(), BTreeMap::new());
            info(&TensorFile { path, tensors, non_float, metadata, naming })
        }
        (_, strict) => strict,
    }
}

fn strict_info(file: &TensorFile) -> Result<GradientInfo, TensorFileError> {
    let known = |key, values: &[&str]| {
        let one_of = values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(" or ");
        field(file, key, &one_of, |text| values.contains(&text).then_some(()))
    };
    // "pt" is what PyTorch users' own save_file calls write.
    known("format", &[FORMAT, "pt"])?;
    if file.metadata.get("format").is_some_and(|format| format == FORMAT) {
        known("version", &[VERSION])?;
    }
    let count = |key| {
        let expected = format!("a whole number from 1 to {MAX_COUNT}");
        field(file, key, &expected, |text| text.parse().ok().filter(|n| (1..=MAX_COUNT).contains(n)))
    };
    let image_shape = field(file, "image_shape", "three sizes such as '3,32,32'", |text| {
        let shape: [usize; 3] = list(text)?.try_into().ok()?;
        let size = shape.iter().try_fold(1usize, |size, &n| size.checked_mul(n))?;
        (1..=MAX_IMAGE).contains(&size).then_some(shape)
    })?;
    let per_channel = |key, expected: &str, valid: fn(&f32) -> bool| {
        let channels = image_shape.map(|shape| shape[0]);
        let expected = match channels {
            Some(n) => format!("{n} {expected}, one a channel of 'image_shape'"),
            None => format!("{expected}, one a channel"),
        };
        field(file, key, &expected, |text| {
            list(text).filter(|v: &Vec<f32>| v.iter().all(valid) && channels.is_none_or(|n| n == v.len()))
        })
    };
    known("kind", &["gradient", "update", "model"])?;
    known("mode", &["eval", "train"])?;
    let info = GradientInfo {
        architecture: file.metadata.get("architecture").cloned(),
        options: file.metadata.get("options").cloned(),
        kind: file.metadata.get("kind").cloned(),
        mode: file.metadata.get("mode").cloned(),
        clients: field(
            file,
            "clients",
            "a number of clients, or the pictures of each as in '3,5,8'",
            |text| {
                let counts: Vec<usize> = list(text)?;
                counts.iter().all(|n| (1..=MAX_COUNT).contains(n)).then(|| text.to_string())
            },
        )?,
        local_steps: count("local_steps")?,
        local_epochs: count("local_epochs")?,
        local_batch: count("local_batch")?,
        local_lr: field(file, "local_lr", "a rate above 0", |text| {
            text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        })?,
        local_optimiser: file.metadata.get("local_optimiser").cloned(),
        weight_decay: field(file, "weight_decay", "a number of 0 or above", |text| {
            text.parse().ok().filter(|decay: &f64| decay.is_finite() && *decay >= 0.0)
        })?,
        loss: field(file, "loss", "'mean cross entropy', sum, smoothing:S, weights:W,W,… or bce", |text| {
            let known = [LOSS, "mean", "sum", "smoothing", "weights", "bce"];
            known.contains(&text.split(':').next()?).then(|| text.to_string())
        })?
        .filter(|loss| loss != LOSS),
        batch_size: count("batch_size")?,
        image_shape,
        classes: count("classes")?,
        mean: per_channel("mean", "numbers", |v| v.is_finite())?,
        std: per_channel("std", "numbers above 0", |v| v.is_finite() && *v > 0.0)?,
        victim: file.metadata.get("victim").cloned(),
    };
    for (key, other) in [("mean", "std"), ("std", "mean")] {
        if file.metadata.contains_key(key) && !file.metadata.contains_key(other) {
            let expected = format!("together with '{other}', or neither");
            let found = file.metadata[key].clone();
            return Err(TensorFileError::Metadata { path: file.path.clone(), key, expected, found });
        }
    }
    Ok(info)
}

/// `None` where the file has no such key, an error where `parse` refuses its value.
pub(super) fn field<T>(
    file: &TensorFile,
    key: &'static str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, TensorFileError> {
    let Some(text) = file.metadata.get(key) else { return Ok(None) };
    match parse(text) {
        Some(value) => Ok(Some(value)),
        None => Err(TensorFileError::Metadata {
            path: file.path.clone(),
            key,
            expected: expected.to_string(),
            found: text.clone(),
        }),
    }
}

pub(super) fn list<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|part| part.trim().parse().ok()).collect()
}

pub(super) fn join<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
