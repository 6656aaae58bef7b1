//! A plan and its buffers.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    convolution::Way,
    kernels::{self, Number, Packing},
    memory::{
        budget,
        pages::{Piece, pieces},
        workers::{BLOCK, Workers},
    },
    vectors::Isa,
};
use crate::{
    device::{DeviceError, Executable},
    plan::{
        Plan,
        kernel::{BufferId, Kernel, MAX_MAP_READS},
    },
    tape::Var,
};

/// A compiled plan. Everything that a run touches is allocated here, before it.
pub struct CpuExecutable<R> {
    steps: Vec<Step<R>>,
    buffers: Vec<Piece<R>>,
    bound: HashMap<Var, (BufferId, usize)>,
    workers: Workers<R>,
    /// Steps that run only when what they read was written, as packing does.
    prologue: usize,
    prologue_reads: HashSet<BufferId>,
    /// Operands that no iteration changes, in the order in which they are multiplied, and a step that packs each.
    constants: Vec<(usize, Piece<R>)>,
    /// Whether the prologue's results are out of date.
    stale: bool,
}

struct Step<R> {
    kernel: Box<dyn kernels::Prepared<R>>,
    reads: Vec<BufferId>,
    write: BufferId,
    len: usize,
    /// Which of the packed operands it uses.
    packed: Option<usize>,
}

impl<R> Step<R> {
    fn operands<'a>(&self, buffers: &'a [Piece<R>]) -> [&'a [R]; MAX_MAP_READS] {
        let mut reads: [&[R]; MAX_MAP_READS] = [&[]; MAX_MAP_READS];
        for (slice, &buffer) in reads.iter_mut().zip(&self.reads) {
            *slice = &buffers[buffer];
        }
        reads
    }
}

/// The steps with their kernels, and the largest needs of any.
struct Prepared<R> {
    steps: Vec<Step<R>>,
    registers: usize,
    scratch: usize,
    shared: usize,
    packed: usize,
    /// What is packed once: the first step that uses it, and its elements.
    constants: Vec<(usize, usize)>,
}

impl<R: Number> Prepared<R> {
    fn new(plan: &Plan, way: Option<Way>) -> Result<Self, DeviceError> {
        check_bindings(plan)?;
        let mut prepared = Prepared {
            steps: Vec::with_capacity(plan.steps.len()),
            registers: 0,
            scratch: 0,
            shared: 0,
            packed: 0,
            constants: Vec::new(),
        };
        let changing: HashSet<BufferId> = plan.steps[plan.prologue..].iter().map(|step| step.write).collect();
        let mut constants: HashMap<(BufferId, Packing), usize> = HashMap::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let broken = |problem: String| DeviceError::Failed(format!("step {index}: {problem}"));
            let kernel = R::prepare(&step.kernel, way).map_err(broken)?;
            let needs = kernel.needs();
            check_buffers(plan, step, &needs).map_err(broken)?;
            prepared.registers = needs.registers.max(prepared.registers);
            prepared.scratch = needs.scratch.max(prepared.scratch);
            prepared.shared = needs.shared.max(prepared.shared);
            let (reads, write) = (step.reads.clone(), step.write);
            let constant = kernel.packing().map(|packing| (reads[packing.read], packing));
            let constant =
                constant.filter(|(buffer, _)| index >= plan.prologue && !changing.contains(buffer));
            let packed = constant.map(|key| {
                let next = prepared.constants.len();
                *constants.entry(key).or_insert_with(|| {
                    prepared.constants.push((index, key.1.len));
                    next
                })
            });
            if packed.is_none() {
                prepared.packed = needs.packed.max(prepared.packed);
            }
            prepared.steps.push(Step { kernel, reads, write, len: needs.write, packed });
        }
        Ok(prepared)
    }

    /// Elements beside the plan's buffers.
    fn workspaces(&self) -> usize {
        let per_thread = self.registers * BLOCK + self.scratch;
        let constants: usize = self.constants.iter().map(|(_, len)| len).sum();
        let whole = self.shared + self.packed + constants;
        per_thread.saturating_mul(rayon::current_num_threads()).saturating_add(whole)
    }
}

