//! Options of naming: what a reconstruction shows, in words.

use clap::{Args, ValueEnum};

use super::{
    clip_options::{CandidateNames, ClipOptions},
    help::group,
    misuse, note,
    progress::Terminal,
    spelled::spelled,
};
use crate::{
    audit::{
        AuditError, NamingModel,
        naming::{Aggregation, Rule},
    },
    clip::zero_shot::{Namer, check_labels},
    device::Device,
    semantic::Assignment,
    sweep::NAMED_AT_ONCE,
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
pub(crate) struct NamingOptions {
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
    #[arg(long, conflicts_with_all = [
        "clip", "names", "templates", "clip_activation", "assignment", "aggregation"])]
    no_names: bool,
}

impl From<AggregationChoice> for Aggregation {
    fn from(choice: AggregationChoice) -> Self {
        match choice {
            AggregationChoice::Equal => Aggregation::Equal,
            AggregationChoice::Objective => Aggregation::Objective,
        }
    }
}

impl NamingOptions {
    /// What is to name the pictures; `class_names`: of the data set, where one is known. `None`: nothing, for the reason
    /// that was printed, or because the user wants it so.
    ///
    /// # Errors
    /// What is wrong with a model or with names that the user gave.
    pub(crate) fn open(&self, class_names: Option<&[String]>) -> anyhow::Result<Option<NamingModel>> {
        if self.no_names {
            return Ok(None);
        }
        let templates = self.clip.templates()?;
        let explicit = self.is_explicit();
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
            Ok(encoder) => Ok(Some(NamingModel { encoder, names, templates })),
            Err(error) if !explicit => {
                left_out(&format!("{error:#}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What names are learned with from examples, in place of text.
    ///
    /// # Errors
    /// Options that say something else.
    pub(crate) fn by_example(&self) -> anyhow::Result<&ClipOptions> {
        match () {
            () if self.no_names => Err(misuse("--names-from and --no-names: expected one of them")),
            () if self.names.are_given() => {
                Err(misuse("--names-from and --names: expected one of them, as each says the names"))
            }
            () => Ok(&self.clip),
        }
    }

    /// Whether the user asked for names.
    fn is_explicit(&self) -> bool {
        self.clip.is_given() || self.names.are_given()
    }

    /// One-to-one naming of so many label indices at least needs as many names.
    pub(crate) fn check_count(&self, choice: &NamingModel, indices: usize) -> anyhow::Result<()> {
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
    pub(crate) fn namer<'c>(
        &self,
        choice: &'c NamingModel,
        device: &'c dyn Device,
        pictures: usize,
    ) -> anyhow::Result<Option<Namer<'c>>> {
        match choice.namer(device, pictures, &Terminal) {
            Ok(namer) => Ok(Some(namer)),
            Err(AuditError::Clip(error)) if self.is_explicit() => Err(self.names.error(error)),
            Err(error) if self.is_explicit() => Err(error.into()),
            Err(error) => {
                left_out(&error);
                Ok(None)
            }
        }
    }

    /// The same for the cells of a sweep; none where nothing is named.
    pub(crate) fn namer_of<'c>(
        &self,
        model: Option<&'c NamingModel>,
        device: &'c dyn Device,
    ) -> anyhow::Result<Option<Namer<'c>>> {
        model.map_or(Ok(None), |model| self.namer(model, device, NAMED_AT_ONCE))
    }

    pub(crate) fn rule(&self) -> Rule {
        Rule { assignment: self.assignment, aggregation: self.aggregation.into() }
    }
}

fn left_out(why: &dyn std::fmt::Display) {
    note(&format!("names left out: {why}"));
}
