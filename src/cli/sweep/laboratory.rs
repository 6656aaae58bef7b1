//! One cell: its batches are captured, attacked, compared and named.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::Context;

use super::victims::{NamedDefence, SweptVictim, Task};
use crate::{
    attack::{
        AttackError,
        invert::Reconstruction,
        labels::{LabelError, LabelMetrics},
    },
    cli::{
        data_options::DataOptions,
        encoder::note,
        experiment::{ClientBatch, Experiment, Outcome, read_batches, read_pictures},
        misuse,
        naming_options::NamingOptions,
        options::NormalisationOptions,
        progress::Progress,
        run::LabelKnowledge,
    },
    clip::zero_shot::Namer,
    data::{BatchRule, Dataset, Picture},
    device::{Device, host},
    federated::{Protocol, Victim},
    metrics::{compare, flat_grey_floor},
    report::noise_like,
    semantic::{self, Accuracies, Assignment, ClassOrder, Seen, Truth, controls, reconstruct_labels},
    sweep::{
        BatchRecord, Figures, Finished, Groups, Naming, Record, Scores, Shares, Skipped, Source, Timing,
    },
};

/// What all cells share.
pub struct Laboratory<'a> {
    pub device: &'a dyn Device,
    pub dataset: &'a Dataset,
    pub rule: BatchRule,
    pub normalisation: &'a NormalisationOptions,
    pub naming: &'a NamingOptions,
    /// `None`: nothing is named.
    pub namer: Option<Namer<'a>>,
    pub adaptive: bool,
    /// Batches of an aggregation.
    pub together: usize,
    /// What was said already.
    pub notes: BTreeSet<String>,
}

/// Shares of indices named right, from each batch alone: what a row of a batch has.
type OfBatches = Vec<BTreeMap<Source, Shares>>;

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
        let experiment = Experiment {
            device: self.device,
            victim: &victim,
            protocol: &protocol,
            normalisation: &normalisation,
            config: &swept.config,
            batches: &batches,
            defences: &defence.defences,
            adaptive: self.adaptive && !defence.defences.is_empty(),
            labels_given: swept.settings.labels == LabelKnowledge::Given,
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

    /// What the label indices mean, with controls; `None` where nothing can be judged.
    fn name(
        &mut self,
        batches: &[ClientBatch],
        found: &[Reconstruction],
        pictures: &[Vec<Picture>],
        names: &[Option<String>],
        victim: &Victim,
        seed: u64,
    ) -> anyhow::Result<Option<(Naming, OfBatches)>> {
        let unrelated = if batches.len() == 1 { self.others(&batches[0], victim)? } else { vec![] };
        let Some(namer) = &mut self.namer else { return Ok(None) };
        let views: Vec<semantic::Batch> = batches
            .iter()
            .zip(found)
            .zip(pictures)
            .map(|((batch, found), pictures)| semantic::Batch {
                reconstructions: pictures,
                indices: &found.labels,
                originals: Some((&batch.pictures[..], &batch.labels[..])),
            })
            .collect();
        let objectives: Vec<f32> = found.iter().map(|f| f.best().objective).collect();
        let weights = self.naming.weights(&objectives);
        let study = semantic::Study {
            // Both assignments are recorded.
            assignment: Assignment::Greedy,
            weights: Some(&weights),
            truth: names,
            unrelated: &unrelated,
            seed,
        };
        let bar = Progress::counting("naming");
        let report = reconstruct_labels(namer, &views, &study, &mut |_, done, of| bar.count(done, of));
        bar.finish();
        let report = report?;
        for text in report.notes {
            if self.notes.insert(text.clone()) {
                note(&text);
            }
        }
        let Some(accuracy) = report.accuracy else { return Ok(None) };

        let truth = Truth::new(names, &report.names);
        let present: Vec<BTreeSet<usize>> =
            batches.iter().map(|b| b.labels.iter().copied().collect()).collect();
        let (reconstructions, originals): (Vec<Seen>, Vec<Seen>) = report
            .batches
            .into_iter()
            .zip(batches)
            .map(|(named, batch)| {
                let originals = named.originals.unwrap_or_default();
                (
                    Seen { indices: named.indices, rows: named.similarity },
                    Seen { indices: batch.labels.clone(), rows: originals },
                )
            })
            .unzip();
        let shuffled = controls::shuffled(&reconstructions, seed);
        let all = [
            (Source::Reconstructions, Some(reconstructions)),
            (Source::Originals, Some(originals)),
            (Source::Shuffled, shuffled),
        ];
        let mut aggregated = BTreeMap::new();
        let mut named = vec![BTreeMap::new(); batches.len()];
        for (source, seen) in all {
            let Some(seen) = seen else { continue };
            let groups = Groups {
                seen: &seen,
                present: &present,
                truth: &truth,
                weights: &weights,
                size: self.together,
            };
            aggregated.extend(groups.scores().map(|scores| (source, scores)));
            named.iter_mut().zip(groups.alone()).for_each(|(named, shares)| {
                named.insert(source, shares);
            });
        }
        Ok(Some((Naming { random: accuracy.random, single: single(&accuracy), aggregated }, named)))
    }

    /// Pictures that are not in the only batch.
    fn others(&self, batch: &ClientBatch, victim: &Victim) -> anyhow::Result<Vec<Picture>> {
        let others = (0..self.dataset.len()).filter(|i| !batch.indices.contains(i));
        read_pictures(self.dataset, victim, &others.take(batch.indices.len()).collect::<Vec<_>>())
    }
}

fn single(accuracy: &Accuracies) -> BTreeMap<Source, Scores> {
    let all = [
        (Source::Reconstructions, Some(&accuracy.reconstructions)),
        (Source::Originals, Some(&accuracy.originals)),
        (Source::Shuffled, accuracy.shuffled.as_ref()),
        (Source::Noise, Some(&accuracy.noise)),
        (Source::FlatGrey, Some(&accuracy.flat_grey)),
        (Source::Unrelated, accuracy.unrelated.as_ref()),
    ];
    all.into_iter().filter_map(|(source, accuracy)| Some((source, accuracy?.into()))).collect()
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
    check: impl Fn(&SweptVictim, &Victim, &Protocol) -> anyhow::Result<()>,
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
