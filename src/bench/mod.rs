//! Measuring: what a device can do at best, how near its kernels come, and how long an iteration of an attack or a
//! step of training takes.
//!
//! What is timed is what the attacks and the training run, with the plans that they compile. Times are of repeated
//! calls ([`Spread`]); what is computed can be written out and compared before it is timed
//! ([`Iteration::check`], [`TrainingStep::check`]).

mod attack;
mod case;
mod growth;
mod in_turn;
mod inputs;
mod kernels;
mod levels;
mod memory;
mod peaks;
mod plot;
mod report;
mod scaling;
mod spread;
mod subject;
mod training;

use crate::{
    attack::AttackError,
    data::DataError,
    device::DeviceError,
    federated::{ClientError, VictimError},
    tensor_file::TensorFileError,
};

pub use attack::Iteration;
pub use case::{Case, CompiledCase, fused, square, transposed};
pub use in_turn::{Series, in_turn};
pub use inputs::Inputs;
pub use kernels::{Bound, KernelMeasured, cases};
pub use levels::levels;
pub use memory::peak_resident;
pub use peaks::{Peaks, peaks};
pub use plot::{csv, svg};
pub use report::BenchReport;
pub use scaling::{Axis, Growth, Point, Step, Sweep, sweeps};
pub use spread::{Spread, sample};
pub use subject::{Measured, Ready, Subject, Work, standard};
pub use training::TrainingStep;

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The attack whose iteration is timed cannot be made.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The client's training gives nothing to attack.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no such victim.
    #[error(transparent)]
    Victim(#[from] VictimError),
    /// A file of inputs is no good.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Pictures cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The file of inputs has a label that is none of the victim's classes.
    #[error("{path}: tensor 'labels': expected class indices from 0 to {most}, found {found} at {index}")]
    Label {
        /// The file.
        path: String,
        /// Of the first such label.
        index: usize,
        /// That label.
        found: f32,
        /// The largest class index.
        most: usize,
    },
}