/// Bytes that a compiled plan takes.
///
/// # Errors
/// As for [`CpuExecutable::new`].
pub(super) fn required<R: Number>(plan: &Plan, way: Option<Way>) -> Result<u64, DeviceError> {
    let plan = &plan.in_place();
    budget::required::<R>(plan, Prepared::<R>::new(plan, way)?.workspaces())
}

impl<R: Number> CpuExecutable<R> {
    pub(super) fn new(plan: &Plan, isa: Isa, way: Option<Way>) -> Result<Self, DeviceError> {
        let plan = &plan.in_place();
        let prepared = Prepared::new(plan, way)?;
        budget::required::<R>(plan, prepared.workspaces())?;
        let Prepared { steps, registers, scratch, shared, packed, constants } = prepared;
        let (packing, lens): (Vec<usize>, Vec<usize>) = constants.into_iter().unzip();
        let mut prologue_reads = plan.prologue_reads();
        prologue_reads.extend(packing.iter().flat_map(|&step| &steps[step].reads));
        let mut buffers = pieces::<R>(&plan.buffers)?;
        for (buffer, values) in &plan.literals {
            for (to, &value) in buffers[*buffer].iter_mut().zip(values.iter()) {
                *to = R::of(value);
            }
        }
        Ok(CpuExecutable {
            steps,
            buffers,
            bound: plan.bound.clone(),
            workers: Workers::new(isa, [registers, scratch, shared, packed])?,
            prologue: plan.prologue,
            prologue_reads,
            constants: packing.into_iter().zip(pieces(&lens)?).collect(),
            stale: true,
        })
    }

    /// Fills the buffer of an input or state, row-major.
    pub fn write_typed(&mut self, input: Var, data: &[R]) -> Result<(), DeviceError> {
        let slice = self.slice_mut(input, data.len())?;
        slice.copy_from_slice(data);
        Ok(())
    }

    /// Replays the plan. Values that are not finite are carried along.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if there is no memory for a thread that was not there when the plan was compiled.
    pub fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        self.workers.fit_pool()?;
        let crew = self.workers.crew();
        crew.lead(rayon::current_num_threads() - 1, || self.replay(iterations));
        Ok(())
    }

    fn replay(&mut self, iterations: usize) {
        if iterations > 0 && std::mem::take(&mut self.stale) {
            self.run_steps(0..self.prologue);
            self.pack_constants();
        }
        for _ in 0..iterations {
            self.run_steps(self.prologue..self.steps.len());
        }
    }

    fn run_steps(&mut self, range: Range<usize>) {
        for step in &self.steps[range] {
            // No step reads the buffer it writes, so the buffer can be taken out meanwhile.
            let mut out = std::mem::take(&mut self.buffers[step.write]);
            let reads = &step.operands(&self.buffers)[..step.reads.len()];
            let (out_part, workers) = (&mut out[..step.len], &mut self.workers);
            match step.packed {
                Some(index) => step.kernel.run_packed(reads, &self.constants[index].1, out_part, workers),
                None => step.kernel.run(reads, out_part, workers),
            }
            self.buffers[step.write] = out;
        }
    }

    fn pack_constants(&mut self) {
        for (step, packed) in &mut self.constants {
            let step = &self.steps[*step];
            step.kernel.pack(&step.operands(&self.buffers)[..step.reads.len()], packed, &mut self.workers);
        }
    }

    /// One whole iteration, prologue included, and how long each step took.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if there is no memory for a thread that was not there when the plan was compiled.
    pub fn run_timed(&mut self) -> Result<Vec<Duration>, DeviceError> {
        self.workers.fit_pool()?;
        self.stale = false;
        let mut times = Vec::with_capacity(self.steps.len());
        self.workers.crew().lead(rayon::current_num_threads() - 1, || {
            for step in 0..self.steps.len() {
                if step == self.prologue {
                    self.pack_constants();
                }
                let started = Instant::now();
                self.run_steps(step..step + 1);
                times.push(started.elapsed());
            }
        });
        Ok(times)
    }

    /// Reads an input, a state or a kept output, row-major.
    pub fn read_typed(&self, output: Var) -> Result<Vec<R>, DeviceError> {
        let &(buffer, len) = self.bound.get(&output).ok_or(DeviceError::UnknownVar(output))?;
        Ok(self.buffers[buffer][..len].to_vec())
    }

    fn slice_mut(&mut self, var: Var, found: usize) -> Result<&mut [R], DeviceError> {
        let &(buffer, expected) = self.bound.get(&var).ok_or(DeviceError::UnknownVar(var))?;
        if found != expected {
            return Err(DeviceError::WrongLength { var, expected, found });
        }
        self.stale |= self.prologue_reads.contains(&buffer);
        Ok(&mut self.buffers[buffer][..expected])
    }
}

