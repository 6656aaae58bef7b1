//! What a run found, in one sentence.

use super::{Audit, doubts::is_of_another_length};
use crate::{report::RunReport, semantic};

/// What was found, in one sentence, and in another how many gradients do not fit in length.
pub fn verdict(audit: &Audit, report: &RunReport) -> String {
    let ratio = |batch: &&crate::report::Batch| batch.restarts[batch.best_restart].norm_ratio;
    let count = report.batches.iter().filter(|batch| is_of_another_length(audit, ratio(batch))).count();
    let found = of_pictures(report);
    match (count, report.batches.len()) {
        (0, _) => found,
        (_, 1) => format!("{found} The length of its gradient does not fit: see its warnings."),
        (count, all) => {
            format!("{found} Of {count} of {all} gradients the length does not fit: see their warnings.")
        }
    }
}

fn of_pictures(report: &RunReport) -> String {
    if let Some(semantic) = &report.semantic {
        return semantic::verdict(semantic);
    }
    let updates = match report.batches.len() {
        1 => "this update".to_string(),
        n => format!("these {n} updates"),
    };
    match (&report.metrics, &report.floors) {
        (Some(found), Some(floors)) => format!(
            "From {updates} an eavesdropper reconstructs pictures of SSIM {:.2} (a flat grey picture has {:.2}); what \
             they show was not put into words.",
            found.ssim.one_to_one.mean, floors.flat_grey.ssim.one_to_one.mean
        ),
        _ => format!(
            "From {updates} an eavesdropper reconstructs the pictures shown; without the originals, nobody can say how \
             like them they are."
        ),
    }
}
