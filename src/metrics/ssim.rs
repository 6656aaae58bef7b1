//! Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004): a Gaussian window of 11×11 with σ = 1.5,
//! population moments, the region where the window lies inside the picture, C1 = 0.01², C2 = 0.03² for
//! pixels in [0, 1], the mean over pixels and channels, in f64. It is scikit-image's `structural_similarity`
//! with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1`.

use std::sync::LazyLock;

use crate::data::Picture;

/// Taps of the window; a picture needs sides at least as long.
pub const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// The normalised one-dimensional window; the two-dimensional one is its outer product with itself.
static TAPS: LazyLock<[f64; WINDOW]> = LazyLock::new(|| {
    let centre = (WINDOW / 2) as f64;
    let taps: [f64; WINDOW] =
        std::array::from_fn(|tap| (-0.5 * ((tap as f64 - centre) / SIGMA).powi(2)).exp());
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| tap / sum)
});

/// What every pair that a picture takes part in shares: its values and its local moments. `H'` and `W'` are
/// `H − 10` and `W − 10`.
pub(super) struct Moments {
    height: usize,
    width: usize,
    /// Pixels, `(C, H, W)`.
    values: Vec<f64>,
    /// Local mean μ, `(C, H', W')`.
    mean: Vec<f64>,
    /// Local variance E[x²] − μ², `(C, H', W')`.
    variance: Vec<f64>,
}

impl Moments {
    /// The picture must be consistent, with sides of at least [`WINDOW`].
    pub(super) fn new(picture: &Picture) -> Self {
        let (height, width) = (picture.height, picture.width);
        let values: Vec<f64> = picture.pixels.iter().map(|&value| value.into()).collect();
        let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
        let mean = windowed(&values, height, width);
        let variance = windowed(&squares, height, width);
        let variance = variance.iter().zip(&mean).map(|(square, mean)| square - mean * mean).collect();
        Self { height, width, values, mean, variance }
    }
}

/// SSIM of two pictures of one shape, in [−1, 1]:
/// mean of (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)).
pub(super) fn mean_ssim(x: &Moments, y: &Moments) -> f64 {
    let products: Vec<f64> = x.values.iter().zip(&y.values).map(|(x, y)| x * y).collect();
    let products = windowed(&products, x.height, x.width);
    let means = x.mean.iter().zip(&y.mean);
    let variances = x.variance.iter().zip(&y.variance);
    let local = means.zip(variances).zip(&products).map(|(((mx, my), (vx, vy)), product)| {
        let covariance = product - mx * my;
        (2.0 * mx * my + C1) * (2.0 * covariance + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))
    });
    local.sum::<f64>() / products.len() as f64
}

/// The windowed mean of `(C, H, W)` where the window fits: `(C, H − 10, W − 10)`, rows first, then columns.
fn windowed(planes: &[f64], height: usize, width: usize) -> Vec<f64> {
    let (out_height, out_width) = (height + 1 - WINDOW, width + 1 - WINDOW);
    let dot = |window: &[f64]| window.iter().zip(TAPS.iter()).map(|(value, tap)| value * tap).sum::<f64>();
    let mut out = Vec::with_capacity(planes.len() / (height * width) * out_height * out_width);
    for plane in planes.chunks_exact(height * width) {
        // (H, W')
        let rows: Vec<f64> = plane.chunks_exact(width).flat_map(|row| row.windows(WINDOW).map(dot)).collect();
        for window in rows.windows(WINDOW * out_width).step_by(out_width) {
            let mut sums = vec![0.0; out_width];
            for (row, tap) in window.chunks_exact(out_width).zip(TAPS.iter()) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += tap * value);
            }
            out.append(&mut sums);
        }
    }
    out
}
