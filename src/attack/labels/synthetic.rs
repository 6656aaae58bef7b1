//! A last layer with a batch of features and labels, and its exact gradient: for tests.

use crate::random;
use rand::RngExt;

use super::LastLayer;

pub(crate) struct Synthetic {
    pub classes: usize,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub weight_gradient: Vec<f32>,
    pub bias_gradient: Vec<f32>,
    /// `(K)`
    pub counts: Vec<usize>,
}

impl Synthetic {
    /// Features `(B, d)` of samples with these labels; W and b are U(−bound, bound).
    pub(crate) fn new(
        classes: usize,
        bound: f32,
        features: &[Vec<f32>],
        labels: &[usize],
        seed: u64,
    ) -> Synthetic {
        let mut generator = random::generator(seed, "layer");
        let d = features[0].len();
        let weight = random::uniform(&mut generator, bound, classes * d);
        let bias = random::uniform(&mut generator, bound, classes);
        Synthetic::of_layer(weight, bias, features, labels)
    }

    pub(crate) fn of_layer(
        weight: Vec<f32>,
        bias: Vec<f32>,
        features: &[Vec<f32>],
        labels: &[usize],
    ) -> Synthetic {
        let (classes, d) = (bias.len(), features[0].len());
        let (mut weight_gradient, mut bias_gradient) = (vec![0.0; classes * d], vec![0.0; classes]);
        let mut counts = vec![0; classes];
        for (x, &label) in features.iter().zip(labels) {
            counts[label] += 1;
            let logits: Vec<f64> = (0..classes)
                .map(|c| {
                    let row = &weight[c * d..][..d];
                    f64::from(bias[c])
                        + row.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>()
                })
                .collect();
            let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            let sum: f64 = logits.iter().map(|l| (l - largest).exp()).sum();
            for c in 0..classes {
                let p = (logits[c] - largest).exp() / sum;
                let g = (p - if c == label { 1.0 } else { 0.0 }) / labels.len() as f64;
                bias_gradient[c] += g;
                weight_gradient[c * d..][..d].iter_mut().zip(x).for_each(|(w, &x)| *w += g * f64::from(x));
            }
        }
        let single = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
        let (weight_gradient, bias_gradient) = (single(weight_gradient), single(bias_gradient));
        Synthetic { classes, weight, bias, weight_gradient, bias_gradient, counts }
    }

    pub(crate) fn layer(&self) -> LastLayer<'_> {
        LastLayer::new(self.classes, &self.weight_gradient, Some(&self.bias_gradient))
            .and_then(|layer| layer.with_weights(&self.weight, Some(&self.bias)))
            .unwrap()
    }
}

/// One feature vector a label: a mean of its class plus noise, kept above 0.
pub(crate) fn positive_features(labels: &[usize], d: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut generator = random::generator(seed, "noise");
    labels
        .iter()
        .map(|label| {
            let mean = random::normal(&mut random::generator(seed, &format!("class {label}")), d);
            let noise = random::normal(&mut generator, d);
            mean.iter().zip(noise).map(|(m, n)| (0.5 * m + 0.5 * n).max(0.0)).collect()
        })
        .collect()
}

pub(crate) fn random_labels(batch: usize, classes: usize, seed: u64) -> Vec<usize> {
    let mut generator = random::generator(seed, "labels");
    (0..batch).map(|_| generator.random_range(0..classes)).collect()
}
