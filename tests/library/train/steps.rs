//! One step against its definition.

use gia_gpu::{
    device::cpu::Cpu,
    train::{Optimiser, Recipe, State, Step},
};

use super::victim;

fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 2e-7 * expected.abs() + 1e-9, "{what}[{i}]: expected {expected}, found {found}");
    }
}

const INPUTS: usize = 4;
const HIDDEN: usize = 3;
const CLASSES: usize = 3;

/// Gradient of the mean cross entropy against smoothed labels, of two linear layers with ReLU between, tensors
/// in the order weight, bias, weight, bias.
fn gradient(tensors: &[Vec<f64>], images: &[f32], labels: &[usize], smoothing: f64) -> Vec<Vec<f64>> {
    let mut gradient: Vec<Vec<f64>> = tensors.iter().map(|t| vec![0.0; t.len()]).collect();
    for (x, &label) in images.chunks(INPUTS).zip(labels) {
        let linear = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
            let row = |(row, b): (&[f64], &f64)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
            w.chunks(x.len()).zip(b).map(row).collect()
        };
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let hidden: Vec<f64> = linear(&tensors[0], &tensors[1], &x).iter().map(|v| v.max(0.0)).collect();
        let logits = linear(&tensors[2], &tensors[3], &hidden);
        let total: f64 = logits.iter().map(|l| l.exp()).sum();
        let mut behind = [0.0; HIDDEN];
        for k in 0..CLASSES {
            let target = (1.0 - smoothing) * f64::from(k == label) + smoothing / CLASSES as f64;
            let error = (logits[k].exp() / total - target) / labels.len() as f64;
            gradient[3][k] += error;
            for j in 0..HIDDEN {
                gradient[2][k * HIDDEN + j] += error * hidden[j];
                behind[j] += error * tensors[2][k * HIDDEN + j];
            }
        }
        for j in (0..HIDDEN).filter(|&j| hidden[j] > 0.0) {
            gradient[1][j] += behind[j];
            (0..INPUTS).for_each(|i| gradient[0][j * INPUTS + i] += behind[j] * x[i]);
        }
    }
    gradient
}

#[test]
fn steps_are_sgd_with_momentum_weight_decay_and_label_smoothing() {
    let victim = victim("mlp", "hidden=3", [1, 2, 2], CLASSES);
    let images: Vec<f32> = (0..6 * INPUTS).map(|i| (i * 37 % 11) as f32 / 5.0 - 1.0).collect();
    let labels = [0, 2, 1, 1, 0, 2];
    for nesterov in [false, true] {
        let recipe = Recipe {
            batch: labels.len(),
            optimiser: Optimiser::Sgd { momentum: 0.9, nesterov },
            weight_decay: 0.01,
            label_smoothing: 0.1,
            ..Recipe::default()
        };
        let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
        step.write(&State::start(&victim, recipe.optimiser)).unwrap();
        let wide = |tensors: &[Vec<f32>]| -> Vec<Vec<f64>> {
            tensors.iter().map(|t| t.iter().map(|&v| f64::from(v)).collect()).collect()
        };
        let mut tensors = wide(&victim.tensors);
        let mut momenta: Vec<Vec<f64>> = tensors.iter().map(|t| vec![0.0; t.len()]).collect();
        for rate in [0.5, 0.25, 0.125] {
            step.run(&images, &labels, rate, 0).unwrap();
            let gradient = gradient(&tensors, &images, &labels, 0.1);
            for (t, gradient) in gradient.iter().enumerate() {
                // Weights decay, biases do not.
                let decay = if t % 2 == 0 { 0.01 } else { 0.0 };
                for (i, gradient) in gradient.iter().enumerate() {
                    let force = gradient + decay * tensors[t][i];
                    momenta[t][i] = 0.9 * momenta[t][i] + force;
                    let direction = if nesterov { force + 0.9 * momenta[t][i] } else { momenta[t][i] };
                    tensors[t][i] -= rate * direction;
                }
            }
        }
        let found = step.read().unwrap();
        for (t, name) in ["1.weight", "1.bias", "3.weight", "3.bias"].iter().enumerate() {
            assert_close(name, &found.tensors[t], &tensors[t]);
            assert_close(&format!("momentum of {name}"), &found.memories[0][t], &momenta[t]);
        }
    }
}

