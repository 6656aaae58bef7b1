//! One cell: its batches are captured, attacked, compared and named.

use std::{collections::BTreeSet, time::Instant};

use anyhow::Context;

use super::victims::{NamedDefence, SweptVictim, Task};
use crate::{
    attack::{
        AttackError,
        labels::{LabelError, LabelMetrics},
    },
    audit::{Audit, AuditError, ClientBatch, Clients, Outcome, read_batches},
    cli::{
        misuse, naming_options::NamingOptions, note, options::NormalisationOptions, progress::Terminal,
        threat_options::ThreatOptions,
    },
    clip::zero_shot::Namer,
    data::{BatchRule, Dataset},
    device::Device,
    metrics::{compare, flat_grey_floor, noise_like},
    semantic::ClassOrder,
    sweep::{BatchRecord, Figures, Finished, Record, Skipped, Timing},
};

/// What all cells share.
pub struct Laboratory<'a> {
    pub device: &'a dyn Device,
    pub dataset: &'a Dataset,
    pub rule: BatchRule,
    pub normalisation: &'a NormalisationOptions,
    pub threat: &'a ThreatOptions,
    pub naming: &'a NamingOptions,
    /// `None`: nothing is named.
    pub namer: Option<Namer<'a>>,
    pub adaptive: bool,
    /// Batches of an aggregation.
    pub together: usize,
    /// What was said already.
    pub notes: BTreeSet<String>,
}

impl Laboratory<'_> {
    /// Computes a cell.
    pub fn measure(
        &mut self,
        task: &Task,
        swept: &SweptVictim,
        defence: &NamedDefence,
    ) -> anyhow::Result<Finished> {
        let began = Instant::now();
        let cell = &task.cell;
        let seed = cell.seed;
        let mut audit = swept.audit(seed, self.dataset)?;
        let order = ClassOrder::shuffled(audit.victim.model.classes, seed);
        let chosen = choose(self.dataset, self.rule, cell.batch_size, swept.settings.batches, seed)?;
        let batches = read_batches(self.dataset, &audit.victim, chosen)?;
        let clients = Clients::new(self.dataset, &mut audit.victim, order, batches)?;
        audit.protocol = swept.protocol(cell.batch_size)?;
        audit.normalisation = self.normalisation.open(audit.victim.image_shape()[0], None)?;
        audit.threat_model = self.threat.open()?;
        audit.defences = defence.defences.clone();
        audit.adaptive = self.adaptive && !defence.defences.is_empty();
        let attacked = attack(&audit, self.device, clients)?;
        for Skipped { batch, reason } in &attacked.skipped {
            note(&format!("{cell}: batch {batch} is left out: {reason}"));
        }
        let mut record = Record {
            cell: cell.clone(),
            iterations: swept.config.iterations,
            trials: swept.settings.attack.trials,
            batches: vec![],
            skipped: attacked.skipped,
            figures: Figures::of(&[]),
            naming: None,
        };
        let mut milliseconds = 0.0;
        if let Some(outcome) = attacked.outcome {
            let clients = attacked.clients;
            milliseconds = outcome.timing.milliseconds_per_iteration_and_trial;
            record.batches = records(&attacked.numbers, &clients.batches, &outcome, &audit)?;
            record.figures = Figures::of(&record.batches);
            if let Some((naming, named)) = self.name(&audit, &clients, &outcome)? {
                record.naming = Some(naming);
                record.batches.iter_mut().zip(named).for_each(|(batch, named)| batch.named = named);
            }
        }
        let timing = Timing {
            seconds: began.elapsed().as_secs_f64(),
            milliseconds_per_iteration_and_trial: milliseconds,
        };
        Ok(Finished { record, timing })
    }
}

/// The batches of a seed and size: the same for every victim and defence, so that these can be compared in pairs.
pub fn choose(
    dataset: &Dataset,
    rule: BatchRule,
    batch_size: usize,
    batches: usize,
    seed: u64,
) -> anyhow::Result<Vec<Vec<usize>>> {
    dataset
        .random_batches(batch_size, batches, rule, seed)
        .map_err(|error| misuse(format!("--batch-sizes {batch_size} × --batches {batches}: {error}")))
}

