//! A training on disk, as far as it has come.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{EpochReport, Evaluation, Optimiser, State};
use crate::{
    nn::Declaration,
    tensor_file::{Extra, ParameterSpec, Tensor, TensorFile, TensorFileError},
};

/// What the metadata says under `format`.
const FORMAT: &str = "gia-gpu checkpoint";
/// Before the names of what the optimiser remembers, in the order of [`State::memories`].
const MEMORIES: [&str; 2] = ["momentum:", "square:"];

/// How far a training has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs that are complete.
    pub epoch: usize,
    /// Steps of the next one that are done.
    pub step: usize,
    /// Over these steps: sum of the losses, pictures that were classified right, seconds.
    pub loss: f64,
    /// Pictures that were classified right, over these steps.
    pub right: usize,
    /// Wall time of these steps.
    pub seconds: f64,
    /// Of the complete epochs.
    pub reports: Vec<EpochReport>,
}

/// Everything that a training needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far it has come.
    pub progress: Progress,
    /// What it has learned.
    pub state: State,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The file is a tensor file of another kind.
    #[error("{path} is no checkpoint of a training: metadata '{key}' {problem}")]
    Metadata {
        /// The checkpoint.
        path: PathBuf,
        /// Of the metadata.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The content has changed since it was written.
    #[error("{path} is damaged: its checksum is {found}, it says {expected}")]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
        /// The checksum that it names.
        expected: String,
        /// The checksum that it has.
        found: String,
    },
    /// What it says of its progress makes no sense.
    #[error("{path} is no checkpoint of this training: {problem}")]
    Progress {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The user asked for other options than those of the training that was stopped.
    #[error("{path} is the checkpoint of another training: {option} was {found}, is {expected}")]
    Other {
        /// The checkpoint.
        path: PathBuf,
        /// The first that differs.
        option: String,
        /// What this training says.
        expected: String,
        /// What the checkpoint says.
        found: String,
    },
}

impl Checkpoint {
    /// `identity`: what must be the same for a training to go on.
    pub fn write(
        &self,
        path: &Path,
        declarations: &[Declaration],
        identity: &BTreeMap<String, Value>,
    ) -> Result<(), TensorFileError> {
        let kinds = MEMORIES.iter().zip(&self.state.memories);
        let memories = kinds.flat_map(|(kind, memory)| remembered(declarations, kind).zip(memory));
        let all = declarations.iter().map(spec).zip(&self.state.tensors).chain(memories);
        let tensors = all.map(|(spec, data)| (spec.name, Tensor { shape: spec.shape, data: data.clone() }));
        let (training, progress) = (json(identity), json(&self.progress));
        let checksum = self.state.checksum(&[&training, &progress]);
        let metadata = [
            ("format", FORMAT.to_string()),
            ("training", training),
            ("progress", progress),
            ("crc32", checksum.to_string()),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_string(), value));
        TensorFile::write(path, &tensors.collect(), &metadata.into())
    }

    /// Reads a checkpoint of a network of these tensors, trained so: `identity` has the options that must be equal.
    pub fn read(
        path: &Path,
        declarations: &[Declaration],
        optimiser: Optimiser,
        identity: &BTreeMap<String, Value>,
    ) -> Result<Checkpoint, CheckpointError> {
        let file = TensorFile::read(path)?;
        if file.metadata.get("format").is_none_or(|format| format != FORMAT) {
            let problem = format!("is {:?}, expected '{FORMAT}'", file.metadata.get("format"));
            return Err(CheckpointError::Metadata { path: path.into(), key: "format", problem });
        }
        let found: BTreeMap<String, Value> = field(&file, "training")?;
        let options: std::collections::BTreeSet<&String> = identity.keys().chain(found.keys()).collect();
        if let Some(option) = options.into_iter().find(|&key| identity.get(key) != found.get(key)) {
            let text =
                |values: &BTreeMap<String, Value>| values.get(option).unwrap_or(&Value::Null).to_string();
            return Err(CheckpointError::Other {
                path: path.into(),
                option: option.clone(),
                expected: text(identity),
                found: text(&found),
            });
        }
        let kinds = &MEMORIES[..optimiser.memories()];
        let memories = kinds.iter().flat_map(|kind| remembered(declarations, kind));
        let specs: Vec<ParameterSpec> = declarations.iter().map(spec).chain(memories).collect();
        let mut tensors: Vec<Vec<f32>> =
            file.parameters(&specs, Extra::Reject)?.into_iter().map(|tensor| tensor.data).collect();
        let all = tensors.split_off(declarations.len());
        let memories = all.chunks(all.len() / kinds.len()).map(<[Vec<f32>]>::to_vec).collect();
        let state = State { tensors, memories };
        let texts = ["training", "progress"].map(|key| file.metadata.get(key).map_or("", String::as_str));
        let found = state.checksum(&texts).to_string();
        let expected = file.metadata.get("crc32").cloned().unwrap_or_default();
        if found != expected {
            return Err(CheckpointError::Damaged { path: path.into(), expected, found });
        }
        Ok(Checkpoint { progress: field(&file, "progress")?, state })
    }
}

