//! The eavesdropper: from an observed gradient to labels and pictures.

pub mod adam;
mod anneal;
pub mod ball;
pub mod check;
pub mod checkpoint;
mod choices;
pub mod config;
mod course;
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
pub mod minimise;
pub mod objective;
pub mod patches;
pub mod pixels;
pub mod preset;
pub mod prior;
pub mod problem;
pub mod recompute;
mod round;
mod rounds;
mod schedule;
pub mod setting;
pub mod sought;
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
    pub norm_ratio: f32,
    pub stopped: Option<usize>,
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
    pub name: String,
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

#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    #[error(transparent)]
    Threat(#[from] threat::ThreatError),
    #[error("{cause}")]
    Labels { target: usize, cause: labels::LabelError },
    #[error("gradient {target}: {cause}")]
    Exact { target: usize, cause: exact::ExactError },
    #[error("gradient {target}: {cause}")]
    Patches { target: usize, cause: patches::PatchError },
    #[error(transparent)]
    Config(#[from] check::ConfigError),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error(transparent)]
    Model(#[from] ArchitectureError),
    #[error("target {target}, {what}: expected {expected}, found {found}")]
    Target { target: usize, what: String, expected: String, found: String },
    #[error("{0}")]
    Invalid(String),
    #[error("gradient {target} is 0 in every element: there is nothing in it to attack")]
    ZeroGradient { target: usize },
    #[error(
        "label {label} is not in the batch, so that nothing can be guided by it: the labels are {}",
        labels.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    )]
    GuidedLabel { label: usize, labels: Vec<usize> },
    #[error("no trial of gradient {target} had a finite objective, from the first iteration on")]
    NotFinite { target: usize },
}
