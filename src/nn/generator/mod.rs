//! Networks that make pictures from a few numbers: lists of stages, so that what goes from one to the next can be taken
//! out and put back in.

mod dcgan;
mod decoder;
pub mod spectral;

use std::ops::Range;

pub use dcgan::Dcgan;
pub use decoder::Decoder;

use super::{
    Declaration, Mode, Network,
    options::{Activation, Norm},
};
use crate::tape::{Tape, Var};

/// A network that makes pictures.
pub trait Generator: Send + Sync {
    /// `[C, H, W]` of its pictures.
    fn image(&self) -> [usize; 3];

    /// Numbers that its first stage takes for one picture.
    fn latent(&self) -> usize;

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

fn trace<'t>(
    generator: &dyn Generator,
    tape: &'t mut Tape,
    stages: Range<usize>,
    x: Var,
    given: Option<Vec<Var>>,
) -> (Var, Network<'t>) {
    let trials = tape.shape(x)[0];
    let mut net = Network {
        tape,
        trials,
        mode: generator.mode(),
        activation: Activation::Relu,
        norm: Norm::Batch,
        parameters: vec![],
        statistics: vec![],
        linear: vec![],
        given,
    };
    let y = stages.fold(x, |x, stage| generator.stage(&mut net, stage, x));
    (y, net)
}
