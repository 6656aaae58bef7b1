//! Pictures that a generator makes, as what is unknown: its latent, its weights, or the features between its stages.

use std::sync::Arc;

pub use super::source::{Classes, Prior, Source};
use super::{
    AttackError,
    setting::Trial,
    unknown::{Bounds, Constant, Moves, Unknown, Variable},
};
use crate::{
    device::{Device, cpu::Cpu, write_all},
    nn::{
        Declaration, drawn,
        generator::{apply, declarations, shape_into, spectral, tensors_of},
    },
    plan::Plan,
    random,
    tape::{Tape, Var},
};

/// The latent, for a generator that all trials share (Jeon 2021, first stage).
pub struct Latent {
    /// `B`
    pub batch: usize,
    /// The generator, and how its pictures become the victim's.
    pub source: Source,
    /// The generator's values, in the order of its declarations.
    pub tensors: Arc<Vec<Vec<f32>>>,
    /// Weight of the KL divergence of a picture's latent from N(0, 1).
    pub latent_kl: f64,
}

/// Keeps the logarithm of numbers that are all the same finite.
const LEAST_VARIANCE: f64 = 1e-12;

impl Unknown for Latent {
    fn variables(&self) -> Vec<Variable> {
        self.source.variables(self.batch, Moves::Optimiser)
    }

    fn constants(&self) -> Vec<Constant<'_>> {
        constants(&self.source, 0, &self.tensors)
    }

    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        self.source.start(self.batch, seed, trial)
    }

    /// KL divergence of each picture's latent, taken for draws from one normal distribution, from N(0, 1):
    /// ½(σ² + μ² − 1 − ln σ²), the mean over the batch (Fang 2023).
    fn penalty(&self, tape: &mut Tape, variables: &[Var]) -> Option<Var> {
        (self.latent_kl != 0.0).then(|| {
            let numbers = variables[0];
            let mean = tape.mean(numbers, &[2]);
            let centred = tape.sub(numbers, mean);
            let square = tape.mul(centred, centred);
            let variance = tape.mean(square, &[2]);
            let variance = tape.add_scalar(variance, LEAST_VARIANCE);
            let log = tape.log(variance);
            let mean = tape.mul(mean, mean);
            let both = tape.add(variance, mean);
            let all = tape.sub(both, log);
            let all = tape.add_scalar(all, -1.0);
            let sum = tape.sum_per_trial(all);
            tape.mul_scalar(sum, 0.5 * self.latent_kl / self.batch as f64)
        })
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], constants: &[Var]) -> Var {
        let latent = Source::latent(tape, variables);
        let tensors = of_every_trial(tape, variables[0], constants);
        self.source.pictures(tape, 0, latent, &tensors)
    }
}

/// The tensors from a stage on.
fn constants<'a>(source: &Source, stage: usize, tensors: &'a [Vec<f32>]) -> Vec<Constant<'a>> {
    let first = tensors_of(&*source.generator, 0..stage).end;
    let pairs = declarations(&*source.generator).into_iter().zip(tensors).skip(first);
    pairs.map(|(d, values)| Constant { shape: d.shape, values }).collect()
}

/// Constants `(1,…)` as `(T,…)`, like a variable.
fn of_every_trial(tape: &mut Tape, variable: Var, constants: &[Var]) -> Vec<Var> {
    let trials = tape.shape(variable)[0];
    let full = |&constant: &Var| {
        let full = [&[trials], &tape.shape(constant)[1..]].concat();
        tape.broadcast_to(constant, &full)
    };
    constants.iter().map(full).collect()
}

/// What goes into one of the stages, near where its search began, for a generator that all trials share (Fang 2023).
pub struct Features {
    /// `B`
    pub batch: usize,
    /// The generator, and how its pictures become the victim's.
    pub source: Source,
    /// The generator's values, in the order of its declarations.
    pub tensors: Arc<Vec<Vec<f32>>>,
    /// Which stage: 1 or more.
    pub stage: usize,
    /// Of the l1 ball that each picture's features stay in, in units of their l1 norm at its centre.
    pub radius: f64,
}

impl Features {
    /// Values of this unknown's variables from those of the stage before: the features as they come out there, twice.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn from_before(&self, before: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, AttackError> {
        let generator = &*self.source.generator;
        let mut tape = Tape::new();
        let shape = [&[1], &shape_into(generator, self.stage - 1, self.batch)[..]].concat();
        let (inputs, x) = match self.stage {
            1 => {
                let own = self.source.variables(self.batch, Moves::Kept);
                let own: Vec<Var> = own.iter().map(|v| tape.input(&[&[1], &v.shape[..]].concat())).collect();
                let x = Source::latent(&mut tape, &own);
                (own, x)
            }
            _ => {
                let x = tape.input(&shape);
                (vec![x], x)
            }
        };
        let stages = self.stage - 1..self.stage;
        let own = tensors_of(generator, stages.clone());
        let declared = &declarations(generator)[own.clone()];
        let tensors: Vec<Var> = declared.iter().map(|d| tape.input(&[&[1], &d.shape[..]].concat())).collect();
        let features = apply(generator, &mut tape, stages, x, &tensors);
        let mut executable = Cpu::<f32>::new().compile(&Plan::new(&tape, &[features], &[]))?;
        write_all(&mut *executable, &tensors, &self.tensors[own])?;
        write_all(&mut *executable, &inputs, before)?;
        executable.run(1)?;
        let features = executable.read(features)?;
        Ok(vec![features.clone(), features])
    }
}

impl Unknown for Features {
    /// The features, and where their ball has its centre.
    fn variables(&self) -> Vec<Variable> {
        let shape = shape_into(&*self.source.generator, self.stage, self.batch);
        let bounds = Bounds::Ball { centre: 1, share: self.radius };
        let centre = Variable { moves: Moves::Kept, ..Variable::free(&shape) };
        vec![Variable { bounds, ..Variable::free(&shape) }, centre]
    }

    fn constants(&self) -> Vec<Constant<'_>> {
        constants(&self.source, self.stage, &self.tensors)
    }

    /// Nowhere: it starts at what the stage before hands over.
    fn start(&self, _: u64, _: Trial) -> Vec<Vec<f32>> {
        self.variables().iter().map(|v| vec![0.0; v.shape.iter().product()]).collect()
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], constants: &[Var]) -> Var {
        let tensors = of_every_trial(tape, variables[0], constants);
        self.source.pictures(tape, self.stage, variables[0], &tensors)
    }
}

/// The weights, a copy of each trial's own, for a latent that stays (Jeon 2021, second stage).
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

    /// Variables before the generator's tensors.
    fn numbers(&self) -> usize {
        if self.source.generator.classes() == 0 { 1 } else { 2 }
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
        let tensor = |d: &Declaration| Variable { moves: Weights::moves(d), ..Variable::free(&d.shape) };
        let latent = self.source.variables(self.batch, Moves::Kept).into_iter();
        latent.chain(self.declarations.iter().map(tensor)).collect()
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
        self.source.start(self.batch, seed, trial).into_iter().chain(weights).collect()
    }

    fn follow(&self, tape: &mut Tape, variables: &[Var]) -> Vec<Var> {
        spectral::moved(tape, &self.declarations, &variables[self.numbers()..])
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], _: &[Var]) -> Var {
        let (latent, tensors) = variables.split_at(self.numbers());
        let latent = Source::latent(tape, latent);
        self.source.pictures(tape, 0, latent, tensors)
    }
}
