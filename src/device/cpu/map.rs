//! A fused pointwise expression at every point of an index space.

use super::{
    kernel::{Needs, Prepared},
    program::{BLOCK, Compiled},
    real::Real,
    space::Space,
    validate,
    workers::Workers,
};
use crate::plan::kernel::MapKernel;

/// Blocks that one task computes: enough to hide the cost of taking it, few enough to share small maps evenly.
const BLOCKS: usize = 4;

pub struct Map<R> {
    program: Compiled<R>,
    len: usize,
    reads: Vec<usize>,
}

impl<R: Real> Map<R> {
    pub fn new(kernel: &MapKernel) -> Result<Self, String> {
        let reads = validate::program(&kernel.program, &kernel.dims, true)?;
        let order: Vec<usize> = (0..kernel.dims.len()).collect();
        let space = Space::new(&kernel.dims, &kernel.program.leaves, &order)?;
        Ok(Map {
            program: Compiled::new(&kernel.program, space, true),
            len: kernel.dims.iter().product(),
            reads,
        })
    }
}

impl<R: Real> Prepared<R> for Map<R> {
    fn needs(&self) -> Needs {
        Needs {
            reads: self.reads.clone(),
            write: self.len,
            registers: self.program.registers(),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        workers.for_each(out, BLOCKS * BLOCK, self.program.work(self.len), |workspace, task, out| {
            let registers = &mut workspace.registers;
            self.program.begin(reads, registers);
            let len = self.program.block_len();
            for (i, block) in out.chunks_mut(len).enumerate() {
                self.program.block(reads, task * BLOCKS * BLOCK + i * len, registers, block);
            }
        });
    }
}
