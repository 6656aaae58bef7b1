//! How often chance does as well.

/// The p-value of an observed figure beside those of draws in which nothing is known; and the draws' mean.
pub(crate) fn beside(observed: f64, draws: &[f64]) -> (f64, f64) {
    // Sums of the same numbers in another order differ by rounding.
    let as_good = draws.iter().filter(|&&draw| draw >= observed - 1e-12).count();
    let mean = draws.iter().sum::<f64>() / draws.len().max(1) as f64;
    ((1 + as_good) as f64 / (1 + draws.len()) as f64, mean)
}
