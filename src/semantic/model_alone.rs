//! What the model alone gives away: an eavesdropper who has the weights and public pictures with names needs no gradient to
//! learn what a trained victim's indices mean. Whatever it learns so must not be credited to the gradient.

use super::SemanticError;
use crate::metrics::assign;

/// S[name, index] = mean softmax probability of the index over the public pictures of that name: `(N, K)`, row-major.
///
/// `predictions`: softmax of each public picture `(K)`, with its name below `names`. A name without pictures has a row of
/// 0.
pub fn confusion(predictions: &[(usize, Vec<f64>)], names: usize, indices: usize) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; names * indices], vec![0usize; names]);
    for (name, row) in predictions {
        counts[*name] += 1;
        sums[name * indices..][..indices].iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    for (row, &count) in sums.chunks_mut(indices.max(1)).zip(&counts) {
        row.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
    }
    sums
}

/// The name of each of these indices, none twice, for the largest sum of S.
///
/// # Errors
/// [`SemanticError::TooFewNames`]
pub fn names_of(
    confusion: &[f64],
    names: usize,
    indices: usize,
    wanted: &[usize],
) -> Result<Vec<usize>, SemanticError> {
    if names < wanted.len() {
        return Err(SemanticError::TooFewNames { names, indices: wanted.len() });
    }
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let weights: Vec<f64> = wanted
        .iter()
        .flat_map(|&index| (0..names).map(move |name| confusion[name * indices + index]))
        .collect();
    Ok(assign::largest_sum(wanted.len(), names, &weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_knows_its_classes_names_them_one_to_one() {
        // Name n is index (n + 1) mod 3.
        let sure = |index: usize| (0..3).map(|i| if i == index { 0.8 } else { 0.1 }).collect::<Vec<f64>>();
        let predictions: Vec<_> = (0..9).map(|i| (i % 3, sure((i % 3 + 1) % 3))).collect();
        let matrix = confusion(&predictions, 3, 3);
        assert!((matrix[1] - 0.8).abs() < 1e-12 && (matrix[0] - 0.1).abs() < 1e-12);
        assert_eq!(names_of(&matrix, 3, 3, &[0, 1, 2]).unwrap(), [2, 0, 1]);
        assert_eq!(names_of(&matrix, 3, 3, &[2]).unwrap(), [1]);
        assert!(names_of(&matrix, 3, 3, &[0, 1, 2, 0]).is_err());
    }

    #[test]
    fn a_name_without_pictures_is_no_division_by_zero() {
        assert_eq!(confusion(&[(0, vec![0.25, 0.75])], 2, 2), [0.25, 0.75, 0.0, 0.0]);
    }
}
