//! What a client does with its pictures before it sends: one gradient, or FedAvg's local training
//! (McMahan 2017).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClientLoss, LocalOptimiser, Shares, defence::Defence};
use crate::nn::Mode;

/// Local training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Local {
    /// Steps in all, over the client's batches in turn: E epochs of n batches are E·n steps. Of the client with the most
    /// pictures, where it is epochs that are given.
    pub steps: usize,
    /// Passes of every client over its own pictures, where it is these that are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Pictures of one step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// η
    pub learning_rate: f64,
    /// The rule of its steps.
    #[serde(default)]
    pub optimiser: LocalOptimiser,
    /// λ, in the gradient; of AdamW beside it.
    #[serde(default)]
    pub weight_decay: f64,
}

impl Local {
    /// Plain SGD.
    pub fn sgd(steps: usize, batch: usize, learning_rate: f64) -> Local {
        let optimiser = LocalOptimiser::Sgd;
        Local { steps, epochs: None, batch, learning_rate, optimiser, weight_decay: 0.0 }
    }

    /// Steps of a client with so many pictures.
    pub fn steps_of(&self, pictures: usize) -> usize {
        let epoch = pictures.div_ceil(self.batch.max(1)).max(1);
        self.epochs.map_or(self.steps, |epochs| epochs.saturating_mul(epoch))
    }
}

/// What a client does before it sends, but for its defences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Protocol {
    /// Of the client's batch norm.
    pub mode: Mode,
    /// Clients whose mean is observed.
    pub clients: Shares,
    /// `None`: the gradient of one step over all the client's pictures.
    pub local: Option<Local>,
    /// DP-SGD (Abadi 2016): every picture's gradient is clipped to this norm before the mean.
    pub example_clip: Option<f64>,
    /// What it trains on.
    #[serde(default)]
    pub loss: ClientLoss,
}

impl Default for Protocol {
    /// One client's gradient, batch norm in eval mode.
    fn default() -> Self {
        Protocol {
            mode: Mode::Eval,
            clients: Shares::default(),
            local: None,
            example_clip: None,
            loss: ClientLoss::Mean,
        }
    }
}

/// Most pictures of one attack: what a device has memory for is less, and it says how much that is.
pub const MAX_BATCH: usize = 1 << 20;

/// More local steps than this do not fit a plan.
const MAX_STEPS: usize = 256;

impl Protocol {
    /// Local steps of the client with the most pictures; 1 for a gradient.
    pub fn steps(&self) -> usize {
        self.local.map_or(1, |l| l.steps)
    }

    /// What the mean gradient of a picture is multiplied by in what is sent of `pictures` in all: for an update
    /// Δ = θ_local − θ_server −η times what the optimiser's directions sum to, for a gradient 1, or the pictures where
    /// the loss sums over them.
    pub fn scale(&self, pictures: usize) -> f64 {
        let gain = self.clients.weighted(pictures, |each| self.gain(each));
        self.local.map_or(gain, |l| -l.learning_rate * gain)
    }

    /// What a running statistic keeps of its value through local training, in the mean over the clients.
    pub fn kept(&self, momentum: f64) -> f64 {
        let steps = |each| self.local.map_or(1, |local| local.steps_of(each));
        match &self.clients {
            Shares::Equal(_) => (1.0 - momentum).powi(self.steps() as i32),
            sizes => sizes.weighted(sizes.least(), |each| (1.0 - momentum).powi(steps(each) as i32)),
        }
    }

    /// What the directions of a client's steps sum to for gradients that all are one picture's mean.
    pub(super) fn gain(&self, each: usize) -> f64 {
        let steps = self.local.map_or(1, |local| local.steps_of(each));
        if steps > MAX_STEPS {
            return steps as f64;
        }
        let lengths = self.batches(each).into_iter().map(|(_, count)| self.loss.size(count));
        self.local.map_or(LocalOptimiser::Sgd, |l| l.optimiser).gain(lengths)
    }

    /// The pictures of each local step of a client that has `count`: first and number.
    pub fn batches(&self, count: usize) -> Vec<(usize, usize)> {
        let Some(local) = self.local else { return vec![(0, count)] };
        let each = local.batch.max(1);
        let slice = |step: usize| {
            let start = step % count.div_ceil(each).max(1) * each;
            (start, local.batch.min(count - start))
        };
        (0..local.steps_of(count)).map(slice).collect()
    }

