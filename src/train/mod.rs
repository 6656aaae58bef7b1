//! Training a network from labelled pictures, on the same engine that attacks it.

mod checkpoint;
mod degradation;
mod evaluate;
pub mod generator;
mod optimiser;
mod pictures;
mod privacy;
mod recipe;
mod robust;
mod robust_evaluate;
mod rounds;
mod schedule;
mod step;
mod stepping;
mod training;
mod views;

pub use checkpoint::{Checkpoint, CheckpointError, Progress};
pub use degradation::{Degradation, Noise};
pub use evaluate::{Evaluation, EvaluationError, Evaluator};
pub use optimiser::{Optimiser, OptimiserName};
pub use pictures::{Half, Part, Pictures, PicturesError};
pub use privacy::Privacy;
pub use recipe::{Recipe, RecipeError};
pub use robust::Robust;
pub use rounds::{Defending, Rounds};
pub use schedule::one_cycle;
pub use step::{Seen, State, Step};
pub use training::{CheckpointFile, EpochReport, TrainError, Training};
