//! The Fréchet distance of two sets of features, each taken for a normal distribution (Heusel 2017, with other features).

use faer::{Mat, Side};

use super::MetricsError;

/// |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½) of features `(N,E)` and `(M,E)`; 0 for the same distribution.
///
/// # Errors
/// Fewer than two rows, values that are not finite, or a decomposition that does not converge.
pub fn frechet(first: &[f32], second: &[f32], width: usize) -> Result<f64, MetricsError> {
    let [(mean_a, a), (mean_b, b)] = [moments(first, width)?, moments(second, width)?];
    let means: f64 = mean_a.iter().zip(&mean_b).map(|(a, b)| (a - b).powi(2)).sum();
    // The trace of (Σ₁Σ₂)^½ is that of (Σ₁^½ Σ₂ Σ₁^½)^½, which is symmetric.
    let root = root(&a)?;
    let inner = &root * &b * &root;
    let shared: f64 = eigenvalues(&inner)?.into_iter().map(|value| value.max(0.0).sqrt()).sum();
    let trace = |m: &Mat<f64>| (0..width).map(|i| m[(i, i)]).sum::<f64>();
    Ok((means + trace(&a) + trace(&b) - 2.0 * shared).max(0.0))
}

/// Mean `(E)` and unbiased covariance `(E,E)`.
fn moments(features: &[f32], width: usize) -> Result<(Vec<f64>, Mat<f64>), MetricsError> {
    let count = features.len() / width.max(1);
    if count < 2 {
        return Err(problem("2 rows or more", &count));
    }
    if let Some(found) = features.iter().find(|v| !v.is_finite()) {
        return Err(problem("finite values", found));
    }
    let mut mean = vec![0.0; width];
    for row in features.chunks(width) {
        mean.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v) / count as f64);
    }
    let centred = Mat::from_fn(count, width, |i, j| f64::from(features[i * width + j]) - mean[j]);
    let covariance = (centred.transpose() * &centred) * faer::Scale(1.0 / (count - 1) as f64);
    Ok((mean, covariance))
}

/// The symmetric square root of a covariance.
fn root(matrix: &Mat<f64>) -> Result<Mat<f64>, MetricsError> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(|_| not_converged())?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let scaled =
        Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
    Ok(&scaled * vectors.transpose())
}

fn eigenvalues(matrix: &Mat<f64>) -> Result<Vec<f64>, MetricsError> {
    matrix.self_adjoint_eigenvalues(Side::Lower).map_err(|_| not_converged())
}

fn not_converged() -> MetricsError {
    problem("a covariance with eigenvalues", &"one whose decomposition does not converge")
}

fn problem(expected: &str, found: &dyn ToString) -> MetricsError {
    MetricsError::Picture { which: "features".into(), expected: expected.into(), found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn drawn(scales: [f32; 3], shift: f32, seed: u64) -> Vec<f32> {
        let mut generator = random::generator(seed, "features");
        let rows = random::normal(&mut generator, 3 * 20_000);
        rows.chunks(3).flat_map(|row| [0, 1, 2].map(|i| shift + scales[i] * row[i])).collect()
    }

    #[test]
    fn of_normal_distributions_it_is_what_the_formula_says() {
        let (a, b) = (drawn([1.0, 2.0, 0.0], 0.0, 1), drawn([3.0, 2.0, 1.0], 0.5, 2));
        assert!(frechet(&a, &a, 3).unwrap() < 1e-9);
        // (1 − 3)² + 0 + (0 − 1)² and the means.
        let expected = 4.0 + 1.0 + 3.0 * 0.25;
        let found = frechet(&a, &b, 3).unwrap();
        assert!((found - expected).abs() < 0.15, "{found}, not {expected}");
        assert!((found - frechet(&b, &a, 3).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn what_has_no_distribution_is_refused() {
        assert!(frechet(&[1.0, 2.0], &[1.0, 2.0, 3.0, 4.0], 2).unwrap_err().to_string().contains("2 rows"));
        assert!(frechet(&[1.0, f32::NAN, 0.0, 0.0], &[0.0; 4], 2).unwrap_err().to_string().contains("NaN"));
    }
}
