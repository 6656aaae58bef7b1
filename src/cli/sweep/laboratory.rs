//! One cell: its batches are captured, attacked, compared and named.

use std::{collections::BTreeSet, time::Instant};

use anyhow::Context;

use super::victims::{NamedDefence, SweptVictim, Task};
use crate::{
    attack::{
        AttackError,
        labels::{LabelError, LabelMetrics},
        threat::Setup,
    },
    cli::{
        data_options::DataOptions,
        experiment::{ClientBatch, Experiment, Outcome, read_batches},
        misuse,
        naming_options::NamingOptions,
        note,
        options::NormalisationOptions,
        run::LabelKnowledge,
        threat_options::ThreatOptions,
    },
    clip::zero_shot::Namer,
    data::{BatchRule, Dataset, Picture},
    device::{Device, host},
    federated::{Protocol, Victim},
    metrics::{compare, flat_grey_floor},
    report::noise_like,
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
        let mut victim = swept.settings.victim.open(seed, &DataOptions::known(self.dataset))?;
        let order = ClassOrder::shuffled(victim.model.classes, seed);
        order.apply(&mut victim);
        let chosen = choose(self.dataset, self.rule, cell.batch_size, swept.settings.batches, seed)?;
        let mut batches = read_batches(self.dataset, &victim, chosen)?;
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let protocol = swept.protocol(cell.batch_size)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let adaptive = self.adaptive && !defence.defences.is_empty();
        let labels_given = swept.settings.labels == LabelKnowledge::Given;
        let threat = self.threat.check(&Setup {
            config: &swept.config,
            protocol: &protocol,
            labels_given,
            adaptive,
            batch_norm: victim.has_batch_norm(),
        })?;
        let experiment = Experiment {
            device: self.device,
            victim: &victim,
            protocol: &protocol,
            normalisation: &normalisation,
            config: &swept.config,
            threat: &threat,
            batches: &batches,
            defences: &defence.defences,
            adaptive,
            labels_given,
            restarts: swept.settings.attack.trials,
            seed,
        };
        let attacked = attack(experiment)?;
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
            let batches = attacked.batches;
            let pictures = Experiment { batches: &batches, ..experiment }.pictures(&outcome.found)?;
            milliseconds = outcome.timing.milliseconds_per_iteration_and_trial;
            record.batches = records(&attacked.numbers, &batches, &outcome, &pictures, &victim, seed)?;
            record.figures = Figures::of(&record.batches);
            let names = order.names(&self.dataset.class_names);
            if let Some((naming, named)) =
                self.name(&batches, &outcome.found, &pictures, &names, &victim, seed)?
            {
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
    batches: Vec<ClientBatch>,
    numbers: Vec<usize>,
    skipped: Vec<Skipped>,
}

/// Attacks all batches; those that cannot be attacked, such as one whose gradient is 0, are left out.
fn attack(experiment: Experiment) -> anyhow::Result<Attacked> {
    let mut batches = experiment.batches.to_vec();
    let mut numbers: Vec<usize> = (0..batches.len()).collect();
    let mut skipped = vec![];
    while !batches.is_empty() {
        let error = match (Experiment { batches: &batches, ..experiment }).run() {
            Ok(outcome) => return Ok(Attacked { outcome: Some(outcome), batches, numbers, skipped }),
            Err(error) => error,
        };
        let target = match error.downcast_ref::<AttackError>() {
            Some(
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
            _ => return Err(error),
        };
        batches.remove(target);
        skipped.push(Skipped { batch: numbers.remove(target), reason: error.to_string() });
    }
    Ok(Attacked { outcome: None, batches, numbers, skipped })
}

fn records(
    numbers: &[usize],
    batches: &[ClientBatch],
    outcome: &Outcome,
    pictures: &[Vec<Picture>],
    victim: &Victim,
    seed: u64,
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
        record.set_labels(LabelMetrics::of(&found.labels, &batch.labels, victim.model.classes));
        let noise = noise_like(&batch.pictures, seed.wrapping_add(numbers[i] as u64));
        record.set_pictures(
            &compare(&batch.pictures, &pictures[i])?,
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
    mut check: impl FnMut(&SweptVictim, &Victim, &Protocol) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<(String, String)>> {
    let largest = dataset.labels().iter().max().copied().unwrap_or(0);
    let one = |swept: &SweptVictim| {
        let victim = swept.settings.victim.open(seed, &DataOptions::known(dataset))?;
        let classes = victim.model.classes;
        if largest >= classes {
            return Err(misuse(format!(
                "data set {} has label {largest}, {} has {classes} classes",
                dataset.name,
                victim.model.describe()
            )));
        }
        for &size in &swept.batch_sizes {
            let protocol = swept.protocol(size).with_context(|| format!("batches of {size}"))?;
            check(swept, &victim, &protocol)?;
        }
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
