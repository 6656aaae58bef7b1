//! What the victim predicts for the samples of each class, from all rows of the gradient at once.
//!
//! Ma (2023) divides one row by one number, ê_j = ∇W_j/∇b_j, which is noise where the samples of class j and the predictions
//! for it nearly cancel in ∇b_j, as they do with B ≥ K. Here all rows together give the batch's mean feature: were all
//! features h̄, every row would be ∇b_c·h̄, so h̄ is the regression of the rows of ∇W on ∇b, which the classes that do not
//! cancel decide. With p̄ = softmax(W·h̄ + b) for every sample, the identity of this module's parent then gives each class's
//! count and sum of features, n_j = B·(p̄_j − ∇b_j) and S_j = B·(p̄_j·h̄ − ∇W_j), and S_j/n_j is its mean.

use faer::Mat;

use super::{LastLayer, predictions::softmax};

/// A class of fewer samples than this is absent: its mean is the batch's, and its row counts as one of so many.
const LEAST: f64 = 0.5;
/// Regressions: the first gives counts, whose inverses weigh the rows in the next, as a class's features vary by 1/n.
const REGRESSIONS: usize = 2;

/// P_j in column `j` of `(K, K)`, for a batch of `batch` samples: softmax(W·S_j/n_j + b).
pub(super) fn predictions_of_classes(
    layer: &LastLayer,
    (weight, bias): (&[f32], &[f32]),
    bias_gradient: &[f32],
    batch: usize,
) -> Mat<f64> {
    let (classes, d, batch) = (layer.classes, layer.features(), batch as f64);
    let matrix = |values: &[f32]| Mat::from_fn(d, classes, |i, c| f64::from(values[c * d + i]));
    // W·∇W_j in column j.
    let seen = matrix(weight).transpose() * matrix(layer.weight_gradient);
    let gradient: Vec<f64> = bias_gradient.iter().map(|&b| f64::from(b)).collect();
    let mut weights = vec![1.0; classes];
    let (mut of_mean, mut prediction, mut counts) = (vec![], vec![], vec![]);
    for _ in 0..REGRESSIONS {
        let squares: f64 = weights.iter().zip(&gradient).map(|(w, b)| w * b * b).sum();
        let share = |c: usize| if squares > 0.0 { weights[c] * gradient[c] / squares } else { 0.0 };
        // W·h̄
        of_mean = (0..classes).map(|i| (0..classes).map(|c| seen[(i, c)] * share(c)).sum::<f64>()).collect();
        prediction = of_mean.iter().zip(bias).map(|(mean, &b)| mean + f64::from(b)).collect();
        softmax(&mut prediction);
        counts = prediction.iter().zip(&gradient).map(|(p, b)| batch * (p - b)).collect::<Vec<f64>>();
        weights = counts.iter().map(|n| 1.0 / n.max(LEAST)).collect();
    }
    let mut all = Mat::zeros(classes, classes);
    for j in 0..classes {
        let own = |i: usize| batch * (prediction[j] * of_mean[i] - seen[(i, j)]) / counts[j];
        let logit = |i: usize| if counts[j] < LEAST { of_mean[i] } else { own(i) };
        let mut column: Vec<f64> = (0..classes).map(|i| logit(i) + f64::from(bias[i])).collect();
        softmax(&mut column);
        column.into_iter().enumerate().for_each(|(i, p)| all[(i, j)] = p);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features, random_labels},
        *,
    };

    #[test]
    fn features_that_are_the_same_for_all_give_their_prediction() {
        let labels = random_labels(24, 10, 1);
        let features = vec![positive_features(&labels, 32, 1)[0].clone(); 24];
        let synthetic = Synthetic::new(10, 0.5, &features, &labels, 1);
        let layer = synthetic.layer();
        let (weight, bias) = (layer.weight.unwrap(), layer.bias.unwrap());
        let found = predictions_of_classes(&layer, (weight, bias), layer.bias_gradient.unwrap(), 24);
        let mut expected: Vec<f64> = weight
            .chunks(32)
            .zip(bias)
            .map(|(row, &b)| {
                let products = row.iter().zip(&features[0]).map(|(&w, &h)| f64::from(w) * f64::from(h));
                products.sum::<f64>() + f64::from(b)
            })
            .collect();
        softmax(&mut expected);
        for j in 0..10 {
            for (i, expected) in expected.iter().enumerate() {
                assert!((found[(i, j)] - expected).abs() < 1e-4, "{i}, {j}: {} {expected}", found[(i, j)]);
            }
        }
    }
}
