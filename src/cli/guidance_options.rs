//! Options of guidance by names.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;

use super::{
    clip_options::naming_error, help::group, misuse, naming_options::Choice, progress::Progress,
    spelled::spelled,
};
use crate::{
    attack::{
        config::{AttackConfig, LabelStrategy, Optimiser},
        guidance::{Anneal, Guidance, Guide, Hypothesis},
    },
    device::Device,
    report::GuidanceRecord,
};

/// λ where nothing is said: more bends pictures of an untrained LeNet away from the originals (`study guidance`).
const WEIGHT: f64 = 0.002;

/// How strongly names guide.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::ATTACK)]
pub struct GuidanceOptions {
    /// Weight λ of the pull towards names
    ///
    /// It multiplies Σ (1 − cosine of picture and name), which is added to the objective. Without it 0.002.
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    guide_weight: Option<f64>,
    #[command(flatten)]
    schedule: ScheduleOptions,
}

/// How long they do.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::ATTACK)]
pub struct ScheduleOptions {
    /// How the pull towards names falls to 0, and from which share of the iterations to which
    ///
    /// What is kept and compared comes from after that. Without it cosine:0.5:0.75.
    #[arg(long, value_name = "SHAPE[:FROM:TO]", value_parser = spelled::<Anneal>())]
    guide_schedule: Option<Anneal>,
}

impl GuidanceOptions {
    pub fn is_default(&self) -> bool {
        self.guide_weight.is_none() && self.schedule.guide_schedule.is_none()
    }

    pub fn guidance(&self) -> anyhow::Result<Guidance> {
        let weight = self.guide_weight.unwrap_or(WEIGHT);
        if !weight.is_finite() || weight < 0.0 {
            return Err(misuse(format!("--guide-weight: expected a weight ≥ 0, found {weight}")));
        }
        Ok(self.schedule.guidance(weight))
    }
}

impl ScheduleOptions {
    /// λ begins at `weight`.
    pub fn guidance(&self, weight: f64) -> Guidance {
        Guidance { weight, schedule: self.guide_schedule.unwrap_or_default() }
    }
}

/// Refuses attacks that cannot be guided.
pub fn guidable(config: &AttackConfig) -> anyhow::Result<()> {
    if !matches!(config.optimiser, Optimiser::Adam { .. }) {
        return Err(misuse(format!(
            "guidance by names needs Adam: preset {} uses L-BFGS; ig, yin and modern can be guided",
            config.preset
        )));
    }
    match config.labels {
        LabelStrategy::Joint => Err(misuse(
            "guidance by names needs labels before the attack: --restore-labels joint learns them with it",
        )),
        _ => Ok(()),
    }
}

/// The value of `--guide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuideChoice {
    /// The true names of the labels.
    Oracle,
    /// Names of label indices.
    Names(BTreeMap<usize, String>),
}

impl FromStr for GuideChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<GuideChoice, String> {
        if text == "oracle" {
            return Ok(GuideChoice::Oracle);
        }
        let mut names = BTreeMap::new();
        for part in text.split(',') {
            let pair = part.split_once('=').and_then(|(label, name)| {
                let name = name.trim();
                Some((label.trim().parse().ok()?, name.to_string())).filter(|_| !name.is_empty())
            });
            let (label, name): (usize, String) = pair.ok_or_else(|| {
                format!("expected oracle, or label=name as in 3=dog,7=cat with label indices, found '{part}'")
            })?;
            if let Some(first) = names.insert(label, name.clone()) {
                return Err(format!("label {label} has two names, {first} and {name}"));
            }
        }
        Ok(GuideChoice::Names(names))
    }
}

