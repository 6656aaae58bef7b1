//! What label indices could mean, weighed by reconstructions that were guided by each possibility: which there are
//! ([`enumerate`]), which names are candidates ([`candidates`]), which hypotheses are worth the effort ([`beam`]), the
//! attacks under each ([`search`]), how they compare in the end ([`ranking`]), what that is worth against the truth
//! (`judge`) and over many batches ([`tally`]), and all of it as a [`report`] and a `page`.

pub mod beam;
pub mod calibration;
pub mod candidates;
pub mod comparison;
mod conditional;
mod contest;
mod effects;
pub mod enumerate;
mod judge;
mod page;
mod page_compared;
pub mod ranking;
pub mod readers;
mod rehearsed;
pub mod reliability;
pub mod report;
pub mod search;
mod table;
pub mod tally;
mod weighed;

pub use beam::{Kept, most_similar};
pub use calibration::{Calibration, CalibrationRecord, Scored};
pub use candidates::{Candidates, Reconstructed, Trials};
pub use comparison::Comparison;
pub use contest::Compared;
pub use ranking::{Ranked, Ranking, rank};
pub use readers::Reader;
pub use reliability::Reliability;
pub use report::{Evidence, Explanation, GuideReport};
pub use search::{Calibrate, Found, Search};
pub use tally::{Judged, Order, Tally};

use crate::audit::AuditError;

/// Candidate names of label indices in turn: `names[i]` is the place of index `i`'s name among the candidates.
pub type Names = Vec<usize>;

/// Why label indices cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum HypothesesError {
    /// A batch shows a class that the user gave no name for.
    #[error("batch {batch} shows {name}, which is none of the names")]
    NoCandidate {
        /// Its number.
        batch: usize,
        /// What the class is called.
        name: String,
    },
    /// The user asked for more distractors than there are other names.
    #[error("expected at most {most}, the names that batch {batch} does not show, found {found}")]
    Distractors {
        /// Its number.
        batch: usize,
        /// How many there are.
        most: usize,
        /// How many were asked for.
        found: usize,
    },
    /// One-to-one naming needs as many names as indices.
    #[error("the {indices} label indices of batch {batch} need as many candidate names, found {names}")]
    TooFewNames {
        /// Its number.
        batch: usize,
        /// Label indices of the batch.
        indices: usize,
        /// Candidate names.
        names: usize,
    },
    /// The user asked for no hypothesis at all.
    #[error("hypotheses of a batch: expected 1 or more, found 0")]
    NoBeam,
    /// The comparison asks a generator for names, and there is none.
    #[error(
        "conditional: expected a class-conditional generator that others trained, found none: give --generator builtin (3×32×32) or FILE"
    )]
    NoGenerator,
    /// The generator cannot be asked for a class.
    #[error("conditional: expected a class-conditional generator, found one that knows no classes")]
    NoClasses,
    /// The generator does not know a candidate name.
    #[error("conditional: expected names that the generator knows ({classes}), found {name}")]
    UnknownClass {
        /// The candidate.
        name: String,
        /// What it knows.
        classes: String,
    },
    /// The comparison by features learns from public pictures, and there are none.
    #[error(
        "features: expected public pictures with the candidate names, found none: give --public DIR, and a threat model \
         that grants public-data"
    )]
    NoPublic,
    /// A gradient holds no features.
    #[error(
        "features: batch {batch} holds none: the victim's last layer has no bias, or the gradient is not finite"
    )]
    NoFeatures {
        /// Its number.
        batch: usize,
    },
    /// There are no names beside a batch's own to calibrate on.
    #[error("expected more names than the label indices of two batches, found {names}: nothing is unrelated")]
    NoOthers {
        /// All names.
        names: usize,
    },
    /// An audit under a hypothesis fails.
    #[error(transparent)]
    Audit(Box<AuditError>),
}

impl From<AuditError> for HypothesesError {
    fn from(error: AuditError) -> Self {
        HypothesesError::Audit(Box::new(error))
    }
}

impl HypothesesError {
    /// Whether the caller asked for what cannot be, as opposed to a failure of what was asked for.
    pub fn is_misuse(&self) -> bool {
        match self {
            HypothesesError::Audit(error) => error.is_misuse(),
            _ => true,
        }
    }
}
