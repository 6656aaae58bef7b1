//! Networks that make pictures from a few numbers: lists of stages, so that what goes from one to the next can be taken
//! out and put back in.

mod dcgan;
mod decoder;
mod discriminator;
pub mod spectral;

use std::ops::Range;

pub use dcgan::Dcgan;
pub use decoder::Decoder;
pub use discriminator::Discriminator;

use super::{
    Declaration, Mode, Network, Statistics,
    options::{Activation, Norm},
};
use crate::tape::{Tape, Var};

/// A network that makes pictures.
pub trait Generator: Send + Sync {
    /// `[C, H, W]` of its pictures.
    fn image(&self) -> [usize; 3];

    /// Numbers that its first stage takes for one picture.
    fn latent(&self) -> usize;

    /// Of these, the last are the shares of so many classes; 0: it knows no classes.
    fn classes(&self) -> usize {
        0
    }

    /// How many stages it has.
    fn stages(&self) -> usize;

    /// One of them: `(T,B,Z)` into the first, pictures `(T,B,C,H,W)` in [−1, 1] out of the last.
    fn stage(&self, net: &mut Network, stage: usize, x: Var) -> Var;

    /// Which statistics its batch norm uses.
    fn mode(&self) -> Mode;
}

/// All of a generator's tensors, in the order in which its stages use them.
pub fn declarations(generator: &dyn Generator) -> Vec<Declaration> {
    let mut tape = Tape::new();
    let z = tape.input(&[1, 1, generator.latent()]);
    let (_, net) = trace(generator, &mut tape, 0..generator.stages(), z, None);
    net.parameters.into_iter().map(|parameter| parameter.declaration).collect()
}

/// Which of [`declarations`] these stages use.
pub fn tensors_of(generator: &dyn Generator, stages: Range<usize>) -> Range<usize> {
    let used = |end: usize| {
        let mut tape = Tape::new();
        let z = tape.input(&[1, 1, generator.latent()]);
        trace(generator, &mut tape, 0..end, z, None).1.parameters.len()
    };
    used(stages.start)..used(stages.end)
}

/// Of what goes into a stage, for so many pictures: `[B, …]`.
pub fn shape_into(generator: &dyn Generator, stage: usize, batch: usize) -> Vec<usize> {
    let mut tape = Tape::new();
    let z = tape.input(&[1, batch, generator.latent()]);
    let (x, _) = trace(generator, &mut tape, 0..stage, z, None);
    tape.shape(x)[1..].to_vec()
}

/// What these stages make of `x`, given the values `(T,…)` of the tensors that they declare.
pub fn apply(
    generator: &dyn Generator,
    tape: &mut Tape,
    stages: Range<usize>,
    x: Var,
    values: &[Var],
) -> Var {
    trace(generator, tape, stages, x, Some(values.to_vec())).0
}

/// The same of all stages, and what each batch norm saw.
pub fn apply_and_watch(
    generator: &dyn Generator,
    tape: &mut Tape,
    x: Var,
    values: &[Var],
) -> (Var, Vec<Statistics>) {
    let (y, net) = trace(generator, tape, 0..generator.stages(), x, Some(values.to_vec()));
    (y, net.statistics)
}

fn trace<'t>(
    generator: &dyn Generator,
    tape: &'t mut Tape,
    stages: Range<usize>,
    x: Var,
    given: Option<Vec<Var>>,
) -> (Var, Network<'t>) {
    let mut net = network(tape, x, generator.mode(), given);
    let y = stages.fold(x, |x, stage| generator.stage(&mut net, stage, x));
    (y, net)
}

/// One that has no layer yet, for `x (T,…)`.
fn network(tape: &mut Tape, x: Var, mode: Mode, given: Option<Vec<Var>>) -> Network<'_> {
    let trials = tape.shape(x)[0];
    Network {
        tape,
        trials,
        mode,
        activation: Activation::Relu,
        norm: Norm::Batch,
        parameters: vec![],
        statistics: vec![],
        linear: vec![],
        given,
    }
}