impl State {
    /// Of these texts and all numbers.
    fn checksum(&self, texts: &[&str]) -> u32 {
        let mut crc = flate2::Crc::new();
        texts.iter().for_each(|text| crc.update(text.as_bytes()));
        let all = self.tensors.iter().chain(self.memories.iter().flatten());
        all.for_each(|numbers| crc.update(bytemuck::cast_slice(numbers)));
        crc.sum()
    }
}

impl Progress {
    /// The beginning of the next epoch, after steps of so many pictures each.
    pub(super) fn next_epoch(self, batch: usize, test: Option<Evaluation>, robust: Option<f64>) -> Progress {
        let Progress { epoch, step, loss, right, seconds, mut reports } = self;
        reports.push(EpochReport {
            epoch: epoch + 1,
            loss: loss / step as f64,
            train_accuracy: right as f64 / (step * batch) as f64,
            test_accuracy: test.as_ref().map(Evaluation::accuracy),
            test_cross_entropy: test.map(|test| test.cross_entropy),
            robust_accuracy: robust,
            seconds,
        });
        Progress { epoch: epoch + 1, reports, ..Progress::default() }
    }

    /// What does not fit a training of so many epochs, of `steps` of a `batch` each.
    pub(super) fn problem(&self, epochs: usize, steps: usize, batch: usize) -> Option<String> {
        let Progress { epoch, step, loss, right, seconds, reports } = self;
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let fits = |(i, r): (usize, &EpochReport)| {
            let test = [r.test_accuracy, r.robust_accuracy].iter().all(|share| share.is_none_or(is_share))
                && r.test_cross_entropy.is_none_or(f64::is_finite);
            r.epoch == i + 1 && r.loss.is_finite() && is_share(r.train_accuracy) && test && is_time(r.seconds)
        };
        let wrong = |what: &str, found: &dyn std::fmt::Display, most: usize| {
            Some(format!("{what}: expected at most {most}, found {found}"))
        };
        match () {
            () if *epoch > epochs => wrong("complete epochs", epoch, epochs),
            () if *step > 0 && (*step >= steps || *epoch == epochs) => {
                wrong("steps of an epoch", step, steps.saturating_sub(1))
            }
            () if *right > step * batch => wrong("pictures that were right", right, step * batch),
            () if !loss.is_finite() || !is_time(*seconds) => {
                Some(format!("a loss of {loss} after {seconds} s"))
            }
            () if reports.len() != *epoch || !reports.iter().enumerate().all(fits) => {
                Some(format!("{} reports of {epoch} epochs, or one that cannot be", reports.len()))
            }
            () => None,
        }
    }
}

fn spec(declaration: &Declaration) -> ParameterSpec {
    ParameterSpec { name: declaration.name.clone(), shape: declaration.shape.clone() }
}

/// What the optimiser remembers of every trainable tensor.
fn remembered<'d>(
    declarations: &'d [Declaration],
    kind: &'d str,
) -> impl Iterator<Item = ParameterSpec> + 'd {
    let trainable = declarations.iter().filter(|d| d.trainable);
    trainable.map(move |d| ParameterSpec { name: format!("{kind}{}", d.name), ..spec(d) })
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

fn field<T: DeserializeOwned>(file: &TensorFile, key: &'static str) -> Result<T, CheckpointError> {
    let bad = |problem| CheckpointError::Metadata { path: file.path.clone(), key, problem };
    let text = file.metadata.get(key).ok_or_else(|| bad("is missing".into()))?;
    serde_json::from_str(text).map_err(|cause| bad(format!("is damaged: {cause}")))
}
