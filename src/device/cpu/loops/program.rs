//! Evaluates fused expressions, one block of elements at a time.
//!
//! A value of the program is a register of [`BLOCK`] elements that stays in the first-level cache, and
//! every instruction is one tight loop over it. A value that is the same for a whole block, such as a channel's scale, is
//! computed once.

use super::{lanes, space::Space};
use crate::{
    device::cpu::{
        memory::{prefetch::prefetch, workers::BLOCK},
        vectors::{Isa, Real},
    },
    plan::kernel::{Instr, Program, Source},
    tape::op::{Binary, Unary},
};

/// What a program reads.
#[derive(Clone, Copy)]
pub struct Inputs<'s, 'a, R> {
    pub isa: Isa,
    /// Its buffers.
    pub reads: &'s [&'a [R]],
    /// The points of a block of each leaf that is brought, see [`Compiled::new`].
    pub turned: &'s [&'s [R]],
}

impl<'s, 'a, R> Inputs<'s, 'a, R> {
    pub fn new(isa: Isa, reads: &'s [&'a [R]]) -> Self {
        Inputs { isa, reads, turned: &[] }
    }
}

/// A program with registers assigned, over a given index space.
#[derive(Clone, Debug)]
pub struct Compiled<R> {
    space: Space,
    lines: Vec<Line>,
    /// Registers whose first element is one value throughout.
    pinned: Vec<(usize, Pinned<R>)>,
    registers: usize,
    /// Points that are evaluated together.
    block: usize,
    /// Leaves whose elements the caller brings.
    turned: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Line {
    op: Op,
    to: To,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
enum To {
    Register(usize),
    /// The first element of a register.
    Scalar(usize),
    Result,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Load(usize),
    Copy(Operand),
    Unary(Unary, Operand),
    Binary(Binary, Operand, Operand),
    Select(Operand, Operand, Operand),
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Register(usize),
    /// The first element of a register, for the whole block.
    Scalar(usize),
    /// A leaf's elements where they are stored.
    Direct(usize),
    /// A leaf's elements that the caller brings.
    Turned(usize),
}

#[derive(Clone, Copy, Debug)]
enum Pinned<R> {
    Constant(R),
    Leaf(usize),
}

impl<R: Real> Compiled<R> {
    /// `by_rows`: blocks may be chosen so that they lie in rows of the space, see [`Compiled::block_len`]. Without, they may
    /// start anywhere.
    /// `turned`: leaves whose elements [`Compiled::block`] is given.
    pub fn new(program: &Program, space: Space, by_rows: bool, turned: Vec<usize>) -> Self {
        let count = program.code.len();
        let mut last_use = vec![None; count];
        for (i, instr) in program.code.iter().enumerate() {
            for operand in operands(instr) {
                last_use[operand] = Some(i);
            }
        }
        let block = if by_rows { space.block(BLOCK) } else { BLOCK };
        let mut compiled =
            Compiled { space, lines: Vec::new(), pinned: Vec::new(), registers: 0, block, turned };
        let mut places: Vec<Option<Operand>> = vec![None; count];
        let mut free = Vec::new();
        for (i, instr) in program.code.iter().enumerate() {
            let result = i + 1 == count;
            if last_use[i].is_none() && !result {
                continue;
            }
            let stored = match *instr {
                Instr::Const(c) => Some(Operand::Scalar(compiled.pin(Pinned::Constant(R::of(c))))),
                Instr::Load(leaf) if compiled.space.leaves[leaf].is_uniform() => {
                    Some(Operand::Scalar(compiled.pin(Pinned::Leaf(leaf))))
                }
                Instr::Load(leaf) if compiled.turned.contains(&leaf) => {
                    compiled.turned.iter().position(|&turned| turned == leaf).map(Operand::Turned)
                }
                Instr::Load(leaf) if compiled.space.is_direct(leaf, by_rows.then_some(block)) => {
                    Some(Operand::Direct(leaf))
                }
                _ => None,
            };
            let place = |value: usize| places[value].expect("operands come earlier");
            let (op, scalar) = match *instr {
                _ if let Some(stored) = stored => (Op::Copy(stored), false),
                Instr::Const(_) => unreachable!("constants are pinned"),
                Instr::Load(leaf) => {
                    (Op::Load(leaf), by_rows && compiled.space.is_same_along_rows(leaf, block))
                }
                Instr::Unary(op, a) => (Op::Unary(op, place(a)), place(a).is_scalar()),
                Instr::Binary(op, a, b) => {
                    (Op::Binary(op, place(a), place(b)), place(a).is_scalar() && place(b).is_scalar())
                }
                Instr::Select(mask, a, b) => {
                    let operands = [place(mask), place(a), place(b)];
                    let scalar = operands.iter().all(Operand::is_scalar);
                    let [mask, a, b] = if scalar { operands } else { operands.map(|a| compiled.spread(a)) };
                    (Op::Select(mask, a, b), scalar)
                }
            };
            if result {
                // Written to the whole block, whatever it is made of.
                let op = match op {
                    Op::Load(_) | Op::Copy(_) => op,
                    _ if scalar => {
                        let register = compiled.new_register();
                        compiled.lines.push(Line { op, to: To::Scalar(register) });
                        Op::Copy(Operand::Scalar(register))
                    }
                    _ => op,
                };
                compiled.lines.push(Line { op, to: To::Result });
                break;
            }
            if stored.is_some() {
                places[i] = stored;
                continue;
            }
            let register = free.pop().unwrap_or_else(|| compiled.new_register());
            let (place, to) = match scalar {
                true => (Operand::Scalar(register), To::Scalar(register)),
                false => (Operand::Register(register), To::Register(register)),
            };
            places[i] = Some(place);
            compiled.lines.push(Line { op, to });
            // Freed after the result has its register: a line never writes what it reads.
            let mut dead: Vec<usize> = operands(instr).filter(|&v| last_use[v] == Some(i)).collect();
            dead.sort_unstable();
            dead.dedup();
            for value in dead {
                if let Some(Operand::Register(r) | Operand::Scalar(r)) = places[value]
                    && compiled.pinned.iter().all(|(pinned, _)| *pinned != r)
                {
                    free.push(r);
                }
            }
        }
        compiled
    }

    /// A scalar as a register of its own.
    fn spread(&mut self, operand: Operand) -> Operand {
        if !operand.is_scalar() {
            return operand;
        }
        let register = self.new_register();
        self.lines.push(Line { op: Op::Copy(operand), to: To::Register(register) });
        Operand::Register(register)
    }

    fn pin(&mut self, value: Pinned<R>) -> usize {
        let register = self.new_register();
        self.pinned.push((register, value));
        register
    }

    fn new_register(&mut self) -> usize {
        self.registers += 1;
        self.registers - 1
    }

    /// Points that [`Compiled::block`] evaluates at most: a power of two, [`BLOCK`] or a row of the space.
    pub fn block_len(&self) -> usize {
        self.block
    }

    /// Its index space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Registers that [`Compiled::block`] needs.
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// Estimated nanoseconds for so many elements, on one thread.
    pub fn work(&self, elements: usize) -> usize {
        elements * (1 + self.lines.len()) / 8
    }

    /// Sets the scalars that keep one value. Call before the first block of a task.
    pub fn begin(&self, reads: &[&[R]], registers: &mut [Vec<R>]) {
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
    pub fn fetch(&self, reads: &[&[R]], start: usize, out: &[R]) {
        for leaf in &self.space.leaves {
            match leaf.data(reads) {
                Some(data) => prefetch(leaf.run(data, start, out.len())),
                None => prefetch(out),
            }
        }
    }

    /// Points `start..start + out.len()`: where they are stored, if the program only reads them, else evaluated into `out`.
    pub fn values<'a>(
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
    pub fn block(&self, inputs: Inputs<R>, start: usize, registers: &mut [Vec<R>], out: &mut [R]) {
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

impl Operand {
    fn is_scalar(&self) -> bool {
        matches!(self, Operand::Scalar(_))
    }
}

fn operands(instr: &Instr) -> impl Iterator<Item = usize> {
    let list = match *instr {
        Instr::Load(_) | Instr::Const(_) => [None; 3],
        Instr::Unary(_, a) => [Some(a), None, None],
        Instr::Binary(_, a, b) => [Some(a), Some(b), None],
        Instr::Select(mask, a, b) => [Some(mask), Some(a), Some(b)],
    };
    list.into_iter().flatten()
}
