//! How the pictures came about: iterates on the way, few enough to be kept.

/// Pictures after so many iterations.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Iterations done by then.
    pub iteration: usize,
    /// Normalised, `(B,C,H,W)`.
    pub images: Vec<f32>,
}

/// Values that the frames of one plan take together, at most.
const MOST: usize = 1 << 25;
/// Frames of a stage: most happens early.
const FRAMES: u32 = 7;

/// Iterations of a stage of `iterations` whose iterates are kept, of `values` values each: the start, and from there on twice
/// as many each time up to half of them.
pub(crate) fn moments(iterations: usize, values: usize) -> Vec<usize> {
    let kept = (MOST / values.max(1)).min(FRAMES as usize);
    let mut moments: Vec<usize> = (1..FRAMES).map(|i| iterations >> i).filter(|&at| at > 0).collect();
    moments.push(0);
    moments.truncate(kept);
    moments.reverse();
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_close_together_at_first() {
        assert_eq!(moments(2_000, 100), [0, 31, 62, 125, 250, 500, 1_000]);
        assert_eq!(moments(3, 100), [0, 1]);
        assert_eq!(moments(1, 100), [0]);
        // The last ones are the most telling.
        assert_eq!(moments(64, MOST / 2), [16, 32]);
        assert!(moments(64, 2 * MOST).is_empty());
    }
}
