//! Options of guidance by names.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;

use super::misuse;
use crate::{
    attack::guidance::{Fall, Guidance},
    audit::Meanings,
};

/// λ where nothing is said: more bends pictures of an untrained LeNet away from the originals (`study guidance`).
const WEIGHT: f64 = 0.002;

/// When λ falls where nothing is said: the last quarter of the iterations is gradient matching alone.
const FROM: f64 = 0.5;
const TO: f64 = 0.75;

/// How strongly names guide.
#[derive(Args, Clone, Debug, Default)]
pub struct GuidanceOptions {
    /// λ: weight of Σ (1 − cosine of picture and name) beside the objective (default 0.002)
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    guide_weight: Option<f64>,
    #[command(flatten)]
    schedule: ScheduleOptions,
}

/// How long they do.
#[derive(Args, Clone, Debug, Default)]
pub struct ScheduleOptions {
    /// How λ falls to 0, and from which share of the iterations to which: step[:AT], linear[:FROM:TO] or
    /// cosine[:FROM:TO] (default cosine:0.5:0.75); what is kept and compared comes from after that
    #[arg(long, value_name = "SHAPE[:FROM:TO]")]
    guide_schedule: Option<Schedule>,
}

/// The value of `--guide-schedule`.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    fall: Fall,
    from: f64,
    to: f64,
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let mut parts = text.split(':');
        let fall = match parts.next() {
            Some("step") => Some(Fall::Step),
            Some("linear") => Some(Fall::Linear),
            Some("cosine") => Some(Fall::Cosine),
            _ => None,
        };
        let shares: Option<Vec<f64>> = parts.map(|part| part.parse().ok()).collect();
        let found = fall.zip(shares).and_then(|(fall, shares)| match (fall, &shares[..]) {
            (Fall::Step, []) => Some(Schedule { fall, from: TO, to: TO }),
            (Fall::Step, &[at]) => Some(Schedule { fall, from: at, to: at }),
            (Fall::Linear | Fall::Cosine, []) => Some(Schedule { fall, from: FROM, to: TO }),
            (Fall::Linear | Fall::Cosine, &[from, to]) => Some(Schedule { fall, from, to }),
            _ => None,
        });
        let in_order = |s: &Schedule| 0.0 <= s.from && s.from <= s.to && s.to < 1.0;
        found.filter(in_order).ok_or_else(|| {
            format!(
                "expected step[:AT], linear[:FROM:TO] or cosine[:FROM:TO] with 0 ≤ FROM ≤ TO < 1, found '{text}'"
            )
        })
    }
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
        let Schedule { fall, from, to } =
            self.guide_schedule.unwrap_or(Schedule { fall: Fall::Cosine, from: FROM, to: TO });
        Guidance { weight, fall, from, to }
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
        match self {
            GuideChoice::Oracle => Ok(Meanings::oracle(truth)),
            GuideChoice::Names(names) => match names.keys().find(|label| **label >= classes) {
                Some(label) => Err(misuse(format!(
                    "--guide: expected label indices from 0 to {}, found {label}",
                    classes - 1
                ))),
                None => Ok(Meanings { oracle: false, names: names.clone() }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_and_names_are_read_or_refused() {
        for (text, expected) in [
            ("step", (Fall::Step, 0.75, 0.75)),
            ("step:0.5", (Fall::Step, 0.5, 0.5)),
            ("cosine", (Fall::Cosine, 0.5, 0.75)),
            ("linear:0:0.9", (Fall::Linear, 0.0, 0.9)),
        ] {
            let found: Schedule = text.parse().unwrap();
            assert_eq!((found.fall, found.from, found.to), expected, "{text}");
        }
        for text in
            ["", "flat", "step:1", "cosine:0.5", "linear:0.8:0.2", "cosine:0:1", "linear:-1:0.5", "step:nan"]
        {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
        assert_eq!("oracle".parse(), Ok(GuideChoice::Oracle));
        let names = BTreeMap::from([(3, "dog".to_string()), (7, "polar bear".into())]);
        assert_eq!("3=dog, 7 = polar bear".parse(), Ok(GuideChoice::Names(names)));
        for text in ["dog", "3=", "=dog", "3=dog,3=cat", "-1=dog", "3=dog,"] {
            assert!(text.parse::<GuideChoice>().is_err(), "{text}");
        }
    }
}
