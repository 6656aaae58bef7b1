//! What label indices are taken to mean, for an attack that draws pictures towards it.

use std::collections::BTreeMap;

use super::{AuditError, NamingModel};
use crate::{
    attack::{
        config::{AttackConfig, LabelStrategy, Optimiser},
        guidance::{Guide, Hypothesis},
    },
    device::Device,
    report::GuidanceRecord,
    watch::Watch,
};

/// Label indices and the names that guide their pictures.
#[derive(Clone, Debug)]
pub struct Meanings {
    /// Whether they are the truth, of which an eavesdropper knows nothing.
    pub oracle: bool,
    /// By label index.
    pub names: BTreeMap<usize, String>,
}

impl Meanings {
    /// The truth; `names`: by index.
    pub fn oracle(names: &[Option<String>]) -> Meanings {
        let named = names.iter().enumerate();
        let names = named.filter_map(|(index, name)| Some((index, name.clone()?))).collect();
        Meanings { oracle: true, names }
    }

    /// Leaves out the names of indices that are not in use.
    pub fn only(mut self, used: impl Fn(usize) -> bool) -> Meanings {
        self.names.retain(|&index, _| used(index));
        self
    }

    /// Encodes the names, so that what is wrong with one shows before anything is attacked.
    pub fn encoded<'c>(
        self,
        model: &'c NamingModel,
        device: &dyn Device,
        watch: &dyn Watch,
    ) -> Result<EncodedMeanings<'c>, AuditError> {
        let mut distinct: Vec<String> = self.names.values().cloned().collect();
        distinct.sort();
        distinct.dedup();
        let vectors = model.encode(device, &distinct, "--guide", watch)?;
        let row = |name: &String| distinct.binary_search(name).expect("it was encoded");
        let hypothesis = self.names.iter().map(|(&index, name)| (index, row(name))).collect();
        let width = vectors.len() / distinct.len().max(1);
        Ok(EncodedMeanings { meanings: self, hypothesis, vectors, width, model })
    }
}

/// Names as vectors.
pub struct EncodedMeanings<'c> {
    meanings: Meanings,
    hypothesis: Hypothesis,
    /// `(N,E)`
    vectors: Vec<f32>,
    /// `E`
    width: usize,
    model: &'c NamingModel,
}

impl EncodedMeanings<'_> {
    /// For each target the one hypothesis; the oracle's without labels that the target does not have, by `known`.
    pub fn hypotheses(&self, known: &[Vec<usize>]) -> Vec<Vec<Hypothesis>> {
        let of = |labels: &Vec<usize>| {
            let mut hypothesis = self.hypothesis.clone();
            hypothesis.retain(|label, _| !self.meanings.oracle || labels.contains(label));
            vec![hypothesis]
        };
        known.iter().map(of).collect()
    }

    /// What the attack is given: the names as vectors, and the hypotheses of each target.
    pub fn guide<'a>(&'a self, hypotheses: &'a [Vec<Hypothesis>]) -> Guide<'a> {
        Guide {
            encoder: &*self.model.encoder,
            names: &self.vectors,
            width: self.width,
            hypotheses,
            oracle: self.meanings.oracle,
        }
    }

    /// What the report says of it.
    pub fn record(&self) -> GuidanceRecord {
        GuidanceRecord {
            by: if self.meanings.oracle { "oracle" } else { "names" },
            names: self.meanings.names.clone(),
            model: self.model.encoder.model(),
            note: None,
        }
    }
}

/// Refuses attacks that cannot be guided.
pub fn guidable(config: &AttackConfig) -> Result<(), AuditError> {
    if !matches!(config.optimiser, Optimiser::Adam { .. }) {
        return Err(AuditError::Misuse(format!(
            "guidance by names needs Adam: preset {} uses L-BFGS; ig, yin and modern can be guided",
            config.preset
        )));
    }
    match config.labels {
        LabelStrategy::Joint => Err(AuditError::misuse(
            "guidance by names needs labels before the attack: --restore-labels joint learns them with it",
        )),
        _ => Ok(()),
    }
}