impl GuideChoice {
    /// What every label index is taken to mean. `truth`: by index, for the oracle.
    pub fn meanings(&self, classes: usize, truth: &[Option<String>]) -> anyhow::Result<Meanings> {
        let names = match self {
            GuideChoice::Oracle => {
                let named = truth.iter().enumerate();
                named.filter_map(|(index, name)| Some((index, name.clone()?))).collect()
            }
            GuideChoice::Names(names) => {
                if let Some((label, _)) = names.iter().find(|(label, _)| **label >= classes) {
                    return Err(misuse(format!(
                        "--guide: expected label indices from 0 to {}, found {label}",
                        classes - 1
                    )));
                }
                names.clone()
            }
        };
        Ok(Meanings { oracle: *self == GuideChoice::Oracle, names })
    }
}

/// Label indices and the names that guide their pictures.
#[derive(Clone, Debug)]
pub struct Meanings {
    /// Whether they are the truth, of which an eavesdropper knows nothing.
    oracle: bool,
    names: BTreeMap<usize, String>,
}

impl Meanings {
    /// Leaves out the names of indices that are not in use.
    pub fn only(mut self, used: impl Fn(usize) -> bool) -> Meanings {
        self.names.retain(|&index, _| used(index));
        self
    }

    /// Encodes the names, so that what is wrong with one shows before anything is attacked.
    pub fn encoded<'c>(
        self,
        choice: Option<&'c Choice>,
        device: &dyn Device,
    ) -> anyhow::Result<EncodedMeanings<'c>> {
        let Some(choice) = choice else {
            return Err(misuse("--guide needs a model that compares pictures with names: give --clip"));
        };
        let mut distinct: Vec<String> = self.names.values().cloned().collect();
        distinct.sort();
        distinct.dedup();
        let bar = Progress::counting("encoding names that guide");
        let vectors = choice.encode(device, &distinct, &mut |done, of| bar.count(done, of));
        bar.finish();
        let vectors = vectors.map_err(|error| naming_error("--guide", error))?;
        let row = |name: &String| distinct.binary_search(name).expect("it was encoded");
        let hypothesis = self.names.iter().map(|(&index, name)| (index, row(name))).collect();
        let width = vectors.len() / distinct.len().max(1);
        Ok(EncodedMeanings { meanings: self, hypothesis, vectors, width, choice })
    }
}

/// Names as vectors.
pub struct EncodedMeanings<'c> {
    meanings: Meanings,
    hypothesis: Hypothesis,
    /// `(N,E)`
    vectors: Vec<f32>,
    /// `E`
    width: usize,
    choice: &'c Choice,
}

impl EncodedMeanings<'_> {
    /// For each target the one hypothesis; the oracle's without labels that the target does not have, by `known`.
    pub fn hypotheses(&self, known: &[Vec<usize>]) -> Vec<Vec<Hypothesis>> {
        let of = |labels: &Vec<usize>| {
            let mut hypothesis = self.hypothesis.clone();
            hypothesis.retain(|label, _| !self.meanings.oracle || labels.contains(label));
            vec![hypothesis]
        };
        known.iter().map(of).collect()
    }

    pub fn guide<'a>(&'a self, hypotheses: &'a [Vec<Hypothesis>]) -> Guide<'a> {
        Guide {
            encoder: self.choice.encoder(),
            names: &self.vectors,
            width: self.width,
            hypotheses,
            oracle: self.meanings.oracle,
        }
    }

    pub fn record(&self) -> GuidanceRecord {
        GuidanceRecord {
            by: if self.meanings.oracle { "oracle" } else { "names" },
            names: self.meanings.names.clone(),
            model: self.choice.encoder().model(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_or_refused() {
        assert_eq!("oracle".parse(), Ok(GuideChoice::Oracle));
        let names = BTreeMap::from([(3, "dog".to_string()), (7, "polar bear".into())]);
        assert_eq!("3=dog, 7 = polar bear".parse(), Ok(GuideChoice::Names(names)));
        for text in ["dog", "3=", "=dog", "3=dog,3=cat", "-1=dog", "3=dog,"] {
            assert!(text.parse::<GuideChoice>().is_err(), "{text}");
        }
    }
}
