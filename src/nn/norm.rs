//! Normalisation layers. Activations are `(T,B,C,H,W)`.

use super::{
    Init, Network,
    network::{Mode, Statistics},
    options::Norm,
};
use crate::tape::Var;

/// PyTorch's default, of both norms.
const EPSILON: f64 = 1e-5;

/// Numbers of a batch norm layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BatchNorm {
    pub epsilon: f64,
    pub momentum: f64,
}

/// PyTorch's defaults.
const BATCH_NORM: BatchNorm = BatchNorm { epsilon: EPSILON, momentum: 0.1 };

impl Network<'_> {
    /// Batch norm, or what the model has in its place.
    pub fn normalise(&mut self, name: &str, x: Var) -> Var {
        match self.norm {
            Norm::Batch => self.batch_norm(name, x),
            Norm::Group(groups) => self.group_norm(name, x, groups),
        }
    }

    /// PyTorch's `BatchNorm2d`: (x − μ)/√(σ² + 1e-5)·γ + β, with running or batch statistics.
    fn batch_norm(&mut self, name: &str, x: Var) -> Var {
        let channels = self.tape.shape(x)[2];
        let [gamma, beta] = self.affine(name, channels);
        let running_mean = self.buffer(&format!("{name}.running_mean"), &[channels], Init::Constant(0.0));
        let running_variance = self.buffer(&format!("{name}.running_var"), &[channels], Init::Constant(1.0));
        self.batch_norm_of(name, x, [gamma, beta], [running_mean, running_variance], BATCH_NORM)
    }

    /// The same with tensors that are there: γ and β `(T,1,C,1,1)`, running mean and variance `(T,C)`.
    pub(super) fn batch_norm_of(
        &mut self,
        name: &str,
        x: Var,
        [gamma, beta]: [Var; 2],
        [running_mean, running_variance]: [Var; 2],
        BatchNorm { epsilon, momentum }: BatchNorm,
    ) -> Var {
        let channels = self.tape.shape(x)[2];
        let (mean, variance, count) = self.moments(x, &[1, 3, 4]);
        let (m, v) = match self.mode {
            Mode::Train => (mean, variance),
            Mode::Eval => (self.per_channel(running_mean), self.per_channel(running_variance)),
        };
        let y = self.standardise(x, [m, v], [gamma, beta], epsilon);
        let flat = [self.trials, channels];
        let [mean, variance] = [mean, variance].map(|v| self.tape.reshape(v, &flat));
        let name = name.to_string();
        self.statistics.push(Statistics {
            name,
            mean,
            variance,
            running_mean,
            running_variance,
            count,
            momentum,
        });
        y
    }

    /// PyTorch's `BatchNorm2d(track_running_stats=False)`: the batch's statistics, and no others.
    pub(super) fn batch_norm_of_batch(&mut self, name: &str, x: Var) -> Var {
        let channels = self.tape.shape(x)[2];
        let affine = self.affine(name, channels);
        let (mean, variance, _) = self.moments(x, &[1, 3, 4]);
        self.standardise(x, [mean, variance], affine, EPSILON)
    }

    /// PyTorch's `GroupNorm` (Wu 2018): each picture's channels in groups, statistics over a group.
    fn group_norm(&mut self, name: &str, x: Var, most: usize) -> Var {
        let channels = self.tape.shape(x)[2];
        let groups = (1..=most.min(channels))
            .rev()
            .find(|g| channels.is_multiple_of(*g) && most.is_multiple_of(*g))
            .expect("1 divides everything");
        let [gamma, beta] = self.affine(name, channels);
        self.group_norm_of(x, groups, [gamma, beta], EPSILON)
    }

    /// The same with γ and β `(T,1,C,1,1)` that are there, in so many groups.
    pub(super) fn group_norm_of(
        &mut self,
        x: Var,
        groups: usize,
        [gamma, beta]: [Var; 2],
        epsilon: f64,
    ) -> Var {
        let shape = self.tape.shape(x).to_vec();
        let [trials, batch, channels, h, w] = shape[..] else { panic!("group norm wants (T,B,C,H,W)") };
        let grouped = self.tape.reshape(x, &[trials, batch * groups, channels / groups, h, w]);
        let (mean, variance, _) = self.moments(grouped, &[2, 3, 4]);
        let [one, zero] = [1.0, 0.0].map(|v| self.tape.full(&[1, 1, 1, 1, 1], v));
        let normal = self.standardise(grouped, [mean, variance], [one, zero], epsilon);
        let normal = self.tape.reshape(normal, &shape);
        let scaled = self.tape.mul(normal, gamma);
        self.tape.add(scaled, beta)
    }

    /// γ and β, `(T,1,C,1,1)`.
    fn affine(&mut self, name: &str, channels: usize) -> [Var; 2] {
        [("weight", 1.0), ("bias", 0.0)].map(|(part, value)| {
            let v = self.parameter(&format!("{name}.{part}"), &[channels], Init::Constant(value));
            self.per_channel(v)
        })
    }

    /// Mean and biased variance over `axes`, which stay with size 1, and the number of values.
    fn moments(&mut self, x: Var, axes: &[usize]) -> (Var, Var, usize) {
        let count = axes.iter().map(|&a| self.tape.shape(x)[a]).product();
        let t = &mut *self.tape;
        let mean = t.mean(x, axes);
        let centred = t.sub(x, mean);
        let square = t.mul(centred, centred);
        (mean, t.mean(square, axes), count)
    }

    fn standardise(
        &mut self,
        x: Var,
        [mean, variance]: [Var; 2],
        [gamma, beta]: [Var; 2],
        epsilon: f64,
    ) -> Var {
        let t = &mut *self.tape;
        let variance = t.add_scalar(variance, epsilon);
        let inverse = t.rsqrt(variance);
        let centred = t.sub(x, mean);
        // One factor a channel: the whole activation is scaled once, forwards and backwards.
        let scale = t.mul(inverse, gamma);
        let scaled = t.mul(centred, scale);
        t.add(scaled, beta)
    }
}
