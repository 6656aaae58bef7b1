//! The result in one sentence.

use super::{SemanticReport, Share};

/// Names that the sentence lists.
const LISTED: usize = 4;

/// What the eavesdropper learned, and how it compares with guessing.
pub fn verdict(report: &SemanticReport) -> String {
    let updates = match report.batches.len() {
        1 => "this update".to_string(),
        n => format!("these {n} updates"),
    };
    let score =
        report.accuracy.as_ref().and_then(|a| Some((a.reconstructions.score(report.assignment)?, a.random)));
    match score.and_then(|(score, random)| Some((score.aggregated?, random))) {
        Some((share, random)) => scored(&updates, share, random, report.names.len()),
        None => unscored(&updates, report),
    }
}

fn scored(updates: &str, share: Share, random: f64, names: usize) -> String {
    let Share { share, right, of, interval_95 } = share;
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let [low, high] = interval_95;
    let found = format!("{right} of {of}, 95 % interval {} to {}", percent(low), percent(high));
    let surely = low > random;
    let labels = if of == 1 { "label index" } else { "label indices" };
    if share <= random {
        return format!(
            "From {updates} an eavesdropper reads nothing about what the labels mean: {} of the {labels} named right \
             ({found}), where guessing among {names} names gives {}.",
            percent(share),
            percent(random)
        );
    }
    let beside = match surely {
        true => format!("{:.1} times what guessing among {names} names gives", share / random),
        false => {
            format!("guessing among {names} names gives {}: too few to tell them apart", percent(random))
        }
    };
    format!(
        "From {updates} an eavesdropper reads what {} of the {labels} mean ({found}); {beside}.",
        percent(share)
    )
}

fn unscored(updates: &str, report: &SemanticReport) -> String {
    let read =
        |i: &super::IndexNaming| format!("{} is “{}” ({:.0} %)", i.index, i.name, 100.0 * i.probability);
    let mut all: Vec<String> = report.aggregated.iter().take(LISTED).map(read).collect();
    if report.aggregated.len() > LISTED {
        all.push("…".into());
    }
    format!(
        "From {updates} an eavesdropper would read that label {}; whether that is right, only the owner of the \
         pictures knows.",
        all.join(", ")
    )
}
