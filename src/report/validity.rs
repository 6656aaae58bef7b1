//! Whether an attack did its work.

use schemars::JsonSchema;
use serde::Serialize;

/// What an attack's objective is held against.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Validity {
    /// The lowest objective of the attack.
    #[schemars(with = "Option<f32>")]
    pub objective: f32,
    /// The objective at the originals with their labels; absent where they are not known.
    pub at_originals: Option<f32>,
    /// The objective at pictures that know nothing: flat grey, noise, unrelated pictures; nothing is optimised.
    #[schemars(with = "Vec<Option<f32>>")]
    pub null: Vec<f32>,
    /// ‖g‖/‖g*‖ of the reconstruction.
    #[schemars(with = "Option<f32>")]
    pub norm_ratio: f32,
    /// Whether the objective had stopped falling at the end.
    pub plateau: bool,
    /// Mean SSIM between the reconstructions of different restarts; absent with one, and for pictures of sides below 11.
    pub restarts_agree: Option<f64>,
    /// The tests that it did not pass.
    pub failed: Vec<Test>,
}

/// A test that an attack can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Even the originals do not give the gradient that was observed, and no defence is known that would explain it.
    NotTheClient,
    /// The objective stays far above 0, and no defence is known that would explain it.
    High,
    /// The objective is above that at the originals.
    AboveOriginals,
    /// The objective is no lower than at pictures that know nothing.
    NoBetterThanNothing,
    /// The norm of the gradient is off by a factor of 100 or more.
    Norm,
    /// The objective was still falling.
    StillFalling,
}

impl Test {
    /// Whether it says that the attack did not do its work.
    pub fn is_failure(self, knows_originals: bool) -> bool {
        match self {
            Test::NotTheClient | Test::AboveOriginals | Test::Norm => true,
            // Where the originals are known, what they reach is the measure.
            Test::High | Test::NoBetterThanNothing => !knows_originals,
            Test::StillFalling => false,
        }
    }
}

/// What the tests must know beside the objectives.
#[derive(Clone, Copy, Debug)]
pub struct Testing {
    /// A defence is known that changes the gradient.
    pub defended: bool,
    /// What rounding leaves of an objective that is 0.
    pub rounding: f32,
    /// The reconstruction's gradient is of another length than the observed one.
    pub of_another_length: bool,
}

/// Of the median of what pictures that know nothing reach.
const HIGH: f32 = 0.3;
/// An objective at the originals above this share of that median is no rounding.
const UNLIKE: f32 = 0.05;
/// Above the originals' objective by less than this share of that median, or of itself, is as good.
const AS_GOOD: f32 = 0.002;
const AS_GOOD_OF_ITSELF: f32 = 0.05;
/// The objective is still falling if the last tenth of the evaluations lowered it by more than this share of the median.
const FALLING: f32 = 0.01;

impl Validity {
    /// Runs the tests. `history`: the objective at every evaluation.
    pub fn judge(
        self,
        history: &[f32],
        Testing { defended, rounding, of_another_length }: Testing,
    ) -> Validity {
        let mut null: Vec<f32> = self.null.iter().copied().filter(|v| v.is_finite()).collect();
        null.sort_by(f32::total_cmp);
        let median = null.get(null.len() / 2).copied().unwrap_or(f32::INFINITY);
        // What is computed exactly has no history.
        let plateau = history.is_empty() || last_tenth(history) <= FALLING * median + rounding;
        let mut failed = vec![];
        match self.at_originals {
            Some(at) => {
                if !defended && at > UNLIKE * median && at > rounding {
                    failed.push(Test::NotTheClient);
                }
                if self.objective > at + AS_GOOD_OF_ITSELF * at.abs() + AS_GOOD * median + rounding {
                    failed.push(Test::AboveOriginals);
                }
            }
            None if !defended && self.objective > HIGH * median + rounding => failed.push(Test::High),
            None => {}
        }
        // As a rank test: one of twenty pictures that know nothing may be as good.
        let as_good = null.iter().filter(|&&v| v <= self.objective).count();
        if (1 + as_good) as f64 / (1 + null.len()) as f64 > 0.05 {
            failed.push(Test::NoBetterThanNothing);
        }
        if of_another_length {
            failed.push(Test::Norm);
        }
        if !plateau {
            failed.push(Test::StillFalling);
        }
        Validity { plateau, failed, ..self }
    }

    /// Whether the attack did its work on this batch.
    pub fn is_valid(&self) -> bool {
        let known = self.at_originals.is_some();
        !self.failed.iter().any(|test| test.is_failure(known))
    }
}

/// By how much the last tenth of a history lowered its lowest value.
fn last_tenth(history: &[f32]) -> f32 {
    let before = history.len() - history.len().div_ceil(10);
    let lowest = |part: &[f32]| part.iter().copied().filter(|v| v.is_finite()).fold(f32::INFINITY, f32::min);
    let (earlier, all) = (lowest(&history[..before]), lowest(history));
    if all.is_finite() { earlier - all } else { f32::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(objective: f32, at_originals: Option<f32>, defended: bool) -> Vec<Test> {
        let null = (0..20).map(|i| 0.8 + 0.01 * i as f32).collect();
        let validity = Validity {
            objective,
            at_originals,
            null,
            norm_ratio: 1.0,
            plateau: false,
            restarts_agree: None,
            failed: vec![],
        };
        validity
            .judge(&vec![objective; 100], Testing { defended, rounding: 1e-6, of_another_length: false })
            .failed
    }

    #[test]
    fn the_originals_tell_a_strong_defence_from_a_stunted_attack() {
        assert_eq!(of(1e-4, Some(1e-9), false), []);
        assert_eq!(of(0.2, Some(1e-9), false), [Test::AboveOriginals]);
        assert_eq!(of(0.2, Some(0.3), true), []);
        assert_eq!(of(0.2, Some(0.3), false), [Test::NotTheClient]);
        assert_eq!(of(0.2, None, false), []);
        assert_eq!(of(0.6, None, false), [Test::High]);
        assert_eq!(of(0.9, None, true), [Test::NoBetterThanNothing]);
    }

    #[test]
    fn what_still_falls_has_no_plateau() {
        let falling: Vec<f32> = (0..100).map(|i| 1.0 - 0.005 * i as f32).collect();
        assert!((last_tenth(&falling) - 0.05).abs() < 1e-6);
        assert!(
            last_tenth(&[0.5; 100]) == 0.0
                && last_tenth(&[]).is_infinite()
                && last_tenth(&[0.5]).is_infinite()
        );
        assert!(last_tenth(&[f32::NAN; 10]).is_infinite());
    }
}
