//! All trials of an attack, in rounds that fit into memory, on as many devices as there are.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    AttackError, Hooks, Outcome,
    checkpoint::{Attack, Identity},
    round::Round,
    setting::Trial,
    stage::Stage,
    staged::{self, trials_at_once},
};
use crate::device::Device;

/// The outcomes of the round's trials, in order; told to stop, of the first of them.
pub(crate) fn attack(
    device: &dyn Device,
    all: &Round,
    stages: &[Stage],
    hooks: &mut Hooks,
) -> Result<Vec<Outcome>, AttackError> {
    let devices: Vec<&dyn Device> = [device].into_iter().chain(device.others()).collect();
    let size = size(&devices, all, stages)?;
    let kept = match hooks.checkpoints {
        None => None,
        Some(checkpoints) => {
            let identity = Identity::of(&devices, all.setting, all.guide, stages, all.targets);
            Some(checkpoints.begin(identity, size)?)
        }
    };
    let size = kept.map_or(size, |attack| attack.round).max(1);
    let work = Work {
        all,
        stages,
        rounds: all.trials.chunks(size).collect(),
        kept,
        next: AtomicUsize::new(0),
        stop: hooks.stop,
        seen: Mutex::new(Seen { done: vec![0; all.trials.len().div_ceil(size)], progress: hooks.progress }),
    };
    let mut found = match devices[..] {
        [one] => work.take(one)?,
        _ => thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> =
                devices.iter().map(|&device| scope.spawn(move || work.take(device))).collect();
            let mut found = vec![];
            for thread in threads {
                found.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, AttackError>(found)
        })?,
    };
    found.sort_by_key(|(round, _)| *round);
    Ok(found.into_iter().flat_map(|(_, outcomes)| outcomes).collect())
}

/// Trials of a round: all rounds of one size, as far as whole targets allow, and one for each device at least.
fn size(devices: &[&dyn Device], all: &Round, stages: &[Stage]) -> Result<usize, AttackError> {
    let most = devices.iter().map(|&device| trials_at_once(device, all, stages));
    let most = most.collect::<Result<Vec<usize>, _>>()?.into_iter().min().unwrap_or(1);
    let (trials, restarts) = (all.trials.len(), all.setting.restarts);
    let size = trials.div_ceil(trials.div_ceil(most).max(devices.len()));
    let whole = size.next_multiple_of(restarts).min(most);
    let together = all.setting.config.group_consistency != 0.0;
    Ok(if together || trials.div_ceil(whole) >= devices.len() { whole } else { size })
}

/// Rounds that wait for a device.
struct Work<'a> {
    all: &'a Round<'a>,
    stages: &'a [Stage<'a>],
    rounds: Vec<&'a [Trial]>,
    kept: Option<Attack<'a>>,
    next: AtomicUsize,
    stop: &'a (dyn Fn() -> bool + Sync),
    seen: Mutex<Seen<'a>>,
}

/// What somebody sees of it.
struct Seen<'a> {
    /// Iterations of each round.
    done: Vec<usize>,
    progress: &'a mut (dyn FnMut(usize, usize, &[f32]) + Send),
}

impl<'a> Work<'a> {
    /// One round after the other, until none is left or it is told to stop.
    fn take(&self, device: &dyn Device) -> Result<Vec<(usize, Vec<Outcome>)>, AttackError> {
        let mut found = vec![];
        loop {
            let round = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(trials) = self.rounds.get(round) else { return Ok(found) };
            if round > 0 && (self.stop)() {
                return Ok(found);
            }
            let mut progress = |done: usize, of: usize, latest: &[f32]| {
                let Seen { done: all, progress } = &mut *self.seen();
                all[round] = done;
                progress(all.iter().sum(), self.rounds.len() * of, latest);
            };
            let mut hooks = Hooks { progress: &mut progress, stop: self.stop, checkpoints: None };
            let of_round = self.kept.map(|attack| attack.of_round(round));
            let own = Round { trials, ..*self.all };
            match staged::attack(device, &own, self.stages, &mut hooks, of_round.as_ref()) {
                Ok(outcomes) => found.push((round, outcomes)),
                Err(error) => {
                    // The others end, too.
                    self.next.store(self.rounds.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            self.seen().done[round] = self.iterations();
        }
    }

    /// Of one round.
    fn iterations(&self) -> usize {
        self.stages.iter().filter(|stage| !stage.continues()).map(|stage| stage.iterations).sum()
    }

    fn seen(&self) -> MutexGuard<'_, Seen<'a>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
