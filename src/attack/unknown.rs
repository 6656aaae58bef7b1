//! What an attack looks for, as variables that it can move, and the pictures that these stand for. The pixels
//! themselves are one way ([`Pixels`](super::pixels::Pixels)); latents or weights of a generator are others.

use super::{AttackError, setting::Trial};
use crate::{
    data::Normalisation,
    device::{Device, DeviceError, Executable},
    plan::Plan,
    tape::{Tape, Var},
};

/// What moves a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// The stage's optimiser, by the objective's derivative.
    Optimiser,
    /// A rule of its own, after each step of the optimiser ([`Unknown::follow`]).
    Rule,
    /// Nothing: each trial keeps what it began with.
    Kept,
}

/// A variable of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Of one trial.
    pub shape: Vec<usize>,
    /// Its learning rate is this many times its stage's.
    pub rate: f64,
    /// Where it must stay.
    pub bounds: Bounds,
    /// Adam's sign and noise are not for it: they are meant for pixels, whose gradients differ in scale and not in
    /// meaning.
    pub plain: bool,
    /// All but this and the shape say how the optimiser does it.
    pub moves: Moves,
}

impl Variable {
    /// One that may go anywhere, at its stage's rate, with its stage's sign and noise.
    pub fn free(shape: &[usize]) -> Variable {
        Variable {
            shape: shape.to_vec(),
            rate: 1.0,
            bounds: Bounds::Free,
            plain: false,
            moves: Moves::Optimiser,
        }
    }
}

/// Where a variable must stay.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// Anywhere.
    Free,
    /// Between values of a shape that broadcasts to the variable's.
    Range {
        /// Of both bounds.
        shape: Vec<usize>,
        /// Least values, row-major.
        low: Vec<f32>,
        /// Largest values, row-major.
        high: Vec<f32>,
    },
    /// `(B,…)`: each picture's part within ‖x − c‖₁ ≤ share·‖c‖₁, where c is another of the unknown's variables, of the same
    /// shape.
    Ball {
        /// Position of c among the unknown's variables.
        centre: usize,
        /// Radius, in units of ‖c‖₁.
        share: f64,
    },
}

/// What the pictures depend on and no trial moves, such as the weights of a generator: one copy for all trials.
#[derive(Clone, Debug)]
pub struct Constant<'a> {
    /// Without the trial axis.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: &'a [f32],
}

/// What is unknown: the same for every trial but for where it starts.
pub trait Unknown: Sync {
    /// What each trial has of its own.
    fn variables(&self) -> Vec<Variable>;

    /// What is not.
    fn constants(&self) -> Vec<Constant<'_>> {
        vec![]
    }

    /// First values of a trial's variables, in order. The same seed and trial give the same values, and hypotheses of a
    /// target start alike.
    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>>;

    /// Next values of the variables that follow a rule, in order, given all variables `(T,…)`: what the optimiser moves as it
    /// is now, the others as they were before. No derivative goes through them.
    fn follow(&self, tape: &mut Tape, variables: &[Var]) -> Vec<Var> {
        let _ = (tape, variables);
        vec![]
    }

    /// What is added to the objective for values that are not to be expected, `(T)`.
    fn penalty(&self, tape: &mut Tape, variables: &[Var]) -> Option<Var> {
        let _ = (tape, variables);
        None
    }

    /// Pictures `(T,B,C,H,W)`, normalised as the victim takes them, from variables `(T,…)` and constants `(1,…)`.
    fn picture(&self, tape: &mut Tape, variables: &[Var], constants: &[Var]) -> Var;
}

/// An unknown on a tape.
pub struct Posed {
    /// Inputs `(T,…)`.
    pub variables: Vec<Var>,
    /// Inputs `(1,…)`.
    pub constants: Vec<Var>,
    /// `(T,B,C,H,W)`; the first variable itself where that is a picture.
    pub pictures: Var,
    /// `(T)`
    pub penalty: Option<Var>,
}

impl Posed {
    /// Puts inputs for `trials` trials on the tape, and the pictures that follow from them.
    pub fn new(tape: &mut Tape, unknown: &dyn Unknown, trials: usize) -> Posed {
        let variables: Vec<Var> =
            unknown.variables().iter().map(|v| tape.input(&[&[trials], &v.shape[..]].concat())).collect();
        let constants: Vec<Var> =
            unknown.constants().iter().map(|c| tape.input(&[&[1], &c.shape[..]].concat())).collect();
        let pictures = unknown.picture(tape, &variables, &constants);
        let penalty = unknown.penalty(tape, &variables);
        Posed { variables, constants, pictures, penalty }
    }
}

/// Writes the unknown's constants, `(1,…)` each.
pub fn write_constants(
    unknown: &dyn Unknown,
    constants: &[Var],
    exe: &mut dyn Executable,
) -> Result<(), AttackError> {
    let mut pairs = constants.iter().zip(unknown.constants());
    Ok(pairs.try_for_each(|(&var, constant)| exe.write(var, constant.values))?)
}

/// The pictures of each trial, `(B,C,H,W)`; `values[t]` are the variables of trial `t`.
pub fn pictures(
    device: &dyn Device,
    unknown: &dyn Unknown,
    values: &[Vec<Vec<f32>>],
) -> Result<Vec<Vec<f32>>, AttackError> {
    let mut tape = Tape::new();
    let posed = Posed::new(&mut tape, unknown, values.len());
    if posed.variables.first() == Some(&posed.pictures) {
        return Ok(values.iter().map(|trial| trial[0].clone()).collect());
    }
    let mut exe = device.compile(&Plan::new(&tape, &[posed.pictures], &[]))?;
    write_constants(unknown, &posed.constants, &mut *exe)?;
    for (i, &variable) in posed.variables.iter().enumerate() {
        match exe.write(variable, &of_all(values, i)) {
            // No picture depends on where a ball has its centre.
            Err(DeviceError::UnknownVar(_)) => {}
            written => written?,
        }
    }
    exe.run(1)?;
    let all = exe.read(posed.pictures)?;
    Ok(all.chunks(all.len() / values.len()).map(<[f32]>::to_vec).collect())
}

/// Variable `i` of every trial, one after another.
pub fn of_all(values: &[Vec<Vec<f32>>], i: usize) -> Vec<f32> {
    values.iter().flat_map(|trial| trial[i].iter().copied()).collect()
}

/// Pictures `(T,B,C,H,W)` in [−1, 1] as the victim takes them.
pub(super) fn normalised(tape: &mut Tape, pictures: Var, normalisation: &Normalisation) -> Var {
    let (mean, std) = (normalisation.mean(), normalisation.std());
    let scale: Vec<f64> = std.iter().map(|&s| 0.5 / f64::from(s)).collect();
    let shift: Vec<f64> = mean.iter().zip(std).map(|(&m, &s)| (0.5 - f64::from(m)) / f64::from(s)).collect();
    let [scale, shift] = [scale, shift].map(|values| tape.literal(&[1, 1, values.len(), 1, 1], values));
    let scaled = tape.mul(pictures, scale);
    tape.add(scaled, shift)
}
