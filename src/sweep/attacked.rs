//! What an attack on a block came to, as a journal keeps it: enough to compare, test and name it later, to the last bit.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{Block, SweepError};
use crate::{
    attack::{
        Outcome,
        invert::{LabelSource, Reconstruction},
        labels::Method,
    },
    report::Skipped,
};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attacked {
    /// Which batches of which cell.
    pub block: Block,
    /// Where it was computed.
    pub device: String,
    /// Those that could be attacked, in order.
    pub batches: Vec<AttackedBatch>,
    /// Numbered in the cell.
    pub skipped: Vec<Skipped>,
    /// Wall time of all the work on the block.
    pub seconds: f64,
    /// Wall time of the attack alone.
    pub milliseconds_per_iteration_and_trial: f64,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackedBatch {
    /// Its number in the cell.
    pub number: usize,
    /// Of the client.
    pub loss: Values,
    /// `B`: class indices, as given or restored.
    pub labels: Vec<usize>,
    /// Where `labels` come from, as reports write it.
    pub label_source: String,
    /// Where the method that restored the labels finds its assumptions broken.
    pub label_warnings: Vec<String>,
    /// Place of the trial that was kept, among `trials`.
    pub best: usize,
    /// In order.
    pub trials: Vec<Trial>,
}

/// One restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    images: Values,
    /// Objective and norm ratio.
    found: Values,
    stopped: Option<usize>,
    history: Values,
}

/// Numbers that may be infinite, to the last bit: little-endian, in Base64.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Values(String);

impl Values {
    fn of(values: &[f32]) -> Values {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Values(BASE64_STANDARD.encode(bytes))
    }

    fn read(&self) -> Option<Vec<f32>> {
        let bytes = BASE64_STANDARD.decode(&self.0).ok()?;
        let (values, []) = bytes.as_chunks::<4>() else { return None };
        Some(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }
}

impl AttackedBatch {
    /// What the journal keeps of a reconstruction: the batch's number, the client's loss and all trials.
    pub fn of(number: usize, loss: f32, found: &Reconstruction) -> AttackedBatch {
        let trial = |t: &Outcome| Trial {
            images: Values::of(&t.images),
            found: Values::of(&[t.objective, t.norm_ratio]),
            stopped: t.stopped,
            history: Values::of(&t.history),
        };
        AttackedBatch {
            number,
            loss: Values::of(&[loss]),
            labels: found.labels.clone(),
            label_source: found.label_source.name().into(),
            label_warnings: found.label_warnings.clone(),
            best: found.best,
            trials: found.trials.iter().map(trial).collect(),
        }
    }

    /// The client's loss, and what was found.
    pub fn found(&self) -> Option<(f32, Reconstruction)> {
        let trial = |t: &Trial| {
            let [objective, norm_ratio] = t.found.read()?.try_into().ok()?;
            Some(Outcome {
                images: t.images.read()?,
                label_logits: None,
                objective,
                norm_ratio,
                stopped: t.stopped,
                history: t.history.read()?,
                film: vec![],
                stages: vec![],
            })
        };
        let trials: Vec<Outcome> = self.trials.iter().map(trial).collect::<Option<_>>()?;
        let label_source = source(&self.label_source)?;
        (self.best < trials.len()).then_some(())?;
        let found = Reconstruction {
            trials,
            best: self.best,
            labels: self.labels.clone(),
            label_source,
            label_warnings: self.label_warnings.clone(),
            exact: None,
            reason: None,
            recomputed: None,
        };
        Some((*self.loss.read()?.first()?, found))
    }
}

fn source(name: &str) -> Option<LabelSource> {
    let others = [LabelSource::Given, LabelSource::Joint, LabelSource::Exact];
    let other = others.into_iter().find(|source| source.name() == name);
    other.or_else(|| name.parse::<Method>().ok().map(LabelSource::Restored))
}

impl Attacked {
    /// Whether both say the same, however long they took and wherever.
    pub fn agrees(&self, other: &Attacked) -> bool {
        self.block == other.block && self.batches == other.batches && self.skipped == other.skipped
    }

    /// # Errors
    /// It does not hold what it should.
    pub fn batches(&self) -> Result<Vec<(usize, f32, Reconstruction)>, SweepError> {
        let read = |batch: &AttackedBatch| {
            let (loss, found) = batch
                .found()
                .ok_or_else(|| SweepError::Unreadable { block: Box::new(self.block.clone()) })?;
            Ok((batch.number, loss, found))
        };
        self.batches.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_comes_back_to_the_last_bit() {
        let outcome = Outcome {
            images: vec![0.1, -0.0, f32::MIN_POSITIVE],
            label_logits: None,
            objective: f32::INFINITY,
            norm_ratio: 1.0 / 3.0,
            stopped: Some(7),
            history: vec![1.5, f32::INFINITY],
            film: vec![],
            stages: vec![],
        };
        for label_source in
            [LabelSource::Given, LabelSource::Joint, LabelSource::Exact, LabelSource::Restored(Method::Ilrg)]
        {
            let found = Reconstruction {
                trials: vec![outcome.clone(); 2],
                best: 1,
                labels: vec![3, 4],
                label_source,
                label_warnings: vec!["a warning".into()],
                exact: None,
                reason: None,
                recomputed: None,
            };
            let batch = AttackedBatch::of(5, f32::NAN, &found);
            let text = serde_json::to_string(&batch).unwrap();
            let read: AttackedBatch = serde_json::from_str(&text).unwrap();
            assert_eq!(read, batch);
            let (loss, again) = read.found().unwrap();
            assert!(loss.is_nan());
            assert_eq!(
                (again.trials, again.labels, again.label_source),
                (found.trials, found.labels, label_source)
            );
            let broken = AttackedBatch { best: 2, ..batch };
            assert!(broken.found().is_none());
        }
    }
}
