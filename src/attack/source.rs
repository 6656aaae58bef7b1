//! What a generator makes pictures from, and how these become what a victim takes.

use std::{fmt, sync::Arc};

use super::{
    config::Output,
    setting::Trial,
    unknown::{Bounds, Moves, Variable, normalised},
};
use crate::{
    data::Normalisation,
    nn::{
        drawn,
        generator::{Generator, apply, declarations},
        loss::one_hot,
        scale::enlarge,
    },
    random,
    tape::{Tape, Var},
};

/// A generator with its tensors, one a declaration: what an eavesdropper takes pictures to be like.
#[derive(Clone)]
pub struct Prior {
    /// The network.
    pub generator: Arc<dyn Generator>,
    /// Its values, in the order of its declarations, row-major.
    pub tensors: Arc<Vec<Vec<f32>>>,
    /// In the order of their shares; empty: it knows none.
    pub class_names: Vec<String>,
    /// What tables call it: its file's stem, `builtin` or `untrained`.
    pub name: String,
    /// Where it comes from and what it was trained on, for reports; `None`: nobody trained it.
    pub from: Option<String>,
}

impl fmt::Debug for Prior {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "generator {}", self.from.as_deref().unwrap_or("that nobody trained"))
    }
}

impl Prior {
    /// One that nobody trained.
    pub fn untrained(generator: Arc<dyn Generator>, seed: u64) -> Prior {
        let declarations = declarations(&*generator);
        let tensors = drawn(&declarations, &mut random::generator(seed, "generator"));
        let name = "untrained".into();
        Prior { generator, tensors: Arc::new(tensors), class_names: vec![], name, from: None }
    }
}

/// A generator, and how its pictures become what a victim takes.
#[derive(Clone)]
pub struct Source {
    /// The network.
    pub generator: Arc<dyn Generator>,
    /// `[C, H, W]` that the victim takes: pictures of another size are resized.
    pub image: [usize; 3],
    /// Mean and deviation that the victim's pictures are given.
    pub normalisation: Normalisation,
    /// How the generator's last tanh becomes pixels.
    pub output: Output,
    /// What it is asked for.
    pub classes: Classes,
}

/// The classes that a class-conditional generator is asked for.
#[derive(Clone, Debug)]
pub enum Classes {
    /// None: it knows none, or how much a picture is of each is sought, too.
    Open,
    /// Of each picture, whatever the target.
    Pictures(Vec<usize>),
    /// Of each target's pictures under each of its hypotheses. `first`: the first target's number among all that share the seed.
    Targets {
        /// As [`Setting::first`](super::setting::Setting::first).
        first: usize,
        /// By target, hypothesis and picture.
        of: Arc<Vec<Vec<Vec<usize>>>>,
    },
}

impl Classes {
    /// Of a trial's pictures; empty where they are sought, or the trial is none of these.
    fn of(&self, Trial { target, hypothesis, .. }: Trial) -> &[usize] {
        match self {
            Classes::Open => &[],
            Classes::Pictures(classes) => classes,
            Classes::Targets { first, of } => {
                let own = target.checked_sub(*first).and_then(|target| of.get(target)?.get(hypothesis));
                own.map_or(&[], Vec::as_slice)
            }
        }
    }
}

impl Source {
    /// `(T,B,C,H,W)` from what goes into a stage, `(T,B,…)`, and the tensors `(T,…)` of it and all further ones.
    pub(super) fn pictures(&self, tape: &mut Tape, stage: usize, x: Var, tensors: &[Var]) -> Var {
        let stages = stage..self.generator.stages();
        let made = apply(&*self.generator, tape, stages, x, tensors);
        let [_, height, width] = self.image;
        let sized = enlarge(tape, made, [height, width]);
        match self.output {
            Output::Tanh => sized,
            Output::Half => normalised(tape, sized, &self.normalisation),
        }
    }

    /// Numbers of a picture that are no class's share.
    fn numbers(&self) -> usize {
        self.generator.latent() - self.generator.classes()
    }

    /// What each trial has to make pictures of: the numbers, then the classes' shares where the generator knows any.
    pub(super) fn variables(&self, batch: usize, moves: Moves) -> Vec<Variable> {
        let numbers = Variable { moves, ..Variable::free(&[batch, self.numbers()]) };
        let known = self.generator.classes();
        if known == 0 {
            return vec![numbers];
        }
        let moves = if let Classes::Open = self.classes { moves } else { Moves::Kept };
        let bounds = Bounds::Range { shape: vec![1, 1], low: vec![0.0], high: vec![1.0] };
        vec![numbers, Variable { moves, bounds, ..Variable::free(&[batch, known]) }]
    }

    /// First values of these: numbers from N(0, 1), and a class that is open has equal shares of all.
    pub(super) fn start(&self, batch: usize, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        let Trial { target, restart, .. } = trial;
        let mut generator = random::generator(seed, &format!("generator's latent {target} {restart}"));
        let numbers = random::normal(&mut generator, batch * self.numbers());
        match (self.generator.classes(), self.classes.of(trial)) {
            (0, _) => vec![numbers],
            (known, []) => vec![numbers, vec![1.0 / known as f32; batch * known]],
            (known, classes) => vec![numbers, one_hot(classes, known)],
        }
    }

    /// What goes into the first stage, `(T,B,Z)`.
    pub(super) fn latent(tape: &mut Tape, variables: &[Var]) -> Var {
        match variables {
            [numbers] => *numbers,
            all => tape.concat(all, 2),
        }
    }
}
