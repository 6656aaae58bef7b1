//! What the victim predicts for given features.

use faer::Mat;

/// P_j = softmax(W·ê_j + b) in column `j` of `(K, K)`.
pub(crate) fn predictions(weight: &[f32], bias: &[f32], features: &Mat<f64>) -> Mat<f64> {
    let d = features.nrows();
    let weight = Mat::from_fn(d, bias.len(), |i, c| f64::from(weight[c * d + i]));
    let mut logits = weight.transpose() * features;
    for column in logits.col_iter_mut() {
        let column = column.try_as_col_major_mut().expect("a whole column").as_slice_mut();
        column.iter_mut().zip(bias).for_each(|(logit, &b)| *logit += f64::from(b));
        softmax(column);
    }
    logits
}

/// Logits become predictions, of sum 1.
pub fn softmax(logits: &mut [f64]) {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    logits.iter_mut().for_each(|l| *l = (*l - largest).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|l| *l /= sum);
}
