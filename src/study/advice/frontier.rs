//! Of all defences that were tried, those than which none leaks less and leaves more of the gradient.

use super::Trial;
use crate::{
    federated::defence::Defence,
    report::{Answer, Tried, What},
};

/// Whose cost is measured.
const POINTS: usize = 3;

/// How much of the target is above its floor, the sum over all of it.
fn leak(tried: &Tried, target: &[What]) -> f64 {
    let above = |what: &What| {
        let finding = tried.of(*what)?;
        Some((finding.estimate? - finding.floor?).max(0.0))
    };
    if tried.protects { 0.0 } else { target.iter().filter_map(above).sum() }
}

/// Whether it says anything of the target: an attack that failed does not.
fn says(tried: &Tried, target: &[What]) -> bool {
    let found = |what: &What| tried.of(*what).is_some_and(|finding| finding.answer != Answer::Failed);
    tried.protects || target.iter().any(found)
}

/// The defences on the frontier, from the most protective on; the first protects, if any does. Of many, three: both ends
/// and the one between them that leaks least.
pub(crate) fn of(trials: &[&Trial], target: &[What]) -> Vec<(Vec<Defence>, bool)> {
    let defended = trials.iter().filter(|t| !t.defences.is_empty() && says(&t.tried, target));
    let mut all: Vec<(&Trial, f64)> = defended.map(|t| (*t, leak(&t.tried, target))).collect();
    all.sort_by(|(a, x), (b, y)| x.total_cmp(y).then(b.tried.similarity.total_cmp(&a.tried.similarity)));
    let mut front: Vec<&Trial> = vec![];
    for (trial, _) in all {
        if front.last().is_none_or(|last| trial.tried.similarity > last.tried.similarity) {
            front.push(trial);
        }
    }
    if front.len() > POINTS {
        let last = front.len() - 1;
        front = vec![front[0], front[1], front[last]];
    }
    front.into_iter().map(|trial| (trial.defences.clone(), trial.tried.protects)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{federated::defence::parse, report::Finding};

    fn trial(defence: &str, ssim: f64, similarity: f64) -> Trial {
        let answer = if ssim > 0.1 { Answer::Leaks } else { Answer::NotShown };
        let (estimate, floor) = (Some(ssim), Some(0.1));
        let finding =
            Finding { what: What::Pictures, answer, estimate, interval: None, floor, p_value: None };
        let protects = answer == Answer::NotShown;
        let tried = Tried { defence: defence.into(), similarity, answer, findings: vec![finding], protects };
        Trial { defences: parse(defence).unwrap(), tried }
    }

    #[test]
    fn what_leaks_more_and_leaves_less_is_not_on_it() {
        let trials = [
            trial("noise:0.1", 0.6, 0.99),
            trial("noise:1", 0.05, 0.7),
            trial("top-k:0.1", 0.5, 0.8),
            trial("top-k:0.01", 0.08, 0.4),
            trial("sign", 0.7, 0.6),
        ];
        let found: Vec<String> =
            of(&trials.each_ref(), &[What::Pictures]).iter().map(|(d, _)| d[0].to_string()).collect();
        assert_eq!(found, ["noise:1", "top-k:0.1", "noise:0.1"]);
        assert!(of(&trials.each_ref(), &[What::Pictures])[0].1);
        // An attack that failed proves nothing, with a figure or without one.
        let mut failed = [trial("sign", 0.0, 0.9), trial("top-k:0.001", 0.0, 0.9)];
        failed.iter_mut().for_each(|t| (t.tried.answer, t.tried.protects) = (Answer::Failed, false));
        failed[0].tried.findings.clear();
        failed[1].tried.findings[0].answer = Answer::Failed;
        assert!(of(&failed.each_ref(), &[What::Pictures]).is_empty());
    }
}
