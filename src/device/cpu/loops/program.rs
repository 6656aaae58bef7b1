//! Fused expressions, compiled for evaluation one block of elements at a time ([`super::evaluate`]).
//!
//! A value of the program is a register of [`BLOCK`] elements that stays in the first-level cache, and
//! every instruction is one tight loop over it. A value that is the same for a whole block, such as a channel's scale, is
//! computed once.

use super::space::Space;
use crate::{
    device::cpu::{memory::workers::BLOCK, vectors::Real},
    plan::kernel::{Instr, Program},
    tape::op::{Binary, Unary},
};

/// A program with registers assigned, over a given index space.
#[derive(Clone, Debug)]
pub(crate) struct Compiled<R> {
    pub(super) space: Space,
    pub(super) lines: Vec<Line>,
    /// Registers whose first element is one value throughout.
    pub(super) pinned: Vec<(usize, Pinned<R>)>,
    registers: usize,
    /// Points that are evaluated together.
    block: usize,
    /// Leaves whose elements the caller brings.
    turned: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) op: Op,
    pub(super) to: To,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    Register(usize),
    /// The first element of a register.
    Scalar(usize),
    Result,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Load(usize),
    Copy(Operand),
    Unary(Unary, Operand),
    Binary(Binary, Operand, Operand),
    Select(Operand, Operand, Operand),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Register(usize),
    /// The first element of a register, for the whole block.
    Scalar(usize),
    /// A leaf's elements where they are stored.
    Direct(usize),
    /// A leaf's elements that the caller brings.
    Turned(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pinned<R> {
    Constant(R),
    Leaf(usize),
}

impl<R: Real> Compiled<R> {
    /// `block`: points that are evaluated together at most, from multiples of it on. Without it they may start anywhere.
    /// `turned`: leaves whose elements [`Compiled::block`] is given.
    pub(crate) fn new(program: &Program, space: Space, block: Option<usize>, turned: Vec<usize>) -> Self {
        let count = program.code.len();
        let mut last_use = vec![None; count];
        for (i, instr) in program.code.iter().enumerate() {
            for operand in operands(instr) {
                last_use[operand] = Some(i);
            }
        }
        let (by_rows, block) = (block.is_some(), block.unwrap_or(BLOCK));
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

    /// Points that [`Compiled::block`] evaluates at most.
    pub(crate) fn block_len(&self) -> usize {
        self.block
    }

    /// Its index space.
    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    /// Registers that [`Compiled::block`] needs.
    pub(crate) fn registers(&self) -> usize {
        self.registers
    }

    /// Estimated nanoseconds for so many elements, on one thread.
    pub(crate) fn work(&self, elements: usize) -> usize {
        elements * (1 + self.lines.len()) / 8
    }
}

impl Operand {
    pub(super) fn is_scalar(&self) -> bool {
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
