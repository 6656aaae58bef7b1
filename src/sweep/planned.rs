//! What a sweep would compute, and how shards would share it.

use serde::Serialize;

use super::{Plan, SweepError, deal, imbalance};

/// What a sweep would compute.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// In the order in which they are computed.
    pub cells: Vec<PlannedCell>,
    /// Of all cells.
    pub blocks: usize,
    /// Of the attacks' plans, and what the work around each block counts for.
    pub operations: u64,
    /// At the speed that was given.
    pub seconds: Option<f64>,
    /// Fewest shards of which none takes longer than the time limit.
    pub suggested_shards: Option<usize>,
    /// Where their number was given.
    pub shards: Vec<PlannedShard>,
    /// The longest of these shards, in mean ones.
    pub imbalance: Option<f64>,
}

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedCell {
    /// Victim, weights, batch size, defence and seed, in words.
    pub cell: String,
    /// Of the cell.
    pub batches: usize,
    /// Units of work that these batches are divided into.
    pub blocks: usize,
    /// Of all its blocks.
    pub operations: u64,
    /// At the speed that was given; absent without one.
    pub seconds: Option<f64>,
}

/// What one shard would have.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedShard {
    /// As in `3/16`.
    pub shard: String,
    /// How many it has.
    pub blocks: usize,
    /// Of all its blocks.
    pub operations: u64,
    /// At the speed that was given; absent without one.
    pub seconds: Option<f64>,
}

impl Plan<'_> {
    /// `shards`: to show what each of so many would have; `speed`: of a machine, in GFLOP/s; `limit`: most seconds of a shard.
    ///
    /// # Errors
    /// As [`Plan::costs`].
    pub fn planned(
        &self,
        shards: Option<usize>,
        speed: Option<f64>,
        limit: Option<f64>,
    ) -> Result<Planned, SweepError> {
        let seconds = |operations: u64| speed.map(|speed| operations as f64 / (speed * 1e9));
        let costs = self.costs()?;
        let mut at = 0;
        let cells = self.tasks.iter().map(|task| {
            let blocks = self.blocks_of(task);
            let operations = costs[at..at + blocks.len()].iter().sum();
            at += blocks.len();
            PlannedCell {
                cell: task.cell.to_string(),
                batches: blocks.iter().map(|block| block.batches).sum(),
                blocks: blocks.len(),
                operations,
                seconds: seconds(operations),
            }
        });
        let cells: Vec<PlannedCell> = cells.collect();
        let operations: u64 = costs.iter().sum();
        let longest = |shards: usize| {
            let mean = operations as f64 / shards as f64;
            (imbalance(&costs, shards) * mean) as u64
        };
        let fits = |shards: &usize| seconds(longest(*shards)).zip(limit).is_some_and(|(s, most)| s <= most);
        let each = shards.map_or(vec![], |of| {
            let shard = |(i, places): (usize, Vec<usize>)| {
                let operations = places.iter().map(|&place| costs[place]).sum();
                let shard = format!("{}/{of}", i + 1);
                PlannedShard { shard, blocks: places.len(), operations, seconds: seconds(operations) }
            };
            deal(&costs, of).into_iter().enumerate().map(shard).collect()
        });
        Ok(Planned {
            cells,
            blocks: costs.len(),
            operations,
            seconds: seconds(operations),
            suggested_shards: (1..=costs.len()).find(fits),
            shards: each,
            imbalance: shards.map(|of| imbalance(&costs, of)),
        })
    }
}
