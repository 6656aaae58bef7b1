//! Mean squared error and peak signal-to-noise ratio.

/// Mean over all values of (a − b)², in f64. The slices are as long and not empty.
pub fn mse(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>() / a.len() as f64
}

/// PSNR in dB of pixels in [0, 1]: −10·log10 MSE, [`f64::INFINITY`] where the MSE is 0.
pub fn psnr(mse: f64) -> f64 {
    -10.0 * mse.log10()
}
