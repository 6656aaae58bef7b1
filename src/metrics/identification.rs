//! Would the picture be recognised among others? The rank of the true one by its distance from the reconstruction.

use std::cmp::Ordering;

/// Rank of the true picture in a pool of embedded pictures, 1 for the nearest; those as near as it stand before it, so that
/// what says nothing of any picture identifies none.
///
/// # Panics
/// `truth` is no place in the pool.
pub fn rank(found: &[f32], pool: &[Vec<f32>], truth: usize) -> usize {
    let distance = |other: &[f32]| -> f64 {
        found.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    let own = distance(&pool[truth]);
    // What is not finite is no nearer than anything.
    let farther = |i: &usize| distance(&pool[*i]).partial_cmp(&own) == Some(Ordering::Greater);
    1 + (0..pool.len()).filter(|i| *i != truth && !farther(i)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_counts_what_is_as_near() {
        let pool: Vec<Vec<f32>> = [0.0, 1.0, 2.0, 4.0].map(|v| vec![v, 0.0]).to_vec();
        assert_eq!(rank(&[1.1, 0.0], &pool, 1), 1);
        assert_eq!(rank(&[1.1, 0.0], &pool, 2), 2);
        assert_eq!(rank(&[1.1, 0.0], &pool, 3), 4);
        // In the middle of two.
        assert_eq!([0, 1].map(|truth| rank(&[0.5, 3.0], &pool, truth)), [2, 2]);
        assert_eq!(rank(&[f32::NAN, 0.0], &pool, 0), 4);
    }
}
