//! The attacks of a sweep: block by block, on as many devices as there are.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use super::{Attacked, AttackedBatch, Block, Cell, Plan, SweepError, Task};
use crate::{
    audit::{self, Audit, AuditError, Captured, Clients, read_batches},
    device::Device,
    report::Skipped,
    semantic::ClassOrder,
    watch::{Stage, Watch},
};

/// Takes a block that was attacked; no two at once.
pub(crate) type Take<'t> = dyn FnMut(Attacked) -> Result<(), SweepError> + Send + 't;

impl Plan<'_> {
    /// The clients of a cell, all of them, and the eavesdropper on them.
    pub(super) fn open(&self, task: &Task) -> Result<(Audit, Clients), SweepError> {
        let sweep = self.sweep;
        let (cell, swept) = (&task.cell, &sweep.victims[task.victim]);
        let mut victim = swept.open(cell.seed).map_err(AuditError::from)?;
        let chosen = sweep.chosen(cell.batch_size, swept.batches, cell.seed)?;
        let batches = read_batches(sweep.dataset, &victim, chosen)?;
        let order = ClassOrder::shuffled(victim.model.classes, cell.seed);
        let clients = Clients::new(sweep.dataset, &mut victim, order, batches)?;
        let defences = &sweep.defences[task.defence].defences;
        let audit = sweep.audit(swept, &swept.sizes[task.size], defences, cell.seed, victim)?;
        Ok((audit, clients))
    }

    /// Attacks these blocks, each on the device that is free; what went wrong with some. `done`: blocks that are there
    /// already. Told to stop, it leaves out what is not finished.
    ///
    /// # Errors
    /// What `take` says.
    pub(super) fn attack_all(
        &self,
        devices: &[&dyn Device],
        blocks: &[Block],
        done: usize,
        watch: &dyn Watch,
        take: &mut Take,
    ) -> Result<Vec<(Cell, SweepError)>, SweepError> {
        // One alone is shown by what it belongs to.
        let stage = (blocks.len() > 1).then(|| Stage::new(watch, "blocks"));
        let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(done));
        let (take, failed) = (Mutex::new(take), Mutex::new(vec![]));
        let of = done + blocks.len();
        let work = |device: &dyn Device| -> Result<(), SweepError> {
            while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                if watch.is_stopped() {
                    break;
                }
                if let Some(stage) = &stage {
                    stage.part(&block.to_string(), finished.load(Ordering::Relaxed), of, None);
                }
                let Some(task) = self.tasks.iter().find(|task| task.cell == block.cell) else { continue };
                match self.attack(device, task, block, watch) {
                    // Stopped in its middle, it is no result.
                    Ok(_) if watch.is_stopped() => break,
                    Err(SweepError::Audit(error)) if error.is_stopped() => break,
                    Ok(attacked) => {
                        let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Err(error) = take(attacked) {
                            // The others end, too.
                            next.store(blocks.len(), Ordering::Relaxed);
                            return Err(error);
                        }
                        finished.fetch_add(1, Ordering::Relaxed);
                    }
                    // Another may need less memory, or have a client that can be attacked.
                    Err(error) => {
                        watch.note(&format!("{block}: {error}"));
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push((block.cell.clone(), error));
                    }
                }
            }
            Ok(())
        };
        match devices {
            [one] => work(*one)?,
            several => thread::scope(|scope| {
                let threads: Vec<_> =
                    several.iter().map(|&device| scope.spawn(move || work(device))).collect();
                let ends = threads.into_iter().map(|thread| match thread.join() {
                    Ok(end) => end,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                ends.collect::<Result<(), SweepError>>()
            })?,
        }
        Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Attacks the batches of a block.
    fn attack(
        &self,
        device: &dyn Device,
        task: &Task,
        block: &Block,
        watch: &dyn Watch,
    ) -> Result<Attacked, SweepError> {
        let began = Instant::now();
        let (audit, clients) = self.open(task)?;
        let audit = Audit { first: block.first, ..audit };
        let own = &clients.batches[block.first..block.first + block.batches];
        let Captured { losses, mut targets } = audit.capture(device, own, watch)?;
        let audit::Attacked { outcome, kept, skipped } =
            audit.attack_possible(device, block.cell.batch_size, &mut targets, None, watch)?;
        let skipped: Vec<Skipped> = skipped
            .into_iter()
            .map(|Skipped { batch, reason }| Skipped { batch: block.first + batch, reason })
            .collect();
        for Skipped { batch, reason } in &skipped {
            watch.note(&format!("{}: batch {batch} is left out: {reason}", block.cell));
        }
        let milliseconds = outcome.as_ref().map_or(0.0, |o| o.timing.milliseconds_per_iteration_and_trial);
        let found = outcome.map(|outcome| outcome.found).unwrap_or_default();
        let batches = kept.iter().zip(&found);
        Ok(Attacked {
            block: block.clone(),
            device: device.info().facts(),
            batches: batches.map(|(&i, f)| AttackedBatch::of(block.first + i, losses[i], f)).collect(),
            skipped,
            seconds: began.elapsed().as_secs_f64(),
            milliseconds_per_iteration_and_trial: milliseconds,
        })
    }
}
