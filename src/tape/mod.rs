//! What to compute: a static graph in single-assignment form, differentiable to any order.

pub mod op;
pub mod spec;

/// A node of one tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(pub(crate) u32);

impl Var {
    /// The node's position on its tape.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The node at this position; plans written by hand name their buffers so.
    pub fn from_index(index: usize) -> Self {
        Var(index as u32)
    }
}
