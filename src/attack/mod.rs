//! The eavesdropper: from an observed gradient to labels and pictures.

pub mod adam;
mod anneal;
pub mod ball;
pub mod check;
pub mod checkpoint;
mod choices;
pub mod config;
mod course;
pub mod drawn;
pub mod evaluate;
pub mod exact;
mod film;
pub mod generated;
pub mod guidance;
pub mod invert;
mod iteration;
pub mod labels;
mod langevin;
pub mod last_layer;
pub mod lbfgs;
pub mod looks;
pub mod minimise;
pub mod objective;
pub mod patches;
pub mod pixels;
pub mod preset;
pub mod prior;
pub mod problem;
pub mod pyramid;
pub mod recompute;
mod round;
mod rounds;
mod schedule;
pub mod setting;
pub mod sought;
mod source;
pub mod stage;
mod staged;
pub mod surrogate;
pub mod threat;
pub mod unknown;
pub mod view;
pub mod way;

pub use film::Frame;
pub use iteration::iteration;
pub use staged::MAX_TRIALS;

use crate::{device::DeviceError, federated::ProtocolError, nn::ArchitectureError};

/// The best iterate of one trial.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Found {
    /// Of the unknown's variables in turn, then of the labels' logits where they were optimised.
    pub values: Vec<Vec<f32>>,
    /// As in [`Outcome`], like all that follows.
    pub objective: f32,
    /// ‖g‖/‖g*‖ of the best iterate.
    pub norm_ratio: f32,
    /// The iteration at which the objective stopped being finite.
    pub stopped: Option<usize>,
    /// Objective at every iteration (Adam) or evaluation (L-BFGS).
    pub history: Vec<f32>,
    /// Iterations, and the values then.
    pub film: Vec<(usize, Vec<Vec<f32>>)>,
}

/// What one trial came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Best iterate, normalised, `(B,C,H,W)`.
    pub images: Vec<f32>,
    /// Its label logits `(B,K)` where they were optimised.
    pub label_logits: Option<Vec<f32>>,
    /// Its objective; infinite if no iterate had a finite one. Under guidance, only iterates after λ has become 0 count.
    pub objective: f32,
    /// Its ‖g‖/‖g*‖: cosine matching does not see a wrong scale, this shows it.
    pub norm_ratio: f32,
    /// The iteration at which the objective stopped being finite.
    pub stopped: Option<usize>,
    /// Objective at every iteration (Adam) or evaluation (L-BFGS).
    pub history: Vec<f32>,
    /// Iterates on the way to it, the first first; none of what was computed at once.
    pub film: Vec<Frame>,
    /// What its stages came to, in order; the one of the lowest objective is the result. Empty where there is one only, or
    /// the last is it for other reasons.
    pub stages: Vec<StageOutcome>,
}

/// What one of an attack's stages came to for a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct StageOutcome {
    /// As messages and reports call it.
    pub name: String,
    /// Lowest matching objective of the stage.
    pub objective: f32,
    /// Best iterate, normalised, `(B,C,H,W)`.
    pub images: Vec<f32>,
}

/// What a caller may watch while an attack runs.
pub struct Hooks<'a> {
    /// Called with iterations done, iterations in all and every trial's latest objective.
    pub progress: &'a mut (dyn FnMut(usize, usize, &[f32]) + Send),
    /// Whether the attack should end now, with the best that it has found so far.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Where an attack that is told to stop leaves how far it has come, and goes on from.
    pub checkpoints: Option<&'a checkpoint::Checkpoints>,
}

/// An attack goes on to its end.
pub const GO_ON: &(dyn Fn() -> bool + Sync) = &|| false;

impl Hooks<'_> {
    fn iteration(&mut self, done: usize, of: usize, latest: &[f32]) {
        (self.progress)(done, of, latest);
    }
}

/// Why an attack cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The attack cannot be left on disk, or taken up again.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    /// The attack uses what the eavesdropper may not know.
    #[error(transparent)]
    Threat(#[from] threat::ThreatError),
    /// Labels are to be restored, and cannot be.
    #[error("{cause}")]
    Labels {
        /// The gradient's number among those that are attacked.
        target: usize,
        /// Why not.
        cause: labels::LabelError,
    },
    /// The exact attack does not work on this gradient.
    #[error("gradient {target}: {cause}")]
    Exact {
        /// The gradient's number among those that are attacked.
        target: usize,
        /// Why not.
        cause: exact::ExactError,
    },
    /// The picture cannot be computed from its patches.
    #[error("gradient {target}: {cause}")]
    Patches {
        /// The gradient's number among those that are attacked.
        target: usize,
        /// Why not.
        cause: patches::PatchError,
    },
    /// The caller told it to stop before any trial had a result; its checkpoint, if it has one, holds how far it came.
    #[error("stopped before there was anything to show")]
    Stopped,
    /// A setting that the user gave makes no sense.
    #[error(transparent)]
    Config(#[from] check::ConfigError),
    /// The protocol makes no sense for this batch.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ArchitectureError),
    /// The caller gave a target that does not fit the victim.
    #[error("target {target}, {what}: expected {expected}, found {found}")]
    Target {
        /// The gradient's number among those that are attacked.
        target: usize,
        /// Which part of it.
        what: String,
        /// What would fit.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Settings that make sense alone and not together; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The observed gradient is 0.
    #[error("gradient {target} is 0 in every element: there is nothing in it to attack")]
    ZeroGradient {
        /// The gradient's number among those that are attacked.
        target: usize,
    },
    /// The user gave a name to a label that is not in the batch.
    #[error(
        "label {label} is not in the batch, so that nothing can be guided by it: the labels are {}",
        labels.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    )]
    GuidedLabel {
        /// That label.
        label: usize,
        /// Those of the batch.
        labels: Vec<usize>,
    },
    /// Every trial overflows from the first iteration on.
    #[error("no trial of gradient {target} had a finite objective, from the first iteration on")]
    NotFinite {
        /// The gradient's number among those that are attacked.
        target: usize,
    },
}
