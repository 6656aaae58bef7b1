//! How much work blocks are, by the operations of their plans: the same integers wherever they are counted.

use std::collections::BTreeMap;

use super::{Plan, SweepError, Task};
use crate::{
    attack::{config::Optimiser, iteration},
    audit::AuditError,
    federated::defence::client_protocol,
};

/// Work of an iteration that no operation counts: a step of the smallest plan costs as much as so many operations.
const OVERHEAD: u64 = 1 << 18;
/// Work of a block around its attack, in operations: pictures are read, plans compiled, unrelated batches judged. 0.2 s for
/// small networks on two cores of an AMD EPYC (Zen 3 class, AVX2), which does 48 GFLOP/s of `resnet20`'s attack.
const AROUND: u64 = 1 << 33;

impl Plan<'_> {
    /// Operations of the attack on one batch of each task, all restarts and iterations.
    ///
    /// # Errors
    /// A victim that cannot be opened.
    pub fn costs_of_a_batch(&self) -> Result<Vec<u64>, SweepError> {
        let mut known = BTreeMap::new();
        let of = |task: &Task| {
            let key = (task.victim, task.size, task.defence);
            if let Some(&cost) = known.get(&key) {
                return Ok(cost);
            }
            let cost = self.cost_of_a_batch(task)?;
            known.insert(key, cost);
            Ok(cost)
        };
        self.tasks.iter().map(of).collect()
    }

    /// Of all blocks, in the order of [`Plan::blocks`].
    ///
    /// # Errors
    /// As [`Plan::costs_of_a_batch`].
    pub fn costs(&self) -> Result<Vec<u64>, SweepError> {
        let of_batches = self.costs_of_a_batch()?;
        let costs = self.tasks.iter().zip(of_batches).flat_map(|(task, cost)| {
            let blocks = self.blocks_of(task).into_iter();
            blocks.map(move |block| cost.saturating_mul(block.batches as u64).saturating_add(AROUND))
        });
        Ok(costs.collect())
    }

    fn cost_of_a_batch(&self, task: &Task) -> Result<u64, SweepError> {
        let swept = &self.sweep.victims[task.victim];
        let victim = swept.open(task.cell.seed).map_err(AuditError::from)?;
        let (config, size) = (&swept.config, &swept.sizes[task.size]);
        let defences = &self.sweep.defences[task.defence].defences;
        let protocol = match self.sweep.adaptive {
            true => client_protocol(&size.protocol, defences).map_err(AuditError::misuse)?,
            false => size.protocol.clone(),
        };
        let plan = iteration(&victim.model, &protocol, config, size.batch, 1);
        let looks = match config.optimiser {
            Optimiser::Adam { .. } => 1,
            Optimiser::Lbfgs { inner, .. } => inner,
        };
        let once = plan.totals().flops.saturating_add(OVERHEAD);
        let times =
            (config.iterations as u64).saturating_mul(looks as u64).saturating_mul(swept.trials as u64);
        Ok(once.saturating_mul(times))
    }
}
