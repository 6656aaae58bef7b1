//! Options of guidance by names.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;

use super::{help::group, misuse, options::count_to, spelled::spelled};
use crate::{
    attack::{
        guidance::{Anneal, Guidance},
        looks::MAX_VIEWS,
    },
    audit::Meanings,
};

/// λ where nothing is said: more bends pictures of an untrained LeNet away from the originals (`study guidance`).
const WEIGHT: f64 = 0.002;

/// How strongly names guide.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::ATTACK)]
pub(crate) struct GuidanceOptions {
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
pub(crate) struct ScheduleOptions {
    /// How the pull towards names falls to 0, and from which share of the iterations to which
    ///
    /// What is kept and compared comes from after that. Without it cosine:0.5:0.75.
    #[arg(long, value_name = "SHAPE[:FROM:TO]", value_parser = spelled::<Anneal>())]
    guide_schedule: Option<Anneal>,
    /// Copies of each picture that names pull at, as their mean: moved, mirrored, noisy, partly covered
    ///
    /// Drawn anew for every iteration, by --seed. A pattern that only one of them shows pulls little. Without it the picture
    /// as it is, once. An iteration's guidance costs so many times as much.
    #[arg(long, value_name = "N", value_parser = count_to(MAX_VIEWS))]
    guide_views: Option<usize>,
}

impl GuidanceOptions {
    pub(crate) fn is_default(&self) -> bool {
        self.guide_weight.is_none() && self.schedule.is_default()
    }

    pub(crate) fn guidance(&self) -> anyhow::Result<Guidance> {
        self.guidance_or(Anneal::default())
    }

    /// λ falls so where nothing else is said.
    pub(crate) fn guidance_or(&self, schedule: Anneal) -> anyhow::Result<Guidance> {
        let weight = self.guide_weight.unwrap_or(WEIGHT);
        if !weight.is_finite() || weight < 0.0 {
            return Err(misuse(format!("--guide-weight: expected a weight ≥ 0, found {weight}")));
        }
        Ok(self.schedule.guidance_or(weight, schedule))
    }
}

impl ScheduleOptions {
    fn is_default(&self) -> bool {
        self.guide_schedule.is_none() && self.guide_views.is_none()
    }

    /// λ begins at `weight`, and goes so where nothing is said.
    fn guidance_or(&self, weight: f64, schedule: Anneal) -> Guidance {
        let schedule = self.guide_schedule.unwrap_or(schedule);
        Guidance { views: self.guide_views, ..Guidance::new(weight, schedule) }
    }
}

/// The value of `--guide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GuideChoice {
    /// The true names of the labels.
    Oracle,
    /// Names of label indices.
    Names(BTreeMap<usize, String>),
}

impl FromStr for GuideChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<GuideChoice, String> {
        match text {
            "oracle" => Ok(GuideChoice::Oracle),
            names => names_of_labels("oracle", names).map(GuideChoice::Names),
        }
    }
}

/// `3=dog,7=cat`; `instead`: what else the option takes.
pub(crate) fn names_of_labels(instead: &str, text: &str) -> Result<BTreeMap<usize, String>, String> {
    let mut names = BTreeMap::new();
    for part in text.split(',') {
        let pair = part.split_once('=').and_then(|(label, name)| {
            let name = name.trim();
            Some((label.trim().parse().ok()?, name.to_string())).filter(|_| !name.is_empty())
        });
        let (label, name): (usize, String) = pair.ok_or_else(|| {
            format!("expected {instead}, or label=name as in 3=dog,7=cat with label indices, found '{part}'")
        })?;
        if let Some(first) = names.insert(label, name.clone()) {
            return Err(format!("label {label} has two names, {first} and {name}"));
        }
    }
    Ok(names)
}

impl GuideChoice {
    /// What every label index is taken to mean. `truth`: by index, for the oracle.
    pub(crate) fn meanings(&self, classes: usize, truth: &[Option<String>]) -> anyhow::Result<Meanings> {
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
    fn names_are_read_or_refused() {
        assert_eq!("oracle".parse(), Ok(GuideChoice::Oracle));
        let names = BTreeMap::from([(3, "dog".to_string()), (7, "polar bear".into())]);
        assert_eq!("3=dog, 7 = polar bear".parse(), Ok(GuideChoice::Names(names)));
        for text in ["dog", "3=", "=dog", "3=dog,3=cat", "-1=dog", "3=dog,"] {
            assert!(text.parse::<GuideChoice>().is_err(), "{text}");
        }
    }
}
