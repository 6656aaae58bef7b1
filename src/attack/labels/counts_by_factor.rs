//! The counts that an update of unknown factor can mean: a family of one parameter.
//!
//! If what was observed is s times the mean gradient, then with P_j as in iLRG
//! `Σ_j n_j·(P_j[i] − δ_ij) = B·G_i/s` and `Σ_j n_j = B`, whose solution is n(a) = x₀ + a·x₁ for a = 1/s: x₀ is B
//! times the stationary vector of P, and x₁ sums to 0. Every a solves the equations. What tells the right one is that
//! counts are whole, that none is below 0, and that absent classes are 0 together.

use faer::{Col, Mat};

use super::{
    LastLayer,
    features::{class_features_of_any_sign, only_feature},
    ilrg,
    predictions::{predictions, softmax},
    rounding::largest_remainder,
};

/// More classes than this are not solved for: the count of negative elements says enough of them.
pub(crate) const MOST_CLASSES: usize = 1024;

/// How far counts may be apart, as a share, that are the same but for the predictions' errors.
const TIED: f64 = 0.2;

/// n(a) = x₀ + a·x₁, `(K)` each.
pub(crate) struct Family {
    at_zero: Vec<f64>,
    slope: Vec<f64>,
    batch: usize,
    /// What the victim gives the classes of the larger group by sign their own, as it would if it were trained.
    pub agreement: f64,
}

/// One member of the family.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// s: what was observed is this times the mean gradient.
    pub factor: f64,
    /// `(K)`
    pub counts: Vec<usize>,
    /// max |n − counts|: how far the solution is from whole numbers of 0 or above.
    pub distance: f64,
    /// The same in shares of the largest |∇b|.
    pub relative: f64,
    /// Classes of which there is none.
    pub absent: usize,
    /// Label smoothing that the solution shows, 0 without.
    pub smoothing: f64,
}

impl Family {
    /// Of a layer with weights and a bias; for a batch of one its features follow without the bias, too. `None` where
    /// the layer does not determine it.
    pub(crate) fn new(layer: &LastLayer, batch: usize) -> Option<Family> {
        let weight = layer.weight?;
        let no_bias = vec![0.0; layer.classes];
        let bias = layer.bias.unwrap_or(&no_bias);
        if batch == 1 {
            let (feature, gradient) = match layer.bias_gradient {
                Some(gradient) => one_feature(layer, gradient)?,
                None => feature_without_bias(layer, weight)?,
            };
            let rows = weight.chunks(layer.features());
            let logit = |row: &[f32]| row.iter().zip(&feature).map(|(&w, &h)| f64::from(w) * h).sum::<f64>();
            let mut prediction: Vec<f64> = rows.map(logit).collect();
            prediction.iter_mut().zip(bias).for_each(|(logit, &b)| *logit += f64::from(b));
            softmax(&mut prediction);
            let slope = gradient.iter().map(|g| -g).collect();
            return Some(Family { at_zero: prediction, slope, batch, agreement: 0.0 });
        }
        let gradient = layer.bias_gradient.filter(|_| layer.classes <= MOST_CLASSES)?;
        let predictions = predictions(weight, bias, &class_features_of_any_sign(layer, gradient));
        let [at_zero, slope] = ilrg::solve(
            &predictions,
            [
                Col::from_fn(layer.classes + 1, |row| if row == 0 { batch as f64 } else { 0.0 }),
                Col::from_fn(layer.classes + 1, |row| {
                    if row == 0 { 0.0 } else { batch as f64 * f64::from(gradient[row - 1]) }
                }),
            ],
        )?;
        let agreement = [-1.0, 1.0].map(|sign| of_sign(&predictions, gradient, sign));
        Some(Family { at_zero, slope, batch, agreement: agreement[0].max(agreement[1]) })
    }

    /// The member of factor `s`; with `smoothed`, what is left when the least count that absent classes share is taken
    /// for label smoothing.
    pub(crate) fn reading(&self, factor: f64, smoothed: bool) -> Reading {
        let mut real: Vec<f64> = self.at_zero.iter().zip(&self.slope).map(|(n, d)| n + d / factor).collect();
        let smoothing = if smoothed { self.smoothing(&real) } else { 0.0 };
        if smoothing > 0.0 {
            let floor = smoothing * self.batch as f64 / real.len() as f64;
            real.iter_mut().for_each(|n| *n = (*n - floor) / (1.0 - smoothing));
        }
        let counts = largest_remainder(&real, self.batch);
        let off = |(n, &count): (&f64, &usize)| (n - count as f64).abs();
        let distance = real.iter().zip(&counts).map(off).fold(0.0, f64::max);
        let largest = self.slope.iter().fold(0.0, |a: f64, d| a.max(d.abs())) / factor.abs();
        let relative = if largest > 0.0 { distance / largest } else { f64::INFINITY };
        let near_zero = (2.0 * distance).clamp(0.05, 0.2);
        let absent = real.iter().filter(|n| n.abs() < near_zero).count();
        Reading { factor, counts, distance, relative, absent, smoothing }
    }

