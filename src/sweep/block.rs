//! The unit of work of a sweep: some batches of a cell, attacked together. Which they are follows from the sweep alone, not
//! from who computes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cell, Plan, Task};

/// Pictures of a block, about, where nothing else is said.
const PICTURES: usize = 16;

/// Which batches of which cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Block {
    /// Whose batches they are.
    pub cell: Cell,
    /// Number of the first batch.
    pub first: usize,
    /// How many there are.
    pub batches: usize,
}

/// `lenet-zhu untrained, B = 4, ig, seed 1, batches 8 to 11`
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Block { cell, first, batches } = self;
        write!(f, "{cell}, batches {first} to {}", first + batches - 1)
    }
}

impl Plan<'_> {
    /// The blocks of a task, in order.
    pub fn blocks_of(&self, task: &Task) -> Vec<Block> {
        let all = self.sweep.victims[task.victim].batches;
        let each = self.sweep.block.unwrap_or(PICTURES / task.cell.batch_size).clamp(1, all);
        let block = |first: usize| Block { cell: task.cell.clone(), first, batches: each.min(all - first) };
        (0..all).step_by(each).map(block).collect()
    }

    /// All blocks, in the order of the tasks.
    pub fn blocks(&self) -> Vec<Block> {
        self.tasks.iter().flat_map(|task| self.blocks_of(task)).collect()
    }
}
