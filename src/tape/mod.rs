//! What to compute: a static graph in single-assignment form, differentiable to any order.
//!
//! Builder methods append nodes and work out shapes; [`Tape::grad`] appends the derivative with the
//! same methods, so calling it on its own result is double backprop. A shape that does not fit is a
//! bug in the caller and panics; what a user can get wrong is checked before a tape is built.

mod build;
mod grad;
pub mod op;
mod pointwise;
mod rules;
pub mod spec;

use op::Op;

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

/// One operation, its operands and the shape of its result.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// The operands, all of earlier nodes.
    pub inputs: Vec<Var>,
    /// Of the result; `[]` for a scalar.
    pub shape: Vec<usize>,
}

/// A graph of [`Node`]s; operands always stand before their users.
///
/// ```
/// use gia_gpu::{device::{Device, cpu::Cpu}, plan::Plan, tape::Tape};
///
/// // The second derivative of x³.
/// let mut tape = Tape::new();
/// let x = tape.input(&[3]);
/// let square = tape.mul(x, x);
/// let cube = tape.mul(square, x);
/// let total = tape.sum(cube, &[0]);
/// let first = tape.grad(total, &[x])[0];
/// let total = tape.sum(first, &[0]);
/// let second = tape.grad(total, &[x])[0];
///
/// let mut plan = Cpu::<f32>::new().compile(&Plan::new(&tape, &[second], &[]))?;
/// plan.write(x, &[1.0, 2.0, 3.0])?;
/// plan.run(1)?;
/// assert_eq!(plan.read(second)?, [6.0, 12.0, 18.0]);
/// # Ok::<(), gia_gpu::device::DeviceError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
}

impl Tape {
    /// A tape without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// All nodes; operands come before what is made of them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that makes this variable.
    pub fn node(&self, var: Var) -> &Node {
        &self.nodes[var.index()]
    }

    /// The sizes of a variable's axes; `[]` for a scalar.
    pub fn shape(&self, var: Var) -> &[usize] {
        &self.node(var).shape
    }

    /// Number of elements.
    pub fn len_of(&self, var: Var) -> usize {
        self.shape(var).iter().product()
    }

    /// Appends a node whose shape the caller has worked out.
    pub(crate) fn push(&mut self, op: Op, inputs: Vec<Var>, shape: Vec<usize>) -> Var {
        debug_assert!(inputs.iter().all(|v| v.index() < self.nodes.len()));
        self.nodes.push(Node { op, inputs, shape });
        Var(self.nodes.len() as u32 - 1)
    }
}
