//! The label of each restored picture.
//!
//! The last layer's gradient is ∇W = (1/B)·E·H with the features H `(r, d)` of the restored pictures, so E = B·∇W·H⁺: a
//! column is p − y of its picture, summed over its copies where it stands in the batch more than once.

use super::{
    error::ExactError,
    layers::Head,
    matrix::{Matrix, product, pseudo_inverse},
};
use crate::attack::labels::{largest_remainder, softmax};

/// Labels of the pictures in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureLabels {
    /// Of each distinct picture: one label a copy.
    pub labels: Vec<Vec<usize>>,
    /// ‖E − (p − y)‖ / ‖E‖: 0 where the gradient is what these pictures with these labels give.
    pub residual: f64,
}

/// Labels of `batch` pictures, copies included. `passed`: of [`Head::forward`].
///
/// # Errors
/// The features' decomposition does not converge.
pub fn picture_labels(head: &Head, passed: &[Matrix], batch: usize) -> Result<PictureLabels, ExactError> {
    let last = head.layers.last().expect("a head has layers");
    let [logits, features] = [&passed[passed.len() - 1], &passed[passed.len() - 2]];
    let inverse = pseudo_inverse(features)?;
    let mut errors = product(last.weight_gradient, last.layer.shape, &inverse).transposed();
    errors.values.iter_mut().for_each(|e| *e *= batch as f64);
    let predictions: Vec<Vec<f64>> = (0..logits.rows).map(|i| predicted(logits.row(i))).collect();
    let spare = batch.saturating_sub(logits.rows);
    let options: Vec<Vec<Counted>> = (0..logits.rows)
        .map(|i| (1..=spare + 1).map(|copies| counted(&predictions[i], errors.row(i), copies)).collect())
        .collect();
    let copies = shared_out(&options, spare);
    let chosen: Vec<&Counted> =
        options.iter().zip(&copies).map(|(options, &extra)| &options[extra]).collect();
    let left: f64 = chosen.iter().map(|c| c.distance).sum();
    let expand = |counts: &Vec<usize>| -> Vec<usize> {
        counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n)).collect()
    };
    Ok(PictureLabels {
        labels: chosen.iter().map(|c| expand(&c.counts)).collect(),
        residual: left.sqrt() / errors.norm().max(f64::MIN_POSITIVE),
    })
}

/// Labels of so many copies of one picture.
struct Counted {
    /// `(K)`
    counts: Vec<usize>,
    /// ‖n·p − y − e‖²
    distance: f64,
}

fn counted(prediction: &[f64], error: &[f64], copies: usize) -> Counted {
    let real: Vec<f64> = prediction.iter().zip(error).map(|(p, e)| copies as f64 * p - e).collect();
    let counts = largest_remainder(&real, copies);
    let distance = real.iter().zip(&counts).map(|(r, &n)| (r - n as f64).powi(2)).sum();
    Counted { counts, distance }
}

/// How many copies beside the first each picture gets, `spare` in all, for the least sum of distances.
fn shared_out(options: &[Vec<Counted>], spare: usize) -> Vec<usize> {
    // least[i][s]: of the pictures before i, with s copies given out, and what picture i − 1 got.
    let mut least = vec![vec![(f64::INFINITY, 0); spare + 1]; options.len() + 1];
    least[0][0] = (0.0, 0);
    for (i, of) in options.iter().enumerate() {
        for given in 0..=spare {
            for extra in 0..=given {
                let sum = least[i][given - extra].0 + of[extra].distance;
                if sum < least[i + 1][given].0 {
                    least[i + 1][given] = (sum, extra);
                }
            }
        }
    }
    let (mut copies, mut given) = (vec![0; options.len()], spare);
    for i in (0..options.len()).rev() {
        copies[i] = least[i + 1][given].1;
        given -= copies[i];
    }
    copies
}

/// softmax of a row.
pub fn predicted(logits: &[f64]) -> Vec<f64> {
    let mut row = logits.to_vec();
    softmax(&mut row);
    row
}
