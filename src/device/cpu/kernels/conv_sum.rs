//! Two convolutions of one spec, added: the second adds its products to the result of the first.

use crate::device::cpu::{
    kernels::{Needs, Prepared},
    memory::workers::Workers,
    vectors::Real,
};

/// A kernel of two operands that can add to what its output holds.
pub(crate) trait Adding<R>: Prepared<R> {
    /// As [`Prepared::run`], with the result added to `out`.
    fn add(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>);
}

pub(crate) struct ConvSum<C>(pub [C; 2]);

impl<R: Real, C: Adding<R>> Prepared<R> for ConvSum<C> {
    fn needs(&self) -> Needs {
        let [first, second] = [self.0[0].needs(), self.0[1].needs()];
        Needs {
            reads: [first.reads, second.reads].concat(),
            write: first.write,
            registers: first.registers.max(second.registers),
            scratch: first.scratch.max(second.scratch),
            shared: first.shared.max(second.shared),
            packed: first.packed.max(second.packed),
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        self.0[0].run(&reads[..2], out, workers);
        self.0[1].add(&reads[2..], out, workers);
    }
}