    /// Whether `batch` pictures in all can be trained on so.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self, batch: usize) -> Result<(), ProtocolError> {
        if !(1..=MAX_BATCH).contains(&batch) {
            return Err(ProtocolError::Batch { batch });
        }
        if !self.clients.fits(batch) {
            let clients = self.clients.clone();
            return Err(match clients.pictures() {
                None => ProtocolError::Clients { batch, clients },
                Some(expected) => ProtocolError::Sizes { batch, clients, expected },
            });
        }
        if let Some(local @ Local { batch: each, learning_rate, weight_decay, .. }) = self.local {
            let steps = self.clients.sizes(batch).into_iter().map(|count| local.steps_of(count));
            if let Some(found) = steps.chain([local.steps]).find(|steps| !(1..=MAX_STEPS).contains(steps)) {
                return Err(ProtocolError::Steps { found });
            }
            if each == 0 {
                return Err(ProtocolError::LocalBatch);
            }
            if !learning_rate.is_finite() || learning_rate <= 0.0 {
                return Err(ProtocolError::Rate { found: learning_rate });
            }
            if !weight_decay.is_finite() || weight_decay < 0.0 {
                return Err(ProtocolError::Decay { found: weight_decay });
            }
        }
        match self.example_clip {
            Some(limit) if !(limit.is_finite() && limit > 0.0) => Err(ProtocolError::Limit { found: limit }),
            Some(_) if self.mode == Mode::Train => Err(ProtocolError::ClippedInTrainMode),
            Some(_) if matches!(self.loss, ClientLoss::Sum | ClientLoss::Weights(_)) => {
                Err(ProtocolError::ClippedSum { loss: self.loss.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Why a client cannot train so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProtocolError {
    /// No pictures, or more than a plan takes.
    #[error("expected 1 to {MAX_BATCH} pictures, found {batch}")]
    Batch {
        /// Pictures in all.
        batch: usize,
    },
    /// The user gave a number of clients that does not divide the pictures.
    #[error("--clients: {batch} pictures do not divide among {clients}")]
    Clients {
        /// Pictures in all.
        batch: usize,
        /// As `--clients` was given.
        clients: Shares,
    },
    /// The sizes that the user gave do not add up to the pictures.
    #[error("--clients {clients}: expected {expected} pictures in all, found {batch}")]
    Sizes {
        /// Pictures in all.
        batch: usize,
        /// As `--clients` was given.
        clients: Shares,
        /// Their sum.
        expected: usize,
    },
    /// The user gave no steps, or too many.
    #[error("--local-steps: expected 1 to {MAX_STEPS}, found {found}")]
    Steps {
        /// What was given.
        found: usize,
    },
    /// The user gave steps of no pictures.
    #[error("--local-batch: expected 1 or more, found 0")]
    LocalBatch,
    /// The user gave a learning rate that is not a number above 0.
    #[error("--local-lr: expected a rate > 0, found {found}")]
    Rate {
        /// What was given.
        found: f64,
    },
    /// The user gave a weight decay that is negative or not finite.
    #[error("--weight-decay: expected a number of 0 or above, found {found}")]
    Decay {
        /// What was given.
        found: f64,
    },
    /// The loss does not go with the rest of the protocol; the text says why.
    #[error("--loss: {0}")]
    Loss(String),
    /// DP-SGD's clipping was asked for with a loss that is a sum.
    #[error("clipping per example is for a mean over the pictures, found --loss {loss}")]
    ClippedSum {
        /// The loss.
        loss: ClientLoss,
    },
    /// The user gave a clipping norm that is not a number above 0.
    #[error("clipping per example: expected a norm > 0, found {found}")]
    Limit {
        /// What was given.
        found: f64,
    },
    /// DP-SGD's clipping was asked for with batch norm in train mode.
    #[error(
        "clipping per example needs batch norm in eval mode: in train mode a picture has no gradient of its own"
    )]
    ClippedInTrainMode,
    /// DP-SGD was given behind another defence.
    #[error("dp-sgd clips each picture's gradient: it comes first")]
    DpSgdBehind,
    /// DP-SGD was asked for with local training or several clients.
    #[error("dp-sgd is for the gradient of one step of one client")]
    DpSgdAlone,
    /// A defence that does not go with the victim or the protocol.
    #[error("expected {expected}, found '{found}'")]
    Defence {
        /// What would.
        expected: &'static str,
        /// The defence.
        found: Defence,
    },
}
