//! Whether what the labels mean was read off the pictures.

use super::Measure;
use crate::{
    semantic::{Accuracies, SemanticReport, Share},
    statistics::fraction_p_value,
};

/// Share of the label indices named right, beside the best of what knows nothing of the client's pictures, public pictures
/// through the model alone included; `None` where the truth is not known, or where the names were learned from examples
/// that do not tell them apart.
pub fn measure(report: &SemanticReport) -> Option<Measure> {
    let accuracy = report.accuracy.as_ref().filter(|_| !report.is_at_chance())?;
    let share = |of: &crate::semantic::Accuracy| of.score(report.assignment)?.aggregated;
    let Share { share: estimate, interval_95, units, .. } = share(&accuracy.reconstructions)?;
    let floor = controls(accuracy).filter_map(share).map(|s| s.share).fold(accuracy.random, f64::max);
    let p_value = fraction_p_value(estimate * units, units, floor);
    Some(Measure { estimate, interval: Some(interval_95), floor, p_value: Some(p_value) })
}

fn controls(all: &Accuracies) -> impl Iterator<Item = &crate::semantic::Accuracy> {
    let model_alone = all.model_alone.as_ref();
    [Some(&all.noise), Some(&all.flat_grey), all.unrelated.as_ref(), model_alone].into_iter().flatten()
}
