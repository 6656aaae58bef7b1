//! What names are read from, and how many of them are right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    report::html::Measured,
    semantic::{Accuracy, Assignment},
};

/// What names were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The attack's pictures.
    Reconstructions,
    /// Class features in the gradient, by public pictures.
    Features,
    /// Both.
    #[serde(rename = "features_and_reconstructions")]
    Both,
    /// Public pictures through the victim, and no gradient.
    ModelAlone,
    /// Upper bound.
    Originals,
    /// The reconstructions dealt to other indices.
    Shuffled,
    /// Uniform noise in place of every reconstruction.
    Noise,
    /// A flat grey picture in place of every reconstruction.
    FlatGrey,
    /// Originals of another batch.
    Unrelated,
}

/// Share of indices named right, by both ways to give names; one-to-one is absent where names are too few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Each index with its own best name.
    pub greedy: f64,
    /// Each name for one index.
    pub one_to_one: Option<f64>,
}

/// The same over batches, or over groups of batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Each index with its own best name.
    pub greedy: Measured,
    /// Each name for one index.
    pub one_to_one: Option<Measured>,
}

impl From<&Accuracy> for Scores {
    /// From single batches.
    fn from(accuracy: &Accuracy) -> Self {
        Scores {
            greedy: accuracy.greedy.per_batch.into(),
            one_to_one: accuracy.one_to_one.map(|score| score.per_batch.into()),
        }
    }
}

impl Shares {
    /// The share by this way to give names.
    pub fn by(&self, assignment: Assignment) -> Option<f64> {
        match assignment {
            Assignment::Greedy => Some(self.greedy),
            Assignment::OneToOne => self.one_to_one,
        }
    }
}

impl Scores {
    /// The share by this way to give names.
    pub fn by(&self, assignment: Assignment) -> Option<Measured> {
        match assignment {
            Assignment::Greedy => Some(self.greedy),
            Assignment::OneToOne => self.one_to_one,
        }
    }
}

/// What the label indices mean, read off the pictures: share of indices named right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Naming {
    /// 1/N of N candidate names.
    pub random: f64,
    /// From one batch.
    pub single: BTreeMap<Source, Scores>,
    /// From groups of batches; empty where there are too few for one.
    pub aggregated: BTreeMap<Source, Scores>,
}

impl Source {
    /// Every source, in the order of tables.
    pub const ALL: [Source; 9] = [
        Source::Reconstructions,
        Source::Features,
        Source::Both,
        Source::ModelAlone,
        Source::Originals,
        Source::Shuffled,
        Source::Noise,
        Source::FlatGrey,
        Source::Unrelated,
    ];

    /// What knows nothing of the client's pictures.
    pub const CONTROLS: [Source; 5] =
        [Source::ModelAlone, Source::Shuffled, Source::Noise, Source::FlatGrey, Source::Unrelated];

    /// As tables and journals write it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Reconstructions => "reconstructions",
            Source::Features => "features",
            Source::Both => "features_and_reconstructions",
            Source::ModelAlone => "model_alone",
            Source::Originals => "originals",
            Source::Shuffled => "shuffled",
            Source::Noise => "noise",
            Source::FlatGrey => "flat_grey",
            Source::Unrelated => "unrelated",
        }
    }
}
