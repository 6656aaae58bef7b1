//! Pictures that a generator makes, as what is unknown: the numbers that it makes them of, or its weights.

use std::{fmt, sync::Arc};

use super::{
    config::Output,
    setting::Trial,
    unknown::{Constant, Moves, Unknown, Variable},
};
use crate::{
    data::Normalisation,
    nn::{
        Declaration, drawn,
        generator::{Generator, apply, declarations, spectral},
        scale::enlarge,
    },
    random,
    tape::{Tape, Var},
};

/// A generator with its tensors, one a declaration.
#[derive(Clone)]
pub struct Trained {
    pub generator: Arc<dyn Generator>,
    pub tensors: Arc<Vec<Vec<f32>>>,
    /// Where it comes from and what it was trained on, for reports; `None`: nobody trained it.
    pub from: Option<String>,
}

impl fmt::Debug for Trained {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "generator {}", self.from.as_deref().unwrap_or("that nobody trained"))
    }
}

impl Trained {
    /// One that nobody trained.
    pub fn untrained(generator: Arc<dyn Generator>, seed: u64) -> Trained {
        let declarations = declarations(&*generator);
        let tensors = drawn(&declarations, &mut random::generator(seed, "generator"));
        Trained { generator, tensors: Arc::new(tensors), from: None }
    }
}

/// A generator, and how its pictures become what a victim takes.
#[derive(Clone)]
pub struct Source {
    pub generator: Arc<dyn Generator>,
    /// `[C, H, W]` that the victim takes: pictures of another size are resized.
    pub image: [usize; 3],
    pub normalisation: Normalisation,
    pub output: Output,
}

impl Source {
    /// `(T,B,C,H,W)` from numbers `(T,B,Z)` and tensors `(T,…)`.
    fn pictures(&self, tape: &mut Tape, latent: Var, tensors: &[Var]) -> Var {
        let made = apply(&*self.generator, tape, 0..self.generator.stages(), latent, tensors);
        let [_, height, width] = self.image;
        let sized = enlarge(tape, made, [height, width]);
        match self.output {
            Output::Tanh => sized,
            Output::Half => self.normalised(tape, sized),
        }
    }

    /// Of pictures in [−1, 1].
    fn normalised(&self, tape: &mut Tape, pictures: Var) -> Var {
        let (mean, std) = (self.normalisation.mean(), self.normalisation.std());
        let scale: Vec<f64> = std.iter().map(|&s| 0.5 / f64::from(s)).collect();
        let shift: Vec<f64> =
            mean.iter().zip(std).map(|(&m, &s)| (0.5 - f64::from(m)) / f64::from(s)).collect();
        let [scale, shift] = [scale, shift].map(|values| tape.literal(&[1, 1, values.len(), 1, 1], values));
        let scaled = tape.mul(pictures, scale);
        tape.add(scaled, shift)
    }

    /// First numbers of a trial, N(0, 1).
    fn latent(&self, batch: usize, seed: u64, Trial { target, restart, .. }: Trial) -> Vec<f32> {
        let mut generator = random::generator(seed, &format!("generator's latent {target} {restart}"));
        random::normal(&mut generator, batch * self.generator.latent())
    }
}

/// The numbers, for a generator that all trials share.
pub struct Latent {
    /// `B`
    pub batch: usize,
    pub source: Source,
    pub tensors: Arc<Vec<Vec<f32>>>,
}

impl Unknown for Latent {
    fn variables(&self) -> Vec<Variable> {
        vec![Variable::free(&[self.batch, self.source.generator.latent()])]
    }

    fn constants(&self) -> Vec<Constant<'_>> {
        let declarations = declarations(&*self.source.generator).into_iter();
        let pairs = declarations.zip(self.tensors.iter());
        pairs.map(|(d, values)| Constant { shape: d.shape, values }).collect()
    }

    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        vec![self.source.latent(self.batch, seed, trial)]
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], constants: &[Var]) -> Var {
        let trials = tape.shape(variables[0])[0];
        let tensors: Vec<Var> = constants
            .iter()
            .map(|&constant| {
                let full = [&[trials], &tape.shape(constant)[1..]].concat();
                tape.broadcast_to(constant, &full)
            })
            .collect();
        self.source.pictures(tape, variables[0], &tensors)
    }
}

/// The weights, a copy of each trial's own, for numbers that stay.
#[derive(Clone)]
pub struct Weights {
    /// `B`
    batch: usize,
    source: Source,
    declarations: Vec<Declaration>,
    /// Where all trials start; else each draws its own.
    tensors: Option<Arc<Vec<Vec<f32>>>>,
}

impl Weights {
    /// That each trial draws for itself.
    pub fn drawn(batch: usize, source: Source) -> Weights {
        let declarations = declarations(&*source.generator);
        Weights { batch, source, declarations, tensors: None }
    }

    /// That start from these.
    pub fn starting_from(batch: usize, source: Source, tensors: Arc<Vec<Vec<f32>>>) -> Weights {
        Weights { tensors: Some(tensors), ..Weights::drawn(batch, source) }
    }

    /// What moves a tensor.
    fn moves(declaration: &Declaration) -> Moves {
        match declaration.trainable {
            true => Moves::Optimiser,
            false if spectral::is_moved(declaration) => Moves::Rule,
            false => Moves::Kept,
        }
    }
}

impl Unknown for Weights {
    /// The numbers, then the generator's tensors.
    fn variables(&self) -> Vec<Variable> {
        let numbers = [self.batch, self.source.generator.latent()];
        let latent = Variable { moves: Moves::Kept, ..Variable::free(&numbers) };
        let tensor = |d: &Declaration| Variable { moves: Weights::moves(d), ..Variable::free(&d.shape) };
        [latent].into_iter().chain(self.declarations.iter().map(tensor)).collect()
    }

    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        let Trial { target, restart, .. } = trial;
        let weights = match &self.tensors {
            Some(tensors) => tensors.to_vec(),
            None => {
                let purpose = format!("generator's weights {target} {restart}");
                let raw = drawn(&self.declarations, &mut random::generator(seed, &purpose));
                spectral::settled(&self.declarations, raw)
            }
        };
        [self.source.latent(self.batch, seed, trial)].into_iter().chain(weights).collect()
    }

    fn follow(&self, tape: &mut Tape, variables: &[Var]) -> Vec<Var> {
        spectral::moved(tape, &self.declarations, &variables[1..])
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], _: &[Var]) -> Var {
        self.source.pictures(tape, variables[0], &variables[1..])
    }
}
