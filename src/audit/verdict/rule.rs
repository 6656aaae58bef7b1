//! From what was measured to an answer.

use std::collections::BTreeMap;

use super::words;
use crate::{
    report::{Answer, Finding, Test, Validity, Verdict, What},
    statistics::holm,
};

/// Findings of which less than this share come by chance, all of them together.
const ALPHA: f64 = 0.05;
/// Without pictures to test against, SSIM that no chance gives, and what it must have above the floor.
const SSIM_ALONE: f64 = 0.5;
const ABOVE_FLOOR: f64 = 0.1;
/// SSIM that pictures must have above the floor for anything to be seen in them, however sure the difference is.
const SEEN: f64 = 0.05;
/// Without originals: an objective below this share of what pictures that know nothing reach, and restarts that agree.
const FITS: f32 = 0.1;
const AGREE: f64 = 0.6;

/// What is known when a verdict is asked for.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// SSIM, one-to-one; absent where the originals are not known, or too small for it.
    pub pictures: Option<Measure>,
    /// Whether the pictures that were sent are known, so that reconstructions can be judged.
    pub knows_originals: bool,
    /// Share of the members found; absent where nobody asked.
    pub membership: Option<Measure>,
    /// Share of the labels restored; absent where they were given, or the truth is not known.
    pub labels: Option<Measure>,
    /// Share of the label indices named right.
    pub names: Option<Measure>,
    /// How the attacks went.
    pub attacked: Attacked,
    /// How many were attacked.
    pub batches: usize,
    /// The attack was stopped before its end.
    pub is_interrupted: bool,
    /// The pictures are those inside the program.
    pub is_demonstration: bool,
}

/// A figure, and what it is without the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Mean over the batches, in [0, 1].
    pub estimate: f64,
    /// 95 %, over batches; absent where they are too few.
    pub interval: Option<[f64; 2]>,
    /// What is reached without the update.
    pub floor: f64,
    /// That chance reaches the estimate; absent where there is nothing to test against.
    pub p_value: Option<f64>,
}

/// How the attacks went.
#[derive(Clone, Debug, Default)]
pub struct Attacked {
    /// `M`; empty where the attacks were not tested.
    pub validity: Vec<Validity>,
    /// Whether the clients protect what they send.
    pub is_defended: bool,
    /// Batches whose restored labels came with a warning.
    pub labels_warned: usize,
    /// Whether the eavesdropper is told the labels.
    pub labels_given: bool,
}

impl Attacked {
    /// Whether the attack did its work on most batches.
    pub fn is_valid(&self) -> bool {
        2 * self.validity.iter().filter(|v| v.is_valid()).count() >= self.validity.len()
    }

    /// SSIM above the floor that counts: more where the attack assumed another client, whose pictures it cannot match.
    fn seen(&self) -> f64 {
        if self.failed().contains_key(&Test::NotTheClient) { ABOVE_FLOOR } else { SEEN }
    }

    /// Tests that most batches failed, and how many did, the most telling first.
    pub fn failed(&self) -> BTreeMap<Test, usize> {
        let mut failed = BTreeMap::new();
        for test in self.validity.iter().flat_map(|v| &v.failed) {
            *failed.entry(*test).or_insert(0) += 1;
        }
        failed.retain(|_, batches| 2 * *batches >= self.validity.len());
        failed
    }

    /// Whether most batches were matched so well, restarts agreeing, that the pictures must be like the originals, which
    /// nobody knows.
    fn is_convincing(&self) -> bool {
        let convinces = |v: &&Validity| {
            let mut null = v.null.clone();
            null.sort_by(f32::total_cmp);
            let median = null.get(null.len() / 2).copied().unwrap_or(0.0);
            v.objective <= FITS * median && v.restarts_agree.is_none_or(|ssim| ssim >= AGREE)
        };
        self.is_valid() && 2 * self.validity.iter().filter(convinces).count() > self.validity.len()
    }
}

impl Grounds {
    /// What leaks, how sure that is, and what to try next.
    pub fn verdict(&self) -> Verdict {
        let asked = [
            (What::Pictures, self.pictures),
            (What::Membership, self.membership),
            (What::Labels, self.labels),
            (What::Names, self.names),
        ];
        let tested: Vec<f64> = asked.iter().filter_map(|(_, measure)| measure.as_ref()?.p_value).collect();
        let mut corrected = holm(&tested).into_iter();
        let mut findings = vec![];
        for (what, measure) in asked {
            findings.extend(match measure {
                Some(measure) => {
                    let p_value = measure.p_value.and_then(|_| corrected.next());
                    Some(self.measured(what, measure, p_value))
                }
                None => self.unmeasured(what),
            });
        }
        let leaks = |finding: &&Finding| finding.answer == Answer::Leaks;
        let pictures = findings.iter().find(|f| f.what == What::Pictures).map(|f| f.answer);
        let answer = match findings.iter().find(leaks) {
            Some(_) => Answer::Leaks,
            None => pictures.unwrap_or(Answer::NotShown),
        };
        Verdict {
            answer,
            sentence: words::sentence(self, answer, &findings),
            failed_tests: words::failed(&self.attacked),
            next: words::next(self, answer, &findings),
            findings,
        }
    }

    fn measured(&self, what: What, measure: Measure, p_value: Option<f64>) -> Finding {
        let Measure { estimate, interval, floor, .. } = measure;
        let beyond_chance = match p_value {
            Some(p) if what == What::Pictures => p <= ALPHA && estimate > floor + self.attacked.seen(),
            Some(p) => p <= ALPHA && estimate > floor,
            None => estimate >= SSIM_ALONE && estimate > floor + ABOVE_FLOOR,
        };
        let answer = match (beyond_chance, what) {
            (true, _) => Answer::Leaks,
            (false, What::Pictures | What::Names) if !self.attacked.is_valid() => Answer::Failed,
            (false, What::Labels) if 2 * self.attacked.labels_warned > self.batches => Answer::Failed,
            (false, _) => Answer::NotShown,
        };
        Finding { what, answer, estimate: Some(estimate), interval, floor: Some(floor), p_value }
    }

    /// What can be said where the truth is not known.
    fn unmeasured(&self, what: What) -> Option<Finding> {
        let answer = match what {
            What::Pictures if self.attacked.is_convincing() => Answer::Leaks,
            What::Pictures if !self.attacked.is_valid() => Answer::Failed,
            What::Pictures => Answer::NotShown,
            What::Labels if self.attacked.labels_given || self.labels_are_known_to_all() => return None,
            What::Labels if self.attacked.labels_warned > 0 => Answer::Failed,
            What::Labels => Answer::Leaks,
            What::Membership | What::Names => return None,
        };
        Some(Finding { what, answer, estimate: None, interval: None, floor: None, p_value: None })
    }

    /// Originals are known, and with them the labels: what is not measured was given.
    fn labels_are_known_to_all(&self) -> bool {
        self.knows_originals
    }
}
