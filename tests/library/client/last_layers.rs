//! Last layers with a batch of features, trained or not, and the exact gradient of a loss: what an update of any kind
//! looks like there.

use gia_gpu::random::{generator, normal, uniform};
use rand::{Rng, RngExt};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    Relu,
    Tanh,
    Silu,
}

impl Activation {
    pub(crate) const ALL: [Activation; 3] = [Activation::Relu, Activation::Tanh, Activation::Silu];

    fn of(self, x: f64) -> f64 {
        match self {
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Case {
    pub classes: usize,
    pub batch: usize,
    pub activation: Activation,
    pub trained: bool,
    pub features: usize,
    /// (K, d) and (K)
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
    means: Vec<f64>,
    noise: f64,
    /// (B, d)
    batch_features: Vec<Vec<f64>>,
    pub labels: Vec<usize>,
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let exps: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}

impl Case {
    /// K = 2…20, B = 1…64, small batches as likely as large ones.
    pub(crate) fn random(seed: u64, has_bias: bool) -> Case {
        let mut random = generator(seed, "case");
        let classes = random.random_range(2..=20);
        let batch = random.random_range(0.0..65f64.ln()).exp() as usize;
        let features = [16, 32, 84][random.random_range(0..3)];
        let activation = Activation::ALL[random.random_range(0..3)];
        let trained = random.random_bool(0.5);
        let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        let bound = 1.0 / (features as f32).sqrt();
        let weight = widen(uniform(&mut random, bound, classes * features));
        let bias = if has_bias { widen(uniform(&mut random, bound, classes)) } else { vec![0.0; classes] };
        let means = widen(normal(&mut random, classes * features));
        let noise = random.random_range(0.3..1.0);
        let of_a_few = random.random_bool(0.3);
        let few: Vec<usize> = (0..2).map(|_| random.random_range(0..classes)).collect();
        let labels: Vec<usize> = (0..batch)
            .map(|_| if of_a_few { few[random.random_range(0..2)] } else { random.random_range(0..classes) })
            .collect();
        let mut case = Case {
            classes,
            batch,
            activation,
            trained,
            features,
            weight,
            bias,
            means,
            noise,
            batch_features: vec![],
            labels,
        };
        if trained {
            let steps = [20, 100, 400][random.random_range(0..3)];
            case.train(&mut random, steps, has_bias);
        }
        case.batch_features = case.labels.iter().map(|&label| case.feature(&mut random, label)).collect();
        case
    }

    fn feature(&self, random: &mut impl Rng, label: usize) -> Vec<f64> {
        let noise = normal(random, self.features);
        let means = &self.means[label * self.features..][..self.features];
        means.iter().zip(noise).map(|(m, n)| self.activation.of(m + self.noise * f64::from(n))).collect()
    }

    fn predictions(&self, feature: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks(self.features).zip(&self.bias);
        let logits: Vec<f64> =
            rows.map(|(row, b)| b + row.iter().zip(feature).map(|(w, h)| w * h).sum::<f64>()).collect();
        softmax(&logits)
    }

    /// Gradient descent on 200 samples.
    fn train(&mut self, random: &mut impl Rng, steps: usize, has_bias: bool) {
        let samples: Vec<(usize, Vec<f64>)> = (0..200)
            .map(|_| {
                let label = random.random_range(0..self.classes);
                (label, self.feature(random, label))
            })
            .collect();
        for _ in 0..steps {
            let mut weight = vec![0.0; self.weight.len()];
            let mut bias = vec![0.0; self.classes];
            for (label, feature) in &samples {
                for (c, p) in self.predictions(feature).into_iter().enumerate() {
                    let g = (p - f64::from(u8::from(c == *label))) / samples.len() as f64;
                    bias[c] += g;
                    weight[c * self.features..].iter_mut().zip(feature).for_each(|(w, h)| *w += g * h);
                }
            }
            self.weight.iter_mut().zip(weight).for_each(|(w, g)| *w -= 0.5 * g);
            if has_bias {
                self.bias.iter_mut().zip(bias).for_each(|(b, g)| *b -= 0.5 * g);
            }
        }
    }

    /// ∇W (K, d) and ∇b (K) of the mean cross entropy under this label smoothing, times `factor`.
    pub(crate) fn gradient(&self, factor: f64, smoothing: f64) -> [Vec<f32>; 2] {
        let mut weight = vec![0.0; self.weight.len()];
        let mut bias = vec![0.0; self.classes];
        for (label, feature) in self.labels.iter().zip(&self.batch_features) {
            for (c, p) in self.predictions(feature).into_iter().enumerate() {
                let hard = f64::from(u8::from(c == *label));
                let target = (1.0 - smoothing) * hard + smoothing / self.classes as f64;
                let g = factor * (p - target) / self.batch as f64;
                bias[c] += g;
                weight[c * self.features..].iter_mut().zip(feature).for_each(|(w, h)| *w += g * h);
            }
        }
        [weight, bias].map(|values| values.into_iter().map(|v| v as f32).collect())
    }

    pub(crate) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }
}
