//! A compiled program, evaluated block by block.

use super::{
    lanes,
    program::{Compiled, Line, Op, Operand, Pinned, To},
};
use crate::{
    device::cpu::{
        memory::prefetch::prefetch,
        vectors::{Isa, Real},
    },
    plan::kernel::Source,
};

/// What a program reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'s, 'a, R> {
    pub isa: Isa,
    /// Its buffers.
    pub reads: &'s [&'a [R]],
    /// The points of a block of each leaf that is brought, see [`Compiled::new`].
    pub turned: &'s [&'s [R]],
}

impl<'s, 'a, R> Inputs<'s, 'a, R> {
    pub(crate) fn new(isa: Isa, reads: &'s [&'a [R]]) -> Self {
        Inputs { isa, reads, turned: &[] }
    }
}

impl<R: Real> Compiled<R> {
    /// Sets the scalars that keep one value. Call before the first block of a task.
    pub(crate) fn begin(&self, reads: &[&[R]], registers: &mut [Vec<R>]) {
        for &(register, value) in &self.pinned {
            let value = match value {
                Pinned::Constant(c) => c,
                Pinned::Leaf(leaf) => {
                    let leaf = &self.space.leaves[leaf];
                    leaf.uniform(leaf.data(reads)).expect("pinned leaves are uniform")
                }
            };
            registers[register][0] = value;
        }
    }

    /// Asks for the block `out` that starts at point `start`, and for what it reads, as far as that lies side by side: while
    /// one block is computed, in several loops over the first-level cache, the next one comes from memory.
    pub(crate) fn fetch(&self, reads: &[&[R]], start: usize, out: &[R]) {
        for leaf in &self.space.leaves {
            match leaf.data(reads) {
                Some(data) => prefetch(leaf.run(data, start, out.len())),
                None => prefetch(out),
            }
        }
    }

    /// Points `start..start + out.len()`: where they are stored, if the program only reads them, else evaluated into `out`.
    pub(crate) fn values<'a>(
        &self,
        inputs: Inputs<'_, 'a, R>,
        start: usize,
        registers: &mut [Vec<R>],
        out: &'a mut [R],
    ) -> &'a [R] {
        if let [Line { op: Op::Copy(Operand::Direct(leaf)), .. }] = self.lines[..]
            && let Some(data) = self.space.leaves[leaf].data(inputs.reads)
        {
            return self.space.direct(leaf, data, start, out.len());
        }
        self.block(inputs, start, registers, out);
        out
    }

    /// Evaluates points `start..start + out.len()` (at most [`Compiled::block_len`], within one row of the space if they go
    /// by rows) into `out`, which holds the elements that [`Source::Output`] reads.
    pub(crate) fn block(&self, inputs: Inputs<R>, start: usize, registers: &mut [Vec<R>], out: &mut [R]) {
        let len = out.len();
        for line in &self.lines {
            let (register, len) = match line.to {
                To::Result => {
                    self.apply(inputs, line.op, start, registers, out);
                    continue;
                }
                To::Register(register) => (register, len),
                To::Scalar(register) => (register, 1),
            };
            let mut to = std::mem::take(&mut registers[register]);
            match line.op {
                Op::Load(leaf) if self.space.leaves[leaf].source == Source::Output => {
                    to[..len].copy_from_slice(out)
                }
                op => self.apply(inputs, op, start, registers, &mut to[..len]),
            }
            registers[register] = to;
        }
    }

    fn apply(&self, inputs: Inputs<R>, op: Op, start: usize, registers: &[Vec<R>], to: &mut [R]) {
        let Inputs { isa, reads, turned } = inputs;
        let len = to.len();
        let get = |operand: Operand| match operand {
            Operand::Register(r) => &registers[r][..len],
            // Only where the block is one element.
            Operand::Scalar(r) => &registers[r][..1],
            Operand::Turned(k) => &turned[k][..len],
            Operand::Direct(leaf) => self.space.direct(
                leaf,
                self.space.leaves[leaf].data(reads).expect("direct leaves are stored"),
                start,
                len,
            ),
        };
        match op {
            Op::Load(leaf) => match self.space.leaves[leaf].source {
                // The result is the element that is already there.
                Source::Output => {}
                _ => self.space.load(leaf, self.space.leaves[leaf].data(reads), start, to),
            },
            Op::Copy(Operand::Scalar(r)) => to.fill(registers[r][0]),
            Op::Copy(a) => to.copy_from_slice(get(a)),
            Op::Unary(op, a) => lanes::unary(isa, op, get(a), to),
            Op::Binary(op, Operand::Scalar(a), b) if !b.is_scalar() => {
                lanes::binary_of_scalar(isa, op, registers[a][0], get(b), to)
            }
            Op::Binary(op, a, Operand::Scalar(b)) if !a.is_scalar() => {
                lanes::binary_with_scalar(isa, op, get(a), registers[b][0], to)
            }
            Op::Binary(op, a, b) => lanes::binary(isa, op, get(a), get(b), to),
            Op::Select(mask, a, b) => lanes::select(isa, get(mask), get(a), get(b), to),
        }
    }
}
