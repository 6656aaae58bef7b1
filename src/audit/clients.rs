//! What the clients have and the eavesdropper does not: pictures, their labels, and what the labels mean.

use std::collections::BTreeSet;

use super::{Audit, AuditError, Known, Network};
use crate::{
    attack::{config::AttackConfig, invert::Reconstruction, labels::LabelMetrics},
    data::{BatchRule, Dataset, Picture},
    device::host,
    federated::Victim,
    semantic::ClassOrder,
};

/// Most pictures of no client that are kept.
const OTHERS: usize = 99;

/// One client's batch.
#[derive(Clone, Debug)]
pub struct ClientBatch {
    /// `B`: places in the data set.
    pub indices: Vec<usize>,
    /// `B`, fitted to the victim's input.
    pub pictures: Vec<Picture>,
    /// `B`: class indices.
    pub labels: Vec<usize>,
}

/// All clients of an audit.
#[derive(Clone, Debug)]
pub struct Clients {
    /// `M`
    pub batches: Vec<ClientBatch>,
    /// `K`: what each class index means, where the data set says so.
    pub names: Vec<Option<String>>,
    /// From the data set's labels to class indices.
    pub order: ClassOrder,
    /// What a report calls the data set.
    pub data: String,
    /// Pictures that no client holds, fitted to the victim's input: what reconstructions are held against.
    pub others: Vec<Picture>,
}

impl Clients {
    /// Gives victim and labels this order of the classes. `batches`: with the data set's labels.
    ///
    /// # Errors
    /// Memory cannot hold what these clients send.
    pub fn new(
        dataset: &Dataset,
        victim: &mut Victim,
        order: ClassOrder,
        mut batches: Vec<ClientBatch>,
    ) -> Result<Clients, AuditError> {
        order.apply(victim);
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let mut clients = Clients {
            names: order.names(&dataset.class_names),
            batches,
            order,
            data: dataset.name.clone(),
            others: vec![],
        };
        let others = clients.strangers(dataset, OTHERS, false);
        clients.others = read_pictures(dataset, victim, &others)?;
        Ok(clients)
    }

    /// `B`; all batches are as large. 0 without any.
    pub fn batch(&self) -> usize {
        self.batches.first().map_or(0, |batch| batch.labels.len())
    }

    /// Whether some batch holds this class index.
    pub fn hold(&self, index: usize) -> bool {
        self.batches.iter().any(|batch| batch.labels.contains(&index))
    }

    /// As many pictures as a batch has, of no batch and none of its classes: what one batch alone is held against.
    ///
    /// # Errors
    /// What [`read_pictures`] refuses.
    pub fn unrelated(&self, dataset: &Dataset, victim: &Victim) -> Result<Vec<Picture>, AuditError> {
        let others = self.strangers(dataset, self.batch(), true);
        read_pictures(dataset, victim, &others)
    }

    /// Places of up to `most` pictures that no batch holds; with `other_classes`, none of a class that a batch holds.
    pub fn strangers(&self, dataset: &Dataset, most: usize, other_classes: bool) -> Vec<usize> {
        let used: BTreeSet<usize> = self.batches.iter().flat_map(|b| b.indices.iter().copied()).collect();
        let held =
            |label: usize| self.order.labels().iter().position(|&l| l == label).is_some_and(|i| self.hold(i));
        let foreign = |&i: &usize| !other_classes || dataset.label(i).is_ok_and(|label| !held(label));
        (0..dataset.len()).filter(|i| !used.contains(i)).filter(foreign).take(most).collect()
    }

    /// The first batches alone.
    pub fn first(self, batches: usize) -> Clients {
        Clients { batches: self.batches.into_iter().take(batches).collect(), ..self }
    }

    /// All pictures, batch after batch.
    pub fn originals(&self) -> Vec<Picture> {
        self.batches.iter().flat_map(|batch| batch.pictures.clone()).collect()
    }
}

impl Audit {
    /// The audit of an untrained victim for this data set's pictures, by a preset.
    ///
    /// # Errors
    /// An architecture or a preset that there is not.
    pub fn untrained(
        architecture: &str,
        preset: &str,
        dataset: &Dataset,
        seed: u64,
    ) -> Result<Audit, AuditError> {
        let network = Network { architecture: Some(architecture.into()), ..Network::default() };
        let victim = Victim::from_seed(&network.request(&Known::of_data(dataset))?, seed)?;
        let attack = AttackConfig::preset(preset, victim.model.depth()).map_err(AuditError::misuse)?;
        Ok(Audit { seed, ..Audit::new(victim, attack) })
    }

    /// `batches` clients with `batch` pictures each, from the data set's first picture on; the order of class indices is
    /// drawn, for the victim too, so that an index means nothing by its place.
    ///
    /// # Errors
    /// The data set has too few pictures, or classes that the victim has not.
    pub fn clients(
        &mut self,
        dataset: &Dataset,
        batch: usize,
        batches: usize,
    ) -> Result<Clients, AuditError> {
        let chosen = dataset.batches(batch, batches, BatchRule::Any)?;
        let batches = read_batches(dataset, &self.victim, chosen)?;
        let order = ClassOrder::shuffled(self.victim.model.classes, self.seed);
        Clients::new(dataset, &mut self.victim, order, batches)
    }

    /// How well labels were restored, mean over the batches.
    pub fn label_metrics(&self, found: &[Reconstruction], batches: &[ClientBatch]) -> LabelMetrics {
        let classes = self.victim.model.classes;
        let pairs = found.iter().zip(batches);
        let all: Vec<LabelMetrics> =
            pairs.map(|(f, b)| LabelMetrics::of(&f.labels, &b.labels, classes)).collect();
        LabelMetrics::mean(&all)
    }
}

/// Batches of these indices, with the data set's own labels.
///
/// # Errors
/// Folders of other classes than the victim's, and labels that it has not.
pub fn read_batches(
    dataset: &Dataset,
    victim: &Victim,
    chosen: Vec<Vec<usize>>,
) -> Result<Vec<ClientBatch>, AuditError> {
    dataset.check_classes(victim.model.classes).map_err(AuditError::misuse)?;
    let label = |&i: &usize| match (dataset.label(i)?, victim.model.classes) {
        (label, classes) if label >= classes => Err(AuditError::Misuse(format!(
            "picture {i} of {} has label {label}, the victim has {classes} classes",
            dataset.name
        ))),
        (label, _) => Ok(label),
    };
    let read = |indices: Vec<usize>| {
        let labels = indices.iter().map(label).collect::<Result<Vec<_>, _>>()?;
        let pictures = read_pictures(dataset, victim, &indices)?;
        Ok(ClientBatch { indices, pictures, labels })
    };
    chosen.into_iter().map(read).collect()
}

/// The pictures of these indices, as the victim's input.
pub fn read_pictures(
    dataset: &Dataset,
    victim: &Victim,
    indices: &[usize],
) -> Result<Vec<Picture>, AuditError> {
    Ok(indices.iter().map(|&i| dataset.picture_as(i, victim.image_shape())).collect::<Result<_, _>>()?)
}
