//! What a run found, in one sentence.

use crate::{
    report::RunReport,
    semantic::{self, SemanticReport},
};

/// What was found, in one sentence.
pub fn verdict(report: &RunReport) -> String {
    if let Some(semantic) = &report.semantic {
        let said = semantic::verdict(semantic);
        return match classes(report, semantic) {
            Some(classes) => format!("{said} {classes}"),
            None => said,
        };
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

/// What a gradient adds where the model alone says what the indices mean: which classes a client holds.
fn classes(report: &RunReport, semantic: &SemanticReport) -> Option<String> {
    let (accuracy, labels) = (semantic.accuracy.as_ref()?, report.labels.as_ref()?);
    let alone = accuracy.model_alone.as_ref()?.score(semantic.assignment)?.aggregated?.share;
    (alone > accuracy.random).then(|| {
        let share = 100.0 * labels.irec;
        format!("What the gradient adds is which classes the client holds: {share:.0} % of the label indices restored.")
    })
}
