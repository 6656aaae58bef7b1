//! One cell: its batches are captured, attacked, compared and named.

use std::{collections::BTreeSet, time::Instant};

use super::{BatchRecord, Figures, Finished, Record, Sweep, SweepError, Task, Timing, naming::Named};
use crate::{
    attack::labels::LabelMetrics,
    audit::{
        Attacked, Audit, AuditError, ClientBatch, Clients, Judged, Outcome, read_batches, verdict::Measure,
    },
    clip::zero_shot::Namer,
    device::Device,
    report::{Skipped, html::Measured},
    semantic::ClassOrder,
    watch::Watch,
};

/// What all cells share.
pub struct Laboratory<'a> {
    pub sweep: &'a Sweep<'a>,
    pub device: &'a dyn Device,
    /// `None`: nothing is named.
    pub namer: Option<Namer<'a>>,
    /// What was said already.
    pub notes: BTreeSet<String>,
}

impl Laboratory<'_> {
    /// Computes a cell.
    pub fn measure(&mut self, task: &Task, watch: &dyn Watch) -> Result<Finished, SweepError> {
        let began = Instant::now();
        let Laboratory { sweep, device, .. } = *self;
        let (cell, swept) = (&task.cell, &sweep.victims[task.victim]);
        let seed = cell.seed;
        let mut victim = swept.open(seed).map_err(AuditError::from)?;
        let chosen = sweep.chosen(cell.batch_size, swept.batches, seed)?;
        let batches = read_batches(sweep.dataset, &victim, chosen)?;
        let order = ClassOrder::shuffled(victim.model.classes, seed);
        let clients = Clients::new(sweep.dataset, &mut victim, order, batches)?;
        let defences = &sweep.defences[task.defence].defences;
        let audit = sweep.audit(swept, &swept.sizes[task.size], defences, seed, victim)?;
        let Attacked { outcome, kept: numbers, skipped } =
            audit.run_possible(device, &clients.batches, None, watch)?;
        let batches: Vec<ClientBatch> = numbers.iter().map(|&i| clients.batches[i].clone()).collect();
        for Skipped { batch, reason } in &skipped {
            watch.note(&format!("{cell}: batch {batch} is left out: {reason}"));
        }
        let mut record = Record {
            cell: cell.clone(),
            iterations: swept.config.iterations,
            trials: swept.trials,
            batches: vec![],
            skipped,
            figures: Figures::of(&[]),
            naming: None,
            membership: None,
            verdict: None,
        };
        let mut milliseconds = 0.0;
        if let Some(outcome) = outcome {
            milliseconds = outcome.timing.milliseconds_per_iteration_and_trial;
            let clients = Clients { batches, ..clients };
            let judged = audit.judge(&clients, &outcome.pictures)?;
            record.batches = records(&audit, &numbers, &clients.batches, &outcome, &judged);
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
        let timing = Timing {
            seconds: began.elapsed().as_secs_f64(),
            milliseconds_per_iteration_and_trial: milliseconds,
        };
        Ok(Finished { record, timing })
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
