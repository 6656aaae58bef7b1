//! Whether what the labels mean was read off the pictures.

use super::Measure;
use crate::{
    semantic::{Accuracies, SemanticReport, Share},
    statistics::fraction_p_value,
};

/// Share of the label indices named right, beside the best of what knows nothing of the client's pictures; `None` where
/// the truth is not known.
pub fn measure(report: &SemanticReport) -> Option<Measure> {
    let accuracy = report.accuracy.as_ref()?;
    let share = |of: &crate::semantic::Accuracy| of.score(report.assignment)?.aggregated;
    let Share { share: estimate, interval_95, units, .. } = share(&accuracy.reconstructions)?;
    let floor = controls(accuracy).filter_map(share).map(|s| s.share).fold(accuracy.random, f64::max);
    let p_value = fraction_p_value(estimate * units, units, floor);
    Some(Measure { estimate, interval: Some(interval_95), floor, p_value: Some(p_value) })
}

fn controls(all: &Accuracies) -> impl Iterator<Item = &crate::semantic::Accuracy> {
    [Some(&all.noise), Some(&all.flat_grey), all.unrelated.as_ref()].into_iter().flatten()
}
