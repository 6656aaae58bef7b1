//! What clients with public pictures would send: gradients of known names, on which an eavesdropper learns what a lead is worth.

use std::collections::BTreeSet;

use rand::{RngExt, seq::SliceRandom};

use super::{Audit, AuditError, Captured, ClientBatch, Public, Readable};
use crate::{
    attack::{
        exact::{inputs::LayerInputs, layers::linear_layers},
        invert::Target,
    },
    device::Device,
    metrics::assign::largest_sum,
    random,
    watch::Watch,
};

/// Gradients of public pictures.
pub struct Rehearsal {
    /// What was sent.
    pub targets: Vec<Target>,
    /// Of each: the labels that an attack restores.
    pub labels: Vec<Vec<usize>>,
    /// Of each: the labels that it has.
    pub true_labels: Vec<Vec<usize>>,
    /// By class index: the place of what it means among the names.
    pub names: Vec<Option<usize>>,
}

impl Audit {
    /// Gradients of batches that are made up as these are, of public pictures: as many of each label as they have, of names drawn
    /// by seed. Class indices mean what the model alone says that they mean.
    ///
    /// # Errors
    /// Public pictures of too few names, and what the clients' training refuses.
    pub fn rehearse(
        &self,
        device: &dyn Device,
        public: &Public,
        like: &[Vec<usize>],
        gradients: usize,
        watch: &dyn Watch,
    ) -> Result<Rehearsal, AuditError> {
        let index_of = self.index_of(device, public)?;
        let mut own = vec![vec![]; public.names];
        for (place, (name, _)) in public.pictures.iter().enumerate() {
            own[*name].push(place);
        }
        let mut names: Vec<usize> =
            (0..public.names).filter(|&name| index_of[name].is_some() && !own[name].is_empty()).collect();
        let mut generator = random::generator(self.seed, "rehearsal");
        let mut batches = vec![];
        for labels in (0..gradients).map(|i| &like[i % like.len()]) {
            let distinct: Vec<usize> = labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            if names.len() < distinct.len() {
                return Err(AuditError::Misuse(format!(
                    "public pictures show {} names, a batch has {}",
                    names.len(),
                    distinct.len()
                )));
            }
            names.shuffle(&mut generator);
            let name_of = |label: &usize| names[distinct.binary_search(label).expect("it is one of them")];
            let mut batch = ClientBatch { indices: vec![], pictures: vec![], labels: vec![] };
            for label in labels {
                let name = name_of(label);
                let place = own[name][generator.random_range(0..own[name].len())];
                batch.indices.push(place);
                batch.pictures.push(public.pictures[place].1.clone());
                batch.labels.push(index_of[name].expect("it has one"));
            }
            batches.push(batch);
        }
        // An eavesdropper who knows no defence rehearses without one; and nothing of this is any client's.
        let defences = if self.adaptive { self.defences.clone() } else { vec![] };
        let as_sent = Audit { defences, first: 0, ..self.clone() };
        let Captured { targets, .. } = as_sent.capture(device, &batches, watch)?;
        let (Readable { targets, kept, .. }, known) = self.readable(batches[0].labels.len(), targets)?;
        let mut by_index = vec![None; self.victim.model.classes];
        for (name, index) in index_of.iter().enumerate() {
            if let Some(index) = index {
                by_index[*index] = Some(name);
            }
        }
        Ok(Rehearsal {
            targets,
            labels: known.into_iter().map(Option::unwrap_or_default).collect(),
            true_labels: kept.iter().map(|&i| batches[i].labels.clone()).collect(),
            names: by_index,
        })
    }

    /// The class index that each name has by the model alone; of an untrained one any.
    fn index_of(&self, device: &dyn Device, public: &Public) -> Result<Vec<Option<usize>>, AuditError> {
        let last = linear_layers(&self.victim).len() - 1;
        let mut inputs = LayerInputs::new(device, &self.victim, last, public.len())?;
        let features = self.public_features(&mut inputs, public, false)?;
        let (names, classes) = (public.names, self.victim.model.classes);
        let shares = self.shares(&features, public);
        let of = |name: usize, index: usize| shares[name * classes + index];
        let mut found = vec![None; names];
        if names <= classes {
            let weights: Vec<f64> =
                (0..names).flat_map(|n| (0..classes).map(move |i| (n, i))).map(|(n, i)| of(n, i)).collect();
            for (name, index) in largest_sum(names, classes, &weights).into_iter().enumerate() {
                found[name] = Some(index);
            }
        } else {
            let weights: Vec<f64> =
                (0..classes).flat_map(|i| (0..names).map(move |n| (n, i))).map(|(n, i)| of(n, i)).collect();
            for (index, name) in largest_sum(classes, names, &weights).into_iter().enumerate() {
                found[name] = Some(index);
            }
        }
        Ok(found)
    }
}
