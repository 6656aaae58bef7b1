//! What a run found, in one sentence.

use crate::{report::RunReport, semantic};

/// What was found, in one sentence.
pub fn verdict(report: &RunReport) -> String {
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
