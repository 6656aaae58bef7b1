//! The check of an exact restoration on the host, in f64: the gradient that restored inputs and labels give, layer by
//! layer, against the one that was observed.

use rayon::prelude::*;

use super::{
    labels::{PictureLabels, predicted},
    layers::{Head, Valued},
    matrix::{Matrix, product_transposed},
};

/// ‖g − g*‖/‖g*‖ over all tensors of the head. `passed`: of [`Head::forward`]; `batch`: copies included.
pub fn head_residual(head: &Head, passed: &[Matrix], labels: &PictureLabels, batch: usize) -> f64 {
    let logits = &passed[passed.len() - 1];
    let rows = (0..logits.rows).flat_map(|i| {
        let copies = &labels.labels[i];
        let mut error: Vec<f64> =
            predicted(logits.row(i)).into_iter().map(|p| p * copies.len() as f64).collect();
        copies.iter().for_each(|&class| error[class] -= 1.0);
        error.into_iter().map(|e| e / batch as f64)
    });
    // ∂L/∂z of the layer at hand, (r, m).
    let mut outer = Matrix::new(logits.rows, logits.columns, rows.collect());
    let (mut left, mut all) = (0.0, 0.0);
    for (at, layer) in head.layers.iter().enumerate().rev() {
        let inputs = &passed[at];
        let (l, a) = difference(layer, &outer, inputs);
        (left, all) = (left + l, all + a);
        if at > 0 {
            let back = product_transposed(layer.weight, layer.layer.shape, &outer.transposed()).transposed();
            let passes = back.values.iter().zip(&inputs.values).map(|(d, &x)| if x > 0.0 { *d } else { 0.0 });
            outer = Matrix::new(back.rows, back.columns, passes.collect());
        }
    }
    (left / all.max(f64::MIN_POSITIVE)).sqrt()
}

/// ‖g − g*‖² and ‖g*‖² of one layer's weight and bias, a row of the weight at a time: it may be large.
fn difference(layer: &Valued, outer: &Matrix, inputs: &Matrix) -> (f64, f64) {
    let n = inputs.columns;
    let row = |(i, observed): (usize, &[f32])| -> [f64; 2] {
        let mut found = vec![0.0; n];
        for picture in 0..outer.rows {
            let factor = outer.at(picture, i);
            if factor != 0.0 {
                found.iter_mut().zip(inputs.row(picture)).for_each(|(g, x)| *g += factor * x);
            }
        }
        let bias = layer.bias_gradient.map(|b| (outer.column(i).iter().sum::<f64>(), b[i]));
        let pairs = found.into_iter().zip(observed.iter().copied()).chain(bias);
        pairs.fold([0.0; 2], |[left, all], (found, observed)| {
            let observed = f64::from(observed);
            [left + (found - observed).powi(2), all + observed * observed]
        })
    };
    let rows: Vec<[f64; 2]> = layer.weight_gradient.par_chunks(n).enumerate().map(row).collect();
    rows.into_iter().fold((0.0, 0.0), |(left, all), [l, a]| (left + l, all + a))
}
