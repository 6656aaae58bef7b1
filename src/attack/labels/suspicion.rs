//! Whether ∇b can be the gradient of a batch-mean cross entropy at all.
//!
//! Softmax rows sum to 1, so Σ_c ∇b_c = 0. Only a class in the batch can have ∇b_c < 0, so at most B have;
//! and as no prediction is below 0, those sum to no less than −1.

use std::fmt::Display;

/// The rounding that a sum over ∇b may have, in share of Σ|∇b| (gradients may be stored in bf16) …
const RELATIVE_ROUNDING: f64 = 1e-2;
/// … and at least: f32's softmax does not sum to 1 more exactly than this.
const ROUNDING: f64 = 1e-6;

/// A fact about ∇b that no gradient of a batch-mean cross entropy shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suspicion {
    /// Σ ∇b is not 0.
    SumNotZero {
        /// Σ ∇b
        sum: f64,
        /// How far from 0 rounding can take it.
        expected_within: f64,
    },
    /// The negative elements sum to less than −1.
    Scale {
        /// Sum of the negative elements.
        negatives: f64,
    },
    /// More classes have ∇b < 0 than the batch has samples.
    TooManyClasses {
        /// Classes with ∇b < 0.
        negative: usize,
        /// Samples of the batch.
        batch: usize,
    },
    /// The same, while no more than the batch has samples have ∇b > 0: an update −η·g, read as g.
    Reversed {
        /// Classes with ∇b < 0.
        negative: usize,
        /// Classes with ∇b > 0.
        positive: usize,
        /// Samples of the batch.
        batch: usize,
    },
}

impl Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Suspicion::SumNotZero { sum, expected_within } => write!(
                f,
                "the bias gradient sums to {sum:.3e}, expected 0 within {expected_within:.1e}: not the \
                 gradient of a cross entropy over these classes, or noise was added"
            ),
            Suspicion::Scale { negatives } => write!(
                f,
                "the negative elements of the bias gradient sum to {negatives:.3}, expected no less than -1: \
                 not the mean over the batch, but a sum, or scaled"
            ),
            Suspicion::TooManyClasses { negative, batch } => write!(
                f,
                "{negative} classes have a bias gradient below 0, expected at most {batch}, the batch size: \
                 another batch size, or no gradient of a mean cross entropy"
            ),
            Suspicion::Reversed { negative, positive, batch } => write!(
                f,
                "{negative} classes have a bias gradient below 0 and {positive} above, expected at most \
                 {batch}, the batch size, below: the sign is reversed, as in an update -η·g"
            ),
        }
    }
}

/// What is wrong with ∇b; nothing if it can be the gradient of the mean cross entropy of `batch` samples.
///
/// Every gradient of a mean cross entropy passes, f32's rounding and bf16's storage included; noise that a
/// defence added does not.
pub fn check_gradient(bias_gradient: &[f32], batch: usize) -> Vec<Suspicion> {
    let values = || bias_gradient.iter().map(|&b| f64::from(b));
    let sum: f64 = values().sum();
    let absolute: f64 = values().map(f64::abs).sum();
    let negatives: f64 = values().filter(|b| *b < 0.0).sum();
    let mut found = vec![];
    let expected_within = RELATIVE_ROUNDING * absolute + ROUNDING;
    if sum.abs() > expected_within {
        found.push(Suspicion::SumNotZero { sum, expected_within });
    }
    if negatives < -(1.0 + RELATIVE_ROUNDING) {
        found.push(Suspicion::Scale { negatives });
    }
    // An absent class adds up predictions, each at least 0: rounding does not make it negative. The margin
    // is for training code that takes the difference to the one-hot label elsewhere.
    let margin = values().fold(0.0, |a: f64, b| a.max(b.abs())) * 1e-6;
    let negative = values().filter(|b| *b < -margin).count();
    let positive = values().filter(|b| *b > margin).count();
    if negative > batch {
        found.push(match positive <= batch {
            true => Suspicion::Reversed { negative, positive, batch },
            false => Suspicion::TooManyClasses { negative, batch },
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features, random_labels},
        *,
    };

    fn gradient(classes: usize, bound: f32, batch: usize) -> Vec<f32> {
        let labels = random_labels(batch, classes, 11);
        Synthetic::new(classes, bound, &positive_features(&labels, 32, 1), &labels, 1).bias_gradient
    }

    #[test]
    fn gradients_pass() {
        for (classes, bound, batch) in
            [(2, 0.1, 1), (10, 0.1, 4), (10, 5.0, 4), (100, 0.1, 256), (10, 50.0, 1)]
        {
            assert_eq!(
                check_gradient(&gradient(classes, bound, batch), batch),
                [],
                "{classes} {bound} {batch}"
            );
        }
    }

    #[test]
    fn a_gradient_that_is_stored_in_bf16_passes() {
        let stored: Vec<f32> =
            gradient(100, 0.1, 8).iter().map(|&g| half::bf16::from_f32(g).to_f32()).collect();
        assert_eq!(check_gradient(&stored, 8), []);
    }

    #[test]
    fn an_update_is_told_from_a_gradient() {
        let update: Vec<f32> = gradient(100, 0.1, 8).iter().map(|g| -0.01 * g).collect();
        assert!(matches!(
            check_gradient(&update, 8)[..],
            [Suspicion::Reversed { positive: ..=8, batch: 8, .. }]
        ));
    }

    #[test]
    fn a_sum_over_the_batch_is_told_from_a_mean() {
        let sum: Vec<f32> = gradient(100, 0.1, 8).iter().map(|g| 8.0 * g).collect();
        assert!(matches!(check_gradient(&sum, 8)[..], [Suspicion::Scale { .. }]));
    }

    #[test]
    fn another_batch_size_is_told() {
        let found = check_gradient(&gradient(100, 0.1, 60), 8);
        assert!(matches!(found[..], [Suspicion::TooManyClasses { negative: 9.., batch: 8 }]), "{found:?}");
    }

    #[test]
    fn another_loss_is_told() {
        assert!(matches!(check_gradient(&[0.3, 0.2, -0.1], 1)[..], [Suspicion::SumNotZero { .. }]));
    }
}