/// What can be attacked, and what became of it.
struct Attacked {
    /// Absent where no batch could be attacked.
    outcome: Option<Outcome>,
    /// Those that were.
    clients: Clients,
    numbers: Vec<usize>,
    skipped: Vec<Skipped>,
}

/// Attacks all batches; those that cannot be attacked, such as one whose gradient is 0, are left out.
fn attack(audit: &Audit, device: &dyn Device, mut clients: Clients) -> anyhow::Result<Attacked> {
    let mut numbers: Vec<usize> = (0..clients.batches.len()).collect();
    let mut skipped = vec![];
    while !clients.batches.is_empty() {
        let error = match audit.run(device, &clients.batches, None, &Terminal) {
            Ok(outcome) => return Ok(Attacked { outcome: Some(outcome), clients, numbers, skipped }),
            Err(error) => error,
        };
        let target = match &error {
            AuditError::Attack(
                AttackError::ZeroGradient { target }
                | AttackError::NotFinite { target }
                | AttackError::Labels {
                    target,
                    cause:
                        LabelError::NotFinite { .. }
                        | LabelError::ZeroGradient
                        | LabelError::NoNegative { .. }
                        | LabelError::NotConverged { .. },
                },
            ) => *target,
            _ => return Err(error.into()),
        };
        clients.batches.remove(target);
        skipped.push(Skipped { batch: numbers.remove(target), reason: error.to_string() });
    }
    Ok(Attacked { outcome: None, clients, numbers, skipped })
}

fn records(
    numbers: &[usize],
    batches: &[ClientBatch],
    outcome: &Outcome,
    audit: &Audit,
) -> anyhow::Result<Vec<BatchRecord>> {
    let finite = |value: f32| Some(f64::from(value)).filter(|v| v.is_finite());
    let record = |i: usize| {
        let (batch, found) = (&batches[i], &outcome.found[i]);
        let mut record = BatchRecord {
            batch: numbers[i],
            pictures: batch.indices.clone(),
            true_labels: batch.labels.clone(),
            labels: found.labels.clone(),
            client_loss: finite(outcome.losses[i]),
            objective: finite(found.best().objective),
            ..BatchRecord::default()
        };
        record.set_labels(LabelMetrics::of(&found.labels, &batch.labels, audit.victim.model.classes));
        let noise = noise_like(&batch.pictures, audit.seed.wrapping_add(numbers[i] as u64));
        record.set_pictures(
            &compare(&batch.pictures, &outcome.pictures[i])?,
            &flat_grey_floor(&batch.pictures)?,
            &compare(&batch.pictures, &noise)?,
        );
        Ok(record)
    };
    (0..batches.len()).map(record).collect()
}

/// Opens every victim once, so that what is wrong with one shows before anything is computed; their names, and what
/// tells their files from others.
pub fn check_victims(
    victims: &[SweptVictim],
    dataset: &Dataset,
    seed: u64,
    mut check: impl FnMut(&mut Audit) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<(String, String)>> {
    let largest = dataset.labels().iter().max().copied().unwrap_or(0);
    let one = |swept: &SweptVictim| {
        let mut audit = swept.audit(seed, dataset)?;
        let classes = audit.victim.model.classes;
        if largest >= classes {
            return Err(misuse(format!(
                "data set {} has label {largest}, {} has {classes} classes",
                dataset.name,
                audit.victim.model.describe()
            )));
        }
        for &size in &swept.batch_sizes {
            audit.protocol = swept.protocol(size).with_context(|| format!("batches of {size}"))?;
            check(&mut audit)?;
        }
        let victim = audit.victim;
        let fingerprint = match swept.settings.victim.weights {
            Some(_) => victim.fingerprint(),
            None => "by seed".into(),
        };
        let [channels, height, width] = victim.image_shape();
        let facts = format!("{channels}×{height}×{width}, {classes} classes, weights {fingerprint}");
        Ok((victim.model.describe(), facts))
    };
    victims.iter().map(one).collect()
}
