//! A fused pointwise expression at every point of an index space.

use crate::device::cpu::kernels::validate;
use crate::device::cpu::kernels::{Needs, Prepared};
use crate::device::cpu::loops::program::Compiled;
use crate::device::cpu::loops::space::Space;
use crate::device::cpu::memory::workers::BLOCK;
use crate::device::cpu::memory::workers::Workers;
use crate::device::cpu::vectors::Real;
use crate::plan::kernel::MapKernel;

/// Blocks that one task computes: enough to hide the cost of taking it, few enough to share small maps evenly.
const BLOCKS: usize = 4;
/// Blocks of a task of a large map, of which only the first is not asked for ahead.
const MANY_BLOCKS: usize = 16;
/// Elements from which on a map is large: its operands may have left the caches.
const LARGE: usize = 1 << 15;

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
        let isa = workers.isa();
        let is_large = self.len >= LARGE;
        let task_len = BLOCK * if is_large { MANY_BLOCKS } else { BLOCKS };
        workers.for_each(out, task_len, self.program.work(self.len), |workspace, task, out| {
            let registers = &mut workspace.registers;
            self.program.begin(reads, registers);
            let mut start = task * task_len;
            let mut blocks = out.chunks_mut(self.program.block_len()).peekable();
            while let Some(block) = blocks.next() {
                let end = start + block.len();
                if let Some(next) = blocks.peek()
                    && is_large
                {
                    self.program.fetch(reads, end, next);
                }
                self.program.block(isa, reads, start, registers, block);
                start = end;
            }
        });
    }
}
