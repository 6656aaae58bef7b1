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

#[derive(Debug, thiserror::Error)]
pub enum SemanticError {
    #[error(transparent)]
    Clip(#[from] ClipError),
    #[error(
        "one-to-one naming of {indices} label indices needs as many candidate names, found {names}: give more names, \
         or name them greedily"
    )]
    TooFewNames { names: usize, indices: usize },
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch { what: &'static str, expected: String, found: String },
}
