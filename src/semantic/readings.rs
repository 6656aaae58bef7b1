//! What names were read, in a sentence.

use super::{IndexNaming, SemanticReport};

/// Names that the sentence lists.
const LISTED: usize = 4;

/// What an eavesdropper would read the labels to mean.
pub fn readings(report: &SemanticReport) -> String {
    let read = |i: &IndexNaming| format!("{} is “{}” ({:.0} %)", i.index, i.name, 100.0 * i.probability);
    let mut all: Vec<String> = report.aggregated.iter().take(LISTED).map(read).collect();
    if report.aggregated.len() > LISTED {
        all.push("…".into());
    }
    format!("The pictures read as: label {}.", all.join(", "))
}
