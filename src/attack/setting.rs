//! What is attacked, and what is known of it.

use super::{
    config::AttackConfig,
    generated::Prior,
    guidance::Guide,
    threat::{Knowledge, Setup, ThreatModel, Use},
};
use crate::{
    data::Normalisation,
    federated::{Protocol, Victim, defence::adapt::View},
};

/// An observed gradient and what is known of its batch.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// One tensor a trainable parameter, row-major. An update divided by [`Protocol::scale`] is one.
    pub gradient: Vec<Vec<f32>>,
    /// In the order of the reconstructed images, if the eavesdropper is given them.
    pub labels: Option<Vec<usize>>,
    /// How much each tensor counts; given for all targets or for none.
    pub weights: Option<Vec<f32>>,
    /// Mean and variance of the client's batch at every batch norm in turn.
    pub statistics: Option<Vec<Vec<f32>>>,
}

impl Target {
    /// ‖g*‖
    pub fn norm(&self) -> f64 {
        self.gradient.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
    }

    /// Whether it is 0 in every element.
    pub fn is_zero(&self) -> bool {
        self.gradient.iter().flatten().all(|&v| v == 0.0)
    }
}

/// What all targets have in common.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The model with its weights.
    pub victim: &'a Victim,
    /// What the eavesdropper takes the client to do.
    pub protocol: &'a Protocol,
    /// What it does to its trial gradient to match a defended one.
    pub views: &'a [View],
    /// `B`
    pub batch: usize,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: &'a Normalisation,
    /// The attack, with every choice made.
    pub config: &'a AttackConfig,
    /// Trained elsewhere, for what is sought by a generator; `None`: one that nobody trained.
    pub generator: Option<&'a Prior>,
    /// What the eavesdropper may know: an attack that uses more is refused.
    pub threat: &'a ThreatModel,
    /// Restarts of each target.
    pub restarts: usize,
    /// Of starts, noise and all else that is drawn.
    pub seed: u64,
    /// The first target's number among all that share the seed, from which what is drawn for each follows.
    pub first: usize,
}

impl Setting<'_> {
    /// The trial as it is drawn for: with its target's number among all.
    pub fn drawn(&self, trial: Trial) -> Trial {
        Trial { target: self.first + trial.target, ..trial }
    }

    /// What the attack on these targets uses, in the end from what it is given.
    pub fn uses(&self, guide: Option<&Guide>, targets: &[Target]) -> Vec<Use> {
        let Setting { victim, protocol, config, .. } = *self;
        let setup = Setup {
            config,
            protocol,
            labels_given: targets.iter().any(|t| t.labels.is_some()),
            adaptive: !self.views.is_empty()
                || protocol.example_clip.is_some()
                // Weights of 0 and 1 say which layers were sent at all.
                || targets.iter().flat_map(|t| t.weights.iter().flatten()).any(|w| ![0.0, 1.0].contains(w)),
            batch_norm: victim.has_batch_norm(),
            trained: self.generator.is_some_and(|generator| generator.from.is_some()),
        };
        let oracle = guide.is_some_and(|guide| guide.oracle);
        let names = oracle.then(|| Use::new(Knowledge::TrueNames, "guidance by the true names"));
        setup.uses().into_iter().chain(names).collect()
    }
}

/// One trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The target's place among those that are attacked.
    pub target: usize,
    /// Which of the target's hypotheses guides it. Starts don't depend on it.
    pub hypothesis: usize,
    /// Its number among the restarts of its target and hypothesis.
    pub restart: usize,
}