    /// Of one picture, the label and factor of this sign whose gradient comes nearest.
    pub(crate) fn single(&self, sign: f64) -> Option<Reading> {
        let fit = |class: usize| {
            let [mut product, mut square] = [0.0; 2];
            for (c, (p, slope)) in self.at_zero.iter().zip(&self.slope).enumerate() {
                let expected = p - f64::from(u8::from(c == class));
                product -= slope * expected;
                square += expected * expected;
            }
            (product * product / square, product / square)
        };
        let fits = (0..self.at_zero.len()).map(fit).filter(|(_, factor)| factor * sign > 0.0);
        let (_, factor) = fits.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(self.reading(factor, false))
    }

    /// S of (1 − S)·n + B·S/K, from the least of the counts; a share of more than a half is none.
    fn smoothing(&self, real: &[f64]) -> f64 {
        let mut sorted = real.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        // As many classes as must be absent, two at the least: one says nothing.
        let ties = real.len().saturating_sub(self.batch);
        if ties < 2 {
            return 0.0;
        }
        let (least, floor) = (sorted[0], sorted[ties / 2]);
        let share = floor * real.len() as f64 / self.batch as f64;
        let tied = sorted[ties - 1] - least < TIED * floor;
        if tied && (0.0..0.5).contains(&share) { share } else { 0.0 }
    }

    /// The factors at which a first count becomes 0, of either sign: the right one where a class is absent.
    pub(crate) fn ends(&self) -> [Option<f64>; 2] {
        let quotients = |sign: f64| {
            let falling = self.at_zero.iter().zip(&self.slope).filter(move |(_, d)| sign * **d < 0.0);
            falling.map(|(n, d)| -n / d)
        };
        let up = quotients(1.0).min_by(f64::total_cmp);
        let down = quotients(-1.0).max_by(f64::total_cmp);
        [up, down].map(|a| a.filter(|a| *a != 0.0 && a.is_finite()).map(|a| 1.0 / a))
    }
}

/// The feature of a single picture, h = ∇Wᵀ∇b/‖∇b‖², whatever the factor; and ∇b.
fn one_feature(layer: &LastLayer, gradient: &[f32]) -> Option<(Vec<f64>, Vec<f64>)> {
    let gradient: Vec<f64> = gradient.iter().map(|&b| f64::from(b)).collect();
    let rows = layer.rows().map(|row| row.iter().map(|&w| f64::from(w)));
    Some((only_feature(rows, &gradient, layer.features())?, gradient))
}

/// Share of the variance of the log predictions that the victim's logits have to explain.
const EXPLAINED: f64 = 0.98;

/// The same of a layer without a bias. ∇W = s·(p − e_y)·hᵀ is known up to a factor: p up to one but for class y, the
/// only one of another sign, and h = c·v up to c. The logs of p are c·W·v plus a constant, which gives c.
pub(super) fn feature_without_bias(layer: &LastLayer, weight: &[f32]) -> Option<(Vec<f64>, Vec<f64>)> {
    let largest = layer.rows().max_by(|a, b| norm(a).total_cmp(&norm(b)))?;
    let length = norm(largest);
    let direction: Vec<f64> = largest.iter().map(|&w| f64::from(w) / length).collect();
    let along = |row: &[f32]| row.iter().zip(&direction).map(|(&w, v)| f64::from(w) * v).sum::<f64>();
    let shares: Vec<f64> = layer.rows().map(along).collect();
    let logits: Vec<f64> = weight.chunks(layer.features()).map(along).collect();
    let others = |sign: f64| shares.iter().filter(move |s| sign * **s > 0.0).count();
    let sign = if others(1.0) > 1 { 1.0 } else { -1.0 };
    if layer.classes < 3 || others(sign) != layer.classes - 1 {
        return None;
    }
    let points =
        || shares.iter().zip(&logits).filter(|(s, _)| sign * **s > 0.0).map(|(s, z)| ((sign * s).ln(), *z));
    let count = (layer.classes - 1) as f64;
    let [mean_log, mean_logit] = points().fold([0.0; 2], |m, (l, z)| [m[0] + l / count, m[1] + z / count]);
    let (mut both, mut of_logits, mut of_logs) = (0.0, 0.0, 0.0);
    for (log, logit) in points() {
        let (log, logit) = (log - mean_log, logit - mean_logit);
        (both, of_logits, of_logs) = (both + log * logit, of_logits + logit * logit, of_logs + log * log);
    }
    // Two points lie on a line whatever they are.
    if layer.classes < 4 || both * both < EXPLAINED * of_logits * of_logs || both == 0.0 {
        return None;
    }
    let c = both / of_logits;
    let feature = direction.iter().map(|v| c * v).collect();
    Some((feature, shares.iter().map(|s| s / c).collect()))
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt()
}

/// What the victim gives its own class on average over those whose gradient has this sign.
fn of_sign(predictions: &Mat<f64>, gradient: &[f32], sign: f64) -> f64 {
    let own = (0..gradient.len()).filter(|&j| sign * f64::from(gradient[j]) > 0.0);
    let (sum, n) = own.fold((0.0, 0), |(sum, n), j| (sum + predictions[(j, j)], n + 1));
    sum / f64::from(n.max(1))
}