impl<R: Number> Executable for CpuExecutable<R> {
    fn write(&mut self, input: Var, data: &[f32]) -> Result<(), DeviceError> {
        let slice = self.slice_mut(input, data.len())?;
        for (to, &value) in slice.iter_mut().zip(data) {
            *to = R::of_f32(value);
        }
        Ok(())
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        CpuExecutable::run(self, iterations)
    }

    fn read(&mut self, output: Var) -> Result<Vec<f32>, DeviceError> {
        Ok(self.read_typed(output)?.into_iter().map(R::into_f32).collect())
    }
}

/// That no step, literal or bound variable reaches beyond the plan's buffers, on any device.
#[cfg(feature = "gpu")]
pub(crate) fn check(plan: &Plan) -> Result<(), DeviceError> {
    check_bindings(plan)?;
    for (index, step) in plan.steps.iter().enumerate() {
        f32::prepare(&step.kernel, None)
            .and_then(|kernel| check_buffers(plan, step, &kernel.needs()))
            .map_err(|problem| DeviceError::Failed(format!("step {index}: {problem}")))?;
    }
    Ok(())
}

/// That literals and bound variables fit into their buffers.
fn check_bindings(plan: &Plan) -> Result<(), DeviceError> {
    let fits = |buffer: BufferId, len: usize| plan.buffers.get(buffer).is_some_and(|&have| have >= len);
    let broken = |what: String| Err(DeviceError::Failed(what));
    if let Some((buffer, _)) = plan.literals.iter().find(|(buffer, values)| !fits(*buffer, values.len())) {
        return broken(format!("a literal does not fit into buffer {buffer}"));
    }
    match plan.bound.iter().find(|&(_, &(buffer, len))| !fits(buffer, len)) {
        Some((var, (buffer, _))) => broken(format!("{var:?} does not fit into buffer {buffer}")),
        None => Ok(()),
    }
}

/// That the step's buffers exist, are large enough, and that it does not read what it writes.
fn check_buffers(
    plan: &Plan,
    step: &crate::plan::kernel::Step,
    needs: &kernels::Needs,
) -> Result<(), String> {
    let fused = matches!(step.kernel, Kernel::Map(_) | Kernel::MapReduce(_));
    let expected = needs.reads.len();
    if step.reads.len() < expected
        || (!fused && step.reads.len() > expected)
        || step.reads.len() > MAX_MAP_READS
    {
        return Err(format!("{} buffers read, {expected} expected", step.reads.len()));
    }
    if step.reads.contains(&step.write) {
        return Err(format!("reads buffer {}, which it writes", step.write));
    }
    let unused = std::iter::repeat(&0);
    let reads = step.reads.iter().zip(needs.reads.iter().chain(unused));
    for (&buffer, &needed) in reads.chain([(&step.write, &needs.write)]) {
        match plan.buffers.get(buffer) {
            None => return Err(format!("there is no buffer {buffer}")),
            Some(&len) if len < needed => {
                return Err(format!("buffer {buffer} has {len} elements, {needed} are used"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
