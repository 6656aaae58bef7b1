//! What the gradient of the last layer says about the features that entered it.

use faer::Mat;

use super::LastLayer;

/// Below this share of the largest |∇b|, the rounding of f32 leaves nothing of ∇b_j to divide by.
const SMALLEST_SHARE: f64 = 1e-6;

/// ē: the mean feature of the batch as the classes with ∇b > 0 see it, Σ ∇W_c / Σ ∇b_c over them. For
/// classes that are not in the batch, this is an average of its features weighted by their predictions.
pub(crate) fn mean_feature(layer: &LastLayer, bias_gradient: &[f32]) -> Vec<f64> {
    let (mut sum, mut weight) = (vec![0.0; layer.features()], 0.0);
    for (row, &b) in layer.rows().zip(bias_gradient).filter(|(_, b)| **b > 0.0) {
        weight += f64::from(b);
        sum.iter_mut().zip(row).for_each(|(s, &w)| *s += f64::from(w));
    }
    // Where no ∇b is above 0 there is no row in the sum either.
    sum.iter_mut().for_each(|s| *s /= weight.max(f64::from(f32::MIN_POSITIVE)));
    sum
}

/// ê_j = ∇W_j/∇b_j in column `j` of `(d, K)`: the mean feature of class j in the batch; of a class that is
/// not in it, the batch's features weighted by their predictions.
///
/// Where the samples of class j and the predictions for it nearly cancel in ∇b_j, as they do with B ≥ K, the
/// quotient is ē plus a small difference blown up without bound. So it may go no further from ē than the
/// classes with ∇b < 0 do on average, weighted by −∇b; and it is ē where rounding leaves no ∇b_j.
pub(crate) fn class_features(layer: &LastLayer, bias_gradient: &[f32]) -> Mat<f64> {
    let mean = mean_feature(layer, bias_gradient);
    let mut difference = differences(layer, bias_gradient, &mean);
    let distance: Vec<f64> = difference.col_iter().map(|column| column.norm_l2()).collect();
    let certain = bias_gradient.iter().map(|&b| f64::from(-b.min(0.0)));
    let (sum, weight) = certain.zip(&distance).fold((0.0, 0.0), |(s, n), (c, d)| (s + c * d, n + c));
    let furthest = if weight > 0.0 { sum / weight } else { f64::INFINITY };
    shorten(&mut difference, &mean, furthest);
    difference
}

/// The feature h of a batch's only picture, `(d)`: ∇W = ∇b·hᵀ, solved by least squares over all rows `(K, d)` of ∇W; `None`
/// where ∇b `(K)` is 0. The row of the picture's own class alone is not enough: where the victim is sure of it, p − 1 is 0 in
/// f32, and so is the row.
pub(crate) fn only_feature<R: IntoIterator<Item = f64>>(
    rows: impl IntoIterator<Item = R>,
    gradient: &[f64],
    d: usize,
) -> Option<Vec<f64>> {
    let square: f64 = gradient.iter().map(|b| b * b).sum();
    let mut feature = vec![0.0; d];
    for (row, b) in rows.into_iter().zip(gradient) {
        feature.iter_mut().zip(row).for_each(|(h, w)| *h += w * b / square);
    }
    (square > 0.0).then_some(feature)
}

/// The same of a gradient whose sign is not known: no class goes further from ē than so many times ‖ē‖.
pub(crate) fn class_features_of_any_sign(layer: &LastLayer, bias_gradient: &[f32]) -> Mat<f64> {
    const FURTHEST: f64 = 3.0;
    let mean = mean_feature(layer, bias_gradient);
    let mut difference = differences(layer, bias_gradient, &mean);
    let furthest = FURTHEST * mean.iter().map(|v| v * v).sum::<f64>().sqrt();
    shorten(&mut difference, &mean, furthest);
    difference
}

/// ê_j − ē in column `j`; 0 where rounding leaves nothing of ∇b_j.
fn differences(layer: &LastLayer, bias_gradient: &[f32], mean: &[f64]) -> Mat<f64> {
    let largest = bias_gradient.iter().fold(0.0, |a: f64, &b| a.max(f64::from(b).abs()));
    let smallest = (SMALLEST_SHARE * largest).max(f64::from(f32::MIN_POSITIVE));
    let features = layer.features();
    Mat::from_fn(features, layer.classes, |i, j| {
        let b = f64::from(bias_gradient[j]);
        let w = f64::from(layer.weight_gradient[j * features + i]);
        if b.abs() < smallest { 0.0 } else { w / b - mean[i] }
    })
}

/// Differences no longer than `furthest`, added to ē.
fn shorten(difference: &mut Mat<f64>, mean: &[f64], furthest: f64) {
    for column in difference.col_iter_mut() {
        let distance = column.norm_l2();
        let share = if distance > furthest { furthest / distance } else { 1.0 };
        column.iter_mut().zip(mean).for_each(|(d, mean)| *d = mean + share * *d);
    }
}
