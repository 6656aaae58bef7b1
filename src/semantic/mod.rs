//! What a label index *means*: the eavesdropper sees that a batch holds labels 3 and 7, reconstructs pictures that carry
//! these indices, and reads off the pictures which words the indices stand for.
//!
//! A model names every reconstruction ([`crate::clip`]); the rows of all reconstructions that carry an index, in a batch
//! and over several, give one row an index ([`Similarity`]), and that row its name. The share of indices named right
//! never stands alone: [`controls`] says what the same model makes of the originals and of pictures that know nothing.
//! Class indices are shuffled first ([`ClassOrder`]), so that no name can leak through the order of the classes.

mod class_order;
pub mod classifier;
pub mod controls;
pub mod model_alone;
mod naming;
mod public;
mod readings;
mod report;
pub mod ridge;
mod score;
mod similarity;

pub use class_order::ClassOrder;
pub use classifier::{Classifier, ClassifierRecord};
pub use naming::{Batch, Study, reconstruct_labels};
pub use public::PublicRows;
pub use readings::readings;
pub use report::{Accuracies, BatchNaming, Choice, IndexNaming, SemanticReport};
#[cfg(feature = "report")]
pub(crate) use score::Scorer;
pub use score::{Accuracy, Score, Share, Truth};
pub use similarity::{Assignment, Seen, Similarity};

use crate::clip::ClipError;

/// Why label indices cannot be named.
#[derive(Debug, thiserror::Error)]
pub enum SemanticError {
    /// The model of pictures and words cannot be read or run.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The user gave fewer names than one-to-one naming needs.
    #[error(
        "one-to-one naming of {indices} label indices needs as many candidate names, found {names}: give more names, \
         or name them greedily"
    )]
    TooFewNames {
        /// Candidate names given.
        names: usize,
        /// Label indices to be named.
        indices: usize,
    },
    /// Two inputs do not fit each other, such as pictures and rows: a bug in the caller.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it is.
        found: String,
    },
}
