//! How a tape is computed: the steps, in order, and the buffers they use.

pub mod kernel;

use std::{collections::HashMap, sync::Arc};

use crate::tape::Var;
use kernel::{BufferId, Step};

/// A compiled schedule, replayed as one iteration.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Length of each buffer in elements. Two tensors that never live together may share one.
    pub buffers: Vec<usize>,
    /// Buffers filled once, when the plan is compiled.
    pub literals: Vec<(BufferId, Arc<Vec<f64>>)>,
    /// Buffer and length of every input, state and kept output.
    pub bound: HashMap<Var, (BufferId, usize)>,
}
