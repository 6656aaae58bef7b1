//! Whether a model is right as often as it says (Guo 2017).

/// Bins of confidence, as in the paper.
const BINS: usize = 15;

/// Expected calibration error: mean over equal bins of confidence of |share right − mean confidence|, weighted by how
/// many pictures fall into each. `answers`: the largest probability, and whether its name is right.
pub fn expected_calibration_error(answers: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for &(confidence, right) in answers {
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(u8::from(right));
    }
    let gaps: f64 = bins.iter().map(|(confidence, right)| (right - confidence).abs()).sum();
    gaps / answers.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::expected_calibration_error;

    #[test]
    fn a_model_that_is_right_as_often_as_it_says_has_none() {
        let fair: Vec<(f64, bool)> = (0..10).map(|i| (0.7, i < 7)).collect();
        assert!(expected_calibration_error(&fair) < 1e-12);
    }

    #[test]
    fn gaps_are_weighted_by_the_pictures_of_their_bin() {
        let mut answers = vec![(1.0, true); 30];
        answers.extend([(0.9, false); 10]);
        // 30 of 40 without a gap, 10 of 40 with one of 0.9.
        assert!((expected_calibration_error(&answers) - 0.225).abs() < 1e-12);
    }
}