#[test]
fn steps_of_adamw_are_its_papers_with_decoupled_weight_decay() {
    let victim = victim("mlp", "hidden=3", [1, 2, 2], CLASSES);
    let images: Vec<f32> = (0..6 * INPUTS).map(|i| (i * 37 % 11) as f32 / 5.0 - 1.0).collect();
    let labels = [0, 2, 1, 1, 0, 2];
    let (beta1, beta2, epsilon) = (0.8, 0.95, 1e-3);
    let optimiser = Optimiser::AdamW { beta1, beta2, epsilon };
    let recipe = Recipe { batch: labels.len(), optimiser, weight_decay: 0.01, ..Recipe::default() };
    let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
    step.write(&State::start(&victim, optimiser)).unwrap();
    let wide = |t: &Vec<f32>| -> Vec<f64> { t.iter().map(|&v| f64::from(v)).collect() };
    let mut tensors: Vec<Vec<f64>> = victim.tensors.iter().map(wide).collect();
    let mut moments: [Vec<Vec<f64>>; 2] =
        [0, 1].map(|_| tensors.iter().map(|t| vec![0.0; t.len()]).collect());
    for (number, rate) in [0.05, 0.1, 0.02].into_iter().enumerate() {
        step.run(&images, &labels, rate, number).unwrap();
        let gradient = gradient(&tensors, &images, &labels, 0.0);
        let corrections = [beta1, beta2].map(|beta: f64| 1.0 - beta.powi(number as i32 + 1));
        for (t, gradient) in gradient.iter().enumerate() {
            // Weights decay, biases do not.
            let decay = if t % 2 == 0 { 0.01 } else { 0.0 };
            for (i, g) in gradient.iter().enumerate() {
                let value = &mut tensors[t][i];
                let [m, v] = &mut moments;
                m[t][i] = beta1 * m[t][i] + (1.0 - beta1) * g;
                v[t][i] = beta2 * v[t][i] + (1.0 - beta2) * g * g;
                let direction = m[t][i] / corrections[0] / ((v[t][i] / corrections[1]).sqrt() + epsilon);
                *value -= rate * (direction + decay * *value);
            }
        }
    }
    let found = step.read().unwrap();
    for (t, name) in ["1.weight", "1.bias", "3.weight", "3.bias"].iter().enumerate() {
        assert_close(name, &found.tensors[t], &tensors[t]);
        assert_close(&format!("momentum of {name}"), &found.memories[0][t], &moments[0][t]);
        assert_close(&format!("squares of {name}"), &found.memories[1][t], &moments[1][t]);
    }
}

#[test]
fn running_statistics_move_a_tenth_towards_the_batchs_with_the_unbiased_variance() {
    let victim = victim("resnet20", "", [3, 8, 8], 4);
    let images: Vec<f32> = (0..2 * 3 * 64).map(|i| (i * 53 % 29) as f32 / 14.0 - 1.0).collect();
    let recipe = Recipe { batch: 2, ..Recipe::default() };
    let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
    let mut state = State::start(&victim, recipe.optimiser);
    let position = |name: &str| victim.declarations.iter().position(|d| d.name == name).unwrap();
    let [mean_at, variance_at] = ["bn1.running_mean", "bn1.running_var"].map(position);
    state.tensors[mean_at].fill(3.0);
    state.tensors[variance_at].fill(5.0);
    step.write(&state).unwrap();
    let seen = step.run(&images, &[0, 3], 0.1, 0).unwrap();
    assert!(seen.loss.is_finite() && seen.right <= 2, "{seen:?}");
    let found = step.tensors().unwrap();

    let weight = &victim.tensors[position("conv1.weight")];
    let pixel = |b: usize, c: usize, y: isize, x: isize| match (0..8).contains(&y) && (0..8).contains(&x) {
        true => f64::from(images[(b * 3 + c) * 64 + y as usize * 8 + x as usize]),
        false => 0.0,
    };
    let (mut means, mut variances) = (vec![], vec![]);
    for o in 0..16 {
        let mut values = vec![];
        for (b, y, x) in (0..2).flat_map(|b| (0..64).map(move |at| (b, at / 8, at % 8))) {
            let product = |tap: usize| {
                let (c, ky, kx) = (tap / 9, tap % 9 / 3, tap % 3);
                f64::from(weight[o * 27 + tap]) * pixel(b, c, y + ky as isize - 1, x + kx as isize - 1)
            };
            values.push((0..27).map(product).sum::<f64>());
        }
        let mean = values.iter().sum::<f64>() / 128.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 127.0;
        means.push(0.9 * 3.0 + 0.1 * mean);
        variances.push(0.9 * 5.0 + 0.1 * variance);
    }
    assert_close("running mean", &found[mean_at], &means);
    assert_close("running variance", &found[variance_at], &variances);
}
