//! Tensors too large for a fixture, compared by their sketches.
//!
//! A sketch holds the norm and the products with eight vectors of random signs. For an error e and random
//! signs v, the expectation of ⟨v, e⟩² is exactly ‖e‖², and so the root mean square of the eight
//! differences estimates the same ‖found − expected‖ that [`Target::assert_close`] bounds: it falls below
//! a tenth of it once in ten million errors. Bound and tolerance are the same as there.

use super::formula::{SIGN_VECTORS, sketch};
use crate::devices::Target;

/// ‖found − expected‖, estimated.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    let found = sketch(found);
    let squares = found[1..].iter().zip(&expected[1..]).map(|(f, e)| (f - e) * (f - e));
    let estimate = (squares.sum::<f64>() / SIGN_VECTORS as f64).sqrt();
    estimate.max((found[0] - expected[0]).abs())
}

/// Below this share of all tensors' norm, a tensor is 0 by structure, such as the gradient of a bias that
/// batch statistics take away again: rounding is all there is in it.
const VANISHING: f64 = 1e-10;

/// Compares tensors with the rows of a table of sketches; returns the worst relative error.
pub(crate) fn assert_sketched(
    target: &Target,
    what: impl Fn(usize) -> String,
    found: &[Vec<f64>],
    table: &[f64],
) -> f64 {
    assert_sketched_to(target.tolerance, target.name, what, found, table)
}

/// The same to another tolerance than the device's own.
pub(crate) fn assert_sketched_to(
    tolerance: f64,
    device: &str,
    what: impl Fn(usize) -> String,
    found: &[Vec<f64>],
    table: &[f64],
) -> f64 {
    let rows: Vec<&[f64]> = table.chunks(1 + SIGN_VECTORS).collect();
    assert_eq!(found.len(), rows.len(), "{}", what(0));
    let whole = rows.iter().map(|r| r[0] * r[0]).sum::<f64>().sqrt();
    let mut worst: f64 = 0.0;
    for (i, (found, row)) in found.iter().zip(&rows).enumerate() {
        let norm = if row[0] < VANISHING * whole { whole } else { row[0] };
        let relative = error(found, row) / norm;
        assert!(
            relative <= tolerance,
            "{} on {device}: off by {relative:e} of its norm, more than {tolerance:e}",
            what(i)
        );
        worst = worst.max(relative);
    }
    worst
}
