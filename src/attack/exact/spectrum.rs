//! The spectrum of a linear layer's gradient: its rank, the noise beneath it, and the two factors that hold all the rest.
//!
//! G = D·Xᵀ with a column of D and of X a picture, so that G's rank is at most the batch size; what is left beyond it is
//! rounding, or noise that a client added.

use super::{
    error::ExactError,
    matrix::{Matrix, Svd, product, product_transposed, svd},
};
use crate::random;

/// Directions beyond those that are wanted, so that the noise beneath them is seen.
const BEYOND: usize = 8;
/// Directions looked at first where the rank is not known.
const FIRST_LOOK: usize = 32;
/// Rounds of subspace iteration: the error falls with the (2·rounds + 1)-th power of the gap.
const ROUNDS: usize = 2;
/// A singular value counts from so many times the largest that white noise of the same strength has. Rounding is not
/// white: it follows the entries' sizes.
const ABOVE_NOISE: f64 = 3.0;
/// And from so many times the rounding of the entries' type, in the largest singular value.
const ABOVE_ROUNDING: f64 = 4.0;

/// A floating type that gradients come in.
pub trait Entry: Copy + Into<f64> + Send + Sync {
    /// Distance from 1 to the next number: no rounding has a larger relative error.
    const ROUNDING: f64;
}

impl Entry for f32 {
    const ROUNDING: f64 = f32::EPSILON as f64;
}

impl Entry for f64 {
    const ROUNDING: f64 = f64::EPSILON;
}

/// What a decomposition shows.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// The largest singular values, falling; at least one more than the rank, where there is one.
    pub singular: Vec<f64>,
    /// Those that stand above the noise.
    pub rank: usize,
    /// Singular values up to here may be noise.
    pub floor: f64,
    /// Standard deviation of an entry's noise.
    pub noise: f64,
    /// Root mean square of the entries.
    pub size: f64,
    /// Right singular vectors in its columns, one a singular value: `(n, k)`.
    right: Matrix,
}

impl Spectrum {
    /// Of the gradient of a linear layer's weight `(m, n)`. `wanted`: as many directions as the caller will use.
    ///
    /// # Errors
    /// The decomposition does not converge.
    pub fn of<T: Entry>(
        gradient: &[T],
        shape: [usize; 2],
        wanted: Option<usize>,
        seed: u64,
    ) -> Result<Spectrum, ExactError> {
        let shorter = shape[0].min(shape[1]);
        let mut directions = wanted.map_or(FIRST_LOOK, |wanted| wanted + BEYOND).min(shorter);
        loop {
            let spectrum = Spectrum::with_directions(gradient, shape, directions, wanted, seed)?;
            let seen = directions == shorter || spectrum.rank + BEYOND / 2 <= directions;
            if seen {
                return Ok(spectrum);
            }
            directions = (2 * directions).min(shorter);
        }
    }

    fn with_directions<T: Entry>(
        gradient: &[T],
        [m, n]: [usize; 2],
        directions: usize,
        wanted: Option<usize>,
        seed: u64,
    ) -> Result<Spectrum, ExactError> {
        let energy: f64 = gradient.iter().map(|&g| g.into() * g.into()).sum();
        let (singular, right) = if 2 * directions >= m.min(n) {
            let Svd { s, v, .. } = svd(&Matrix::new(m, n, gradient.iter().map(|&g| g.into()).collect()))?;
            (s, v)
        } else {
            largest(gradient, [m, n], directions, seed)?
        };
        // The noise is read off what lies beyond the directions seen, or where these are all, beyond those wanted.
        let all = singular.len() == m.min(n);
        let rest = if all {
            wanted.unwrap_or(singular.len().div_ceil(2)).min(singular.len())
        } else {
            singular.len()
        };
        let beyond: f64 = match all {
            true => singular[rest..].iter().map(|s| s * s).sum(),
            false => remaining(gradient, [m, n], &right),
        };
        let freedom = ((m - rest.min(m)) * (n - rest.min(n))).max(1);
        let noise = (beyond / freedom as f64).sqrt();
        let white = ABOVE_NOISE * noise * ((m as f64).sqrt() + (n as f64).sqrt());
        let largest = singular.first().copied().unwrap_or(0.0);
        let floor = white.max(ABOVE_ROUNDING * T::ROUNDING * largest);
        let rank = singular.iter().take_while(|&&s| s > floor).count();
        let size = (energy / (m * n) as f64).sqrt();
        Ok(Spectrum { singular, rank, floor, noise, size, right })
    }

    /// V: the first right singular vectors, `(n, count)`.
    pub fn right(&self, count: usize) -> Matrix {
        self.right.first_columns(count)
    }

    /// The noise as a share of the entries' size.
    pub fn relative_noise(&self) -> f64 {
        self.noise / self.size.max(f64::MIN_POSITIVE)
    }
}

/// The largest singular values and their right vectors, by a randomised range finder with subspace iteration (Halko
/// 2011, algorithms 4.4 and 5.1): never more than `(m + n)·k` numbers beside the gradient itself.
fn largest<T: Entry>(
    gradient: &[T],
    [m, n]: [usize; 2],
    directions: usize,
    seed: u64,
) -> Result<(Vec<f64>, Matrix), ExactError> {
    let draws = random::normal(&mut random::generator(seed, "range finder"), n * directions);
    let start = Matrix::new(n, directions, draws.into_iter().map(f64::from).collect());
    let mut range = svd(&product(gradient, [m, n], &start))?.u;
    for _ in 0..ROUNDS {
        let back = svd(&product_transposed(gradient, [m, n], &range))?.u;
        range = svd(&product(gradient, [m, n], &back))?.u;
    }
    let Svd { u, s, .. } = svd(&product_transposed(gradient, [m, n], &range))?;
    Ok((s, u))
}

/// ‖G − G·V·Vᵀ‖², summed entry by entry: a difference of energies would leave only rounding.
fn remaining<T: Entry>(gradient: &[T], [m, n]: [usize; 2], right: &Matrix) -> f64 {
    let left = product(gradient, [m, n], right);
    let turned = right.transposed();
    let row = |(row, factors): (&[T], &[f64])| -> f64 {
        let mut rest: Vec<f64> = row.iter().map(|&g| g.into()).collect();
        for (factor, direction) in factors.iter().zip(turned.values.chunks(n)) {
            rest.iter_mut().zip(direction).for_each(|(rest, v)| *rest -= factor * v);
        }
        rest.iter().map(|rest| rest * rest).sum()
    };
    use rayon::prelude::*;
    let squares: Vec<f64> =
        gradient.par_chunks(n).zip(left.values.par_chunks(right.columns)).map(row).collect();
    squares.iter().sum()
}
