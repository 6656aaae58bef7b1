//! One cell, from its attacked blocks: all together they are tested, compared and named.

use std::{collections::BTreeSet, time::Instant};

use super::{
    Attacked, BatchRecord, Figures, Finished, Plan, Record, Sample, SweepError, Task, Timing, naming::Named,
};
use crate::{
    attack::labels::LabelMetrics,
    audit::{Audit, Captured, ClientBatch, Clients, Judged, Outcome, verdict::Measure},
    clip::zero_shot::Namer,
    device::Device,
    report::{Timing as Timed, html::Measured},
    watch::Watch,
};

/// What all cells share.
pub(crate) struct Laboratory<'a> {
    pub plan: &'a Plan<'a>,
    pub device: &'a dyn Device,
    /// `None`: nothing is named.
    pub namer: Option<Namer<'a>>,
    /// What was said already.
    pub notes: BTreeSet<String>,
}

impl Laboratory<'_> {
    /// A cell from all its blocks, in order.
    pub(crate) fn finish(
        &mut self,
        task: &Task,
        blocks: &[&Attacked],
        watch: &dyn Watch,
    ) -> Result<Finished, SweepError> {
        let began = Instant::now();
        let Laboratory { plan, device, .. } = *self;
        let swept = &plan.sweep.victims[task.victim];
        let (audit, clients) = self.plan.open(task)?;
        let mut devices: Vec<String> = blocks.iter().map(|block| block.device.clone()).collect();
        devices.sort();
        devices.dedup();
        let mut record = Record {
            cell: task.cell.clone(),
            iterations: swept.config.iterations,
            trials: swept.trials,
            batches: vec![],
            skipped: blocks.iter().flat_map(|block| block.skipped.clone()).collect(),
            figures: Figures::of(&[]),
            naming: None,
            membership: None,
            verdict: None,
            device: devices.join(" + "),
        };
        let attacked = blocks.iter().map(|block| block.batches()).collect::<Result<Vec<_>, _>>()?.concat();
        let mut sample = None;
        if !attacked.is_empty() {
            let numbers: Vec<usize> = attacked.iter().map(|(number, ..)| *number).collect();
            let Captured { mut targets, .. } = audit.capture(device, &clients.batches, watch)?;
            targets = numbers.iter().map(|&number| targets[number].clone()).collect();
            let batches: Vec<ClientBatch> = numbers.iter().map(|&i| clients.batches[i].clone()).collect();
            let clients = Clients { batches, ..clients };
            let (losses, found) = attacked.into_iter().map(|(_, loss, found)| (loss, found)).unzip();
            let timing = Timed::new(0.0, 0, 0);
            let mut outcome = audit.outcome(found, &targets, timing)?;
            outcome.losses = losses;
            audit.validate(device, &targets, Some(&clients.batches), &mut outcome, watch)?;
            let judged = audit.judge(&clients, &outcome.pictures)?;
            sample = clients.batches.first().and_then(|first| {
                Sample::of(numbers[0], &first.pictures, &outcome.pictures[0], &judged.comparisons[0])
            });
            record.batches = records(&audit, &numbers, &clients.batches, &outcome, &judged);
            let likeness = audit.likeness(device, &clients, &outcome.pictures, plan.sweep.lpips)?;
            record.batches.iter_mut().zip(&likeness).for_each(|(batch, own)| batch.set_likeness(own));
            record.figures = Figures::of(&record.batches);
            let mut grounds = audit.grounds(&outcome, Some((&clients, &judged)), None)?;
            if let Some(Named { naming, of_batches, measure }) =
                self.name(&audit, &clients, &outcome, watch)?
            {
                record.naming = Some(naming);
                record.batches.iter_mut().zip(of_batches).for_each(|(batch, named)| batch.named = named);
                grounds.names = measure;
            }
            grounds.membership = audit.membership(device, &clients, watch)?;
            let share = |found: Measure| Measured { mean: found.estimate, interval_95: found.interval };
            record.membership = grounds.membership.map(share);
            record.verdict = Some(grounds.verdict());
        }
        let attacking: f64 = blocks.iter().map(|block| block.seconds).sum();
        let milliseconds =
            blocks.iter().map(|b| b.milliseconds_per_iteration_and_trial * b.block.batches as f64);
        let batches = blocks.iter().map(|b| b.block.batches).sum::<usize>().max(1) as f64;
        let timing = Timing {
            seconds: attacking + began.elapsed().as_secs_f64(),
            milliseconds_per_iteration_and_trial: milliseconds.sum::<f64>() / batches,
        };
        Ok(Finished { record, timing, sample })
    }
}

fn records(
    audit: &Audit,
    numbers: &[usize],
    batches: &[ClientBatch],
    outcome: &Outcome,
    judged: &Judged,
) -> Vec<BatchRecord> {
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
        record.set_pictures(&judged.comparisons[i], &judged.grey[i], &judged.noise[i]);
        record
    };
    (0..batches.len()).map(record).collect()
}
