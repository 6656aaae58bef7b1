//! The verdict on all cells of a sweep.

use super::Record;
use crate::{
    report::{Answer, Finding, Verdict, What},
    statistics::holm,
};

const ALPHA: f64 = 0.05;

/// Over all cells: for each question the cell whose answer is least by chance, corrected for the number of cells. `None`
/// where no cell could be attacked.
pub(crate) fn verdict(cells: &[&Record]) -> Option<Verdict> {
    let judged: Vec<(&Record, &Verdict)> =
        cells.iter().filter_map(|cell| Some((*cell, cell.verdict.as_ref()?))).collect();
    let mut findings = vec![];
    let mut leaking = vec![];
    for what in [What::Pictures, What::Membership, What::Labels, What::Names] {
        let of_cells: Vec<&Finding> = judged.iter().filter_map(|(_, verdict)| verdict.of(what)).collect();
        let corrected = corrected(&of_cells);
        let leaks = corrected.iter().filter(|f| f.answer == Answer::Leaks).count();
        if leaks > 0 {
            leaking.push(format!("{} in {leaks}", what.name()));
        }
        findings.extend(strongest(corrected));
    }
    let answer = match findings.iter().any(|f| f.answer == Answer::Leaks) {
        true => Answer::Leaks,
        false => findings.first().map_or(Answer::NotShown, |f| f.answer),
    };
    let count = judged.len();
    let all = if count == 1 { "1 cell".into() } else { format!("{count} cells") };
    let sentence = match answer {
        Answer::Leaks => format!("This leaks: of {all}, {}.", leaking.join(", ")),
        Answer::NotShown => {
            format!("These attacks did not show a leak in {all}, which is no proof that there is none.")
        }
        Answer::Failed => format!("The attacks of {all} failed and prove nothing."),
    };
    let mut failed_tests = vec![];
    let mut next = vec![];
    for (cell, verdict) in &judged {
        failed_tests.extend(verdict.failed_tests.iter().map(|test| format!("{}: {test}", cell.cell)));
        next.extend(verdict.next.iter().filter(|step| !next.contains(*step)).cloned().collect::<Vec<_>>());
    }
    (count > 0).then_some(Verdict { answer, sentence, findings, failed_tests, next })
}

/// With p-values that hold for all of them together.
fn corrected(findings: &[&Finding]) -> Vec<Finding> {
    let tested: Vec<f64> = findings.iter().filter_map(|f| f.p_value).collect();
    let mut adjusted = holm(&tested).into_iter();
    let one = |finding: &&Finding| {
        let p_value = finding.p_value.and_then(|_| adjusted.next());
        let answer = match (finding.answer, p_value) {
            (Answer::Leaks, Some(p)) if p > ALPHA => Answer::NotShown,
            (answer, _) => answer,
        };
        Finding { answer, p_value, ..**finding }
    };
    findings.iter().map(one).collect()
}

/// That which leaks most surely and most.
fn strongest(findings: Vec<Finding>) -> Option<Finding> {
    let surplus = |f: &Finding| f.estimate.unwrap_or(0.0) - f.floor.unwrap_or(0.0);
    let rank = |f: &Finding| match f.answer {
        Answer::Leaks => 0,
        Answer::NotShown => 1,
        Answer::Failed => 2,
    };
    findings.into_iter().min_by(|a, b| rank(a).cmp(&rank(b)).then(surplus(b).total_cmp(&surplus(a))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_corrected_for_their_number() {
        let finding = |p: f64| Finding {
            what: What::Names,
            answer: Answer::Leaks,
            estimate: Some(0.5),
            interval: None,
            floor: Some(0.1),
            p_value: Some(p),
        };
        let (sure, unsure) = (finding(0.001), finding(0.04));
        let all = corrected(&[&unsure, &sure, &unsure]);
        assert_eq!(
            all.iter().map(|f| f.answer).collect::<Vec<_>>(),
            [Answer::NotShown, Answer::Leaks, Answer::NotShown]
        );
        assert_eq!(strongest(all).unwrap().p_value, Some(0.003));
    }
}
