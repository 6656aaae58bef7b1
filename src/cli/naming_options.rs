//! Options of naming: what a reconstruction shows, in words.

use clap::{Args, ValueEnum};

use super::{
    clip_options::{CandidateNames, ClipOptions},
    help::group,
    misuse, note,
    spelled::spelled,
};
use crate::{
    clip::{
        ClipError, Encoder, Templates,
        zero_shot::{Namer, check_labels},
    },
    device::Device,
    semantic::Assignment,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AggregationChoice {
    /// Every batch counts the same
    Equal,
    /// A batch counts by the lowest objective of all batches over its own: what was matched better counts more
    Objective,
}

/// What the label indices mean.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::NAMING)]
pub struct NamingOptions {
    #[command(flatten)]
    clip: ClipOptions,
    #[command(flatten)]
    names: CandidateNames,
    /// How names are given to label indices; the report has both ways
    #[arg(long, value_parser = spelled::<Assignment>(), default_value = "greedy")]
    pub assignment: Assignment,
    /// How much each batch counts where an index was seen in several
    #[arg(long, value_enum, default_value = "equal")]
    pub aggregation: AggregationChoice,
    /// Leave naming out: pictures and labels alone
    #[arg(long, conflicts_with_all = ["clip", "names", "templates", "clip_activation", "assignment", "aggregation"])]
    no_names: bool,
}

/// A model and the names that it is to choose from, not yet encoded.
pub struct Choice {
    encoder: Box<dyn Encoder>,
    pub names: Vec<String>,
    templates: Templates,
    /// Whether the user asked for them.
    explicit: bool,
}

impl Choice {
    pub fn encoder(&self) -> &dyn Encoder {
        &*self.encoder
    }

    /// Vectors `(N,E)` of any names.
    pub fn encode(
        &self,
        device: &dyn Device,
        names: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, ClipError> {
        let names = check_labels(names)?;
        let found = self.encoder.name_features(device, &names, &self.templates, progress)?;
        found.notes.iter().for_each(|text| note(text));
        Ok(found.vectors)
    }
}

impl NamingOptions {
    /// What is to name the pictures; `class_names`: of the data set, where one is known. `None`: nothing, for the reason
    /// that was printed, or because the user wants it so.
    ///
    /// # Errors
    /// What is wrong with a model or with names that the user gave.
    pub fn open(&self, class_names: Option<&[String]>) -> anyhow::Result<Option<Choice>> {
        if self.no_names {
            return Ok(None);
        }
        let templates = self.clip.templates()?;
        let explicit = self.clip.is_given() || self.names.are_given();
        let names = match self.names.of(class_names) {
            Some(names) => names,
            None if explicit => {
                return Err(misuse("--clip needs candidate names: give --names dog,cat,…"));
            }
            None => {
                left_out(&"give candidate names with --names dog,cat,…");
                return Ok(None);
            }
        };
        let names = match check_labels(&names) {
            Ok(names) => names,
            Err(error) if explicit => return Err(self.names.error(error)),
            Err(error) => {
                left_out(&error);
                return Ok(None);
            }
        };
        match self.clip.open() {
            Ok(encoder) => Ok(Some(Choice { encoder, names, templates, explicit })),
            Err(error) if !explicit => {
                left_out(&format!("{error:#}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// One-to-one naming of so many label indices at least needs as many names.
    pub fn check_count(&self, choice: &Choice, indices: usize) -> anyhow::Result<()> {
        match self.assignment {
            Assignment::OneToOne if choice.names.len() < indices => Err(misuse(format!(
                "--assignment one-to-one: {indices} label indices need as many candidate names, found {}: give more with \
                 --names, or take greedy",
                choice.names.len()
            ))),
            _ => Ok(()),
        }
    }

    /// Encodes the names and compiles the image half, so that what is wrong with a name shows before anything is
    /// attacked. `None` as for [`NamingOptions::open`].
    pub fn namer<'c>(
        &self,
        choice: &'c Choice,
        device: &'c dyn Device,
        pictures: usize,
        progress: &mut dyn FnMut(&'static str, usize, usize),
    ) -> anyhow::Result<Option<Namer<'c>>> {
        let Choice { encoder, names, templates, explicit } = choice;
        match Namer::new(device, &**encoder, names, templates, pictures, progress) {
            Ok(namer) => Ok(Some(namer)),
            Err(error) if *explicit => Err(self.names.error(error)),
            Err(error) => {
                left_out(&error);
                Ok(None)
            }
        }
    }

    /// `(M)`: weights of the batches in the aggregation, from the lowest objective that each reached.
    pub fn weights(&self, objectives: &[f32]) -> Vec<f64> {
        let least = f64::from(f32::MIN_POSITIVE);
        let objectives = objectives.iter().map(|&o| f64::from(o).max(least));
        match self.aggregation {
            AggregationChoice::Equal => vec![1.0; objectives.len()],
            AggregationChoice::Objective => {
                let lowest = objectives.clone().fold(f64::INFINITY, f64::min);
                objectives.map(|o| lowest / o).collect()
            }
        }
    }
}

fn left_out(why: &dyn std::fmt::Display) {
    note(&format!("names left out: {why}"));
}
