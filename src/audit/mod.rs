//! One experiment whole: who the clients are, how they protect themselves, who listens and what that eavesdropper does.
//! From here, everything that a command prints can be called.
//!
//! The way is capture ([`Audit::capture`], or files: [`GradientFiles`]) → attack ([`Audit::invert`]) → names ([`naming`]) →
//! report.

mod advised;
mod attack;
mod batch_size;
mod capture;
mod clients;
mod doubts;
mod error;
mod examples;
mod feature_names;
mod film;
mod generator;
mod generator_choice;
mod guidance;
mod judged;
mod knowledge;
pub mod layer_files;
mod likeness;
mod made;
mod membership;
pub mod naming;
mod network;
mod normalisation;
mod observe;
mod page;
mod page_readers;
pub mod public;
mod rehearsal;
mod report;
mod rounds;
mod send;
pub mod sent;
mod skipped;
mod stages;
mod training;
mod validity;
pub mod verdict;

pub use attack::Outcome;
pub use capture::Captured;
pub use clients::{ClientBatch, Clients, read_batches, read_pictures};
pub use error::AuditError;
pub use examples::{OwnFeatures, examples_use};
pub use feature_names::FeatureNames;
pub use film::Frame;
pub use generator::{GeneratorInfo, generator_of, read_generator, write_generator};
pub use generator_choice::{GeneratorChoice, builtin_generator, choose_generator};
pub use guidance::{EncodedMeanings, Meanings, guidable};
pub use judged::Judged;
pub use likeness::features_of_pictures;
pub use made::{MadeDistance, made_distance, sample_sheet};
pub use membership::{Candidate, Membership, Suspects};
pub use naming::NamingModel;
pub use network::{DEFAULT_ARCHITECTURE, Known, Network};
pub use normalisation::{SaidNormalisation, choose_normalisation};
pub use observe::{GradientFiles, Observation, Said, check_labels};
pub use public::Public;
pub use rehearsal::Rehearsal;
pub use report::{Circumstances, Findings, captions};
pub use rounds::check_rounds;
pub use send::{Message, send};
pub use sent::note_positions;
pub use skipped::{Attacked, Readable, ZERO};
pub use training::{Training, read_loss};

use std::sync::Arc;

use crate::{
    attack::{
        checkpoint::Checkpoints,
        config::{AttackConfig, StatisticsTarget},
        generated::Prior,
        threat::ThreatModel,
    },
    data::Normalisation,
    federated::{Protocol, Victim, defence::Defence},
};

/// Everything that decides what is sent and how it is attacked.
#[derive(Clone)]
pub struct Audit {
    /// What client and eavesdropper share.
    pub victim: Victim,
    /// What the client does before it sends.
    pub protocol: Protocol,
    /// How the client protects what it sends, in this order.
    pub defences: Vec<Defence>,
    /// The eavesdropper knows the defences and adapts to them.
    pub adaptive: bool,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: Normalisation,
    /// The attack, with every choice made.
    pub attack: AttackConfig,
    /// What a generator that others trained makes pictures look like; see [`read_generator`].
    pub generator: Option<Prior>,
    /// Restarts of each attack.
    pub restarts: usize,
    /// The eavesdropper is given the labels.
    pub labels_given: bool,
    /// What the eavesdropper may know; `None`: whatever the attack uses.
    pub threat_model: Option<ThreatModel>,
    /// Of noise, starts and all else that is drawn.
    pub seed: u64,
    /// The first batch's number among all that share the seed: 0 but where only a part of them is attacked.
    pub first: usize,
    /// Where attacks leave how far they have come, and go on from.
    pub checkpoints: Option<Arc<Checkpoints>>,
}

impl Audit {
    /// One client's gradient, undefended; the eavesdropper is told nothing that this attack does not use.
    pub fn new(victim: Victim, attack: AttackConfig) -> Audit {
        Audit {
            normalisation: Normalisation::default().for_channels(victim.image_shape()[0]),
            victim,
            protocol: Protocol::default(),
            defences: vec![],
            adaptive: false,
            attack,
            generator: None,
            restarts: 1,
            labels_given: false,
            threat_model: None,
            seed: 42,
            first: 0,
            checkpoints: None,
        }
    }

    /// Whether the attack draws on batch-norm statistics of the client's own batch.
    pub fn wants_statistics(&self) -> bool {
        self.victim.has_batch_norm()
            && self.attack.batch_norm != 0.0
            && self.attack.batch_norm_target == StatisticsTarget::Batch
    }
}
