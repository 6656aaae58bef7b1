//! What a sweep compares: victims, and what protects their clients.

use std::path::PathBuf;

use super::{Cell, UNDEFENDED, UNTRAINED};
use crate::{
    attack::{config::AttackConfig, generated::Prior},
    audit::{AuditError, Known, Network},
    data::Dataset,
    federated::{Protocol, Request, Victim, VictimError, defence::Defence},
    nn::architecture::depth,
};

/// Batches of a size that are attacked side by side, where nothing else is said.
const BATCHES: usize = 8;

/// A victim of a sweep, and how it is attacked.
#[derive(Clone, Debug)]
pub struct SweptVictim {
    /// Which network, with which options.
    pub request: Request,
    /// `None`: it is initialised by the seed of each cell.
    pub weights: Option<PathBuf>,
    /// At least one.
    pub sizes: Vec<Size>,
    /// Of each size and seed.
    pub batches: usize,
    /// Whether the eavesdropper is told the labels.
    pub labels_given: bool,
    /// The attack, with every choice made.
    pub config: AttackConfig,
    /// What its pictures are made by, where others trained it.
    pub generator: Option<Prior>,
    /// Restarts of each attack.
    pub trials: usize,
}

/// A batch size.
#[derive(Clone, Debug)]
pub struct Size {
    /// `B`
    pub batch: usize,
    /// What clients of such batches do.
    pub protocol: Protocol,
}

/// What a client applies, in order, and what that is called.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedDefence {
    /// As tables and the command line write it.
    pub name: String,
    /// In the order in which they are applied; empty: none.
    pub defences: Vec<Defence>,
}

/// A cell, and which victim, size and defence it has.
#[derive(Clone, Debug)]
pub struct Task {
    /// Place among the sweep's victims.
    pub victim: usize,
    /// Place among the victim's sizes.
    pub size: usize,
    /// Place among the sweep's defences.
    pub defence: usize,
    /// What is measured, by name.
    pub cell: Cell,
}

impl SweptVictim {
    /// Of this architecture for this data set's pictures, untrained, attacked by this preset at these batch sizes.
    ///
    /// # Errors
    /// No such architecture or preset.
    pub fn untrained(
        architecture: &str,
        preset: &str,
        dataset: &Dataset,
        sizes: impl IntoIterator<Item = usize>,
    ) -> Result<SweptVictim, AuditError> {
        let network = Network { architecture: Some(architecture.into()), ..Network::default() };
        let size = |batch| Size { batch, protocol: Protocol::default() };
        let config = AttackConfig::preset(preset, depth(architecture)).map_err(AuditError::misuse)?;
        Ok(SweptVictim {
            request: network.request(&Known::of_data(dataset))?,
            weights: None,
            sizes: sizes.into_iter().map(size).collect(),
            batches: BATCHES,
            labels_given: false,
            config,
            generator: None,
            trials: 1,
        })
    }

    /// The victim with its weights: those of the file, or drawn by the seed.
    pub fn open(&self, seed: u64) -> Result<Victim, VictimError> {
        match &self.weights {
            Some(path) => Victim::from_file(path, &self.request),
            None => Victim::from_seed(&self.request, seed),
        }
    }

    /// [`UNTRAINED`], or the file as it was given.
    pub(super) fn training(&self) -> String {
        self.weights.as_ref().map_or(UNTRAINED.into(), |path| path.display().to_string())
    }

    /// How much work a cell is, compared with others of the victim.
    pub(super) fn work(&self, batch_size: usize) -> f64 {
        (batch_size * self.batches * self.trials) as f64 * self.config.iterations as f64
    }
}

impl NamedDefence {
    /// Of a client that has none.
    pub fn none() -> NamedDefence {
        NamedDefence { name: UNDEFENDED.into(), defences: vec![] }
    }
}

impl From<Vec<Defence>> for NamedDefence {
    fn from(defences: Vec<Defence>) -> Self {
        if defences.is_empty() {
            return NamedDefence::none();
        }
        let names: Vec<String> = defences.iter().map(ToString::to_string).collect();
        NamedDefence { name: names.join(","), defences }
    }
}
