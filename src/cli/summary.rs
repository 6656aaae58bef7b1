//! A report in a few lines.

use std::fmt::{self, Display, Formatter};

use crate::{
    attack::invert::LabelSource,
    report::{Batch, RunReport},
};

/// Batches that are listed one by one.
const LISTED: usize = 8;

/// What the report found, for a person at a terminal.
pub(crate) fn of(report: &RunReport) -> impl Display + '_ {
    struct Summary<'a>(&'a RunReport);
    impl Display for Summary<'_> {
        fn fmt(&self, f: &mut Formatter) -> fmt::Result {
            write_summary(self.0, f)
        }
    }
    Summary(report)
}

fn write_summary(report: &RunReport, f: &mut Formatter) -> fmt::Result {
    let (device, timing) = (&report.head.device, &report.timing);
    writeln!(
        f,
        "{} on {}: {} of {}, {} each, on {} ({})",
        report.head.attack.preset,
        report.head.architecture,
        count(report.batches.len(), "batch", "batches"),
        count(report.head.batch, "picture", "pictures"),
        count(report.head.restarts, "trial", "trials"),
        device.name,
        device.means()
    )?;
    for (i, batch) in report.batches.iter().enumerate().take(LISTED) {
        let before = i.checked_sub(1).map(|before| &report.batches[before]);
        write_batch(i, batch, before.is_some_and(|before| before.reason == batch.reason), f)?;
    }
    if report.batches.len() > LISTED {
        writeln!(f, "  … {} more in report.json", report.batches.len() - LISTED)?;
    }
    if let Some(last) = report.rounds.last() {
        write!(
            f,
            "over {} rounds: {} of {} classes shown",
            report.rounds.len(),
            last.classes_so_far,
            report.head.classes
        )?;
        match (report.rounds[0].certainty, last.certainty_so_far) {
            (Some(first), Some(all)) => writeln!(
                f,
                ", certainty of names {:.0} % from the first, {:.0} % from all",
                100.0 * first,
                100.0 * all
            )?,
            _ => writeln!(f)?,
        }
    }
    for skipped in &report.skipped {
        writeln!(f, "  batch {} is left out: {}", skipped.batch, skipped.reason)?;
    }
    let stopped = report.batches.iter().flat_map(|b| &b.restarts).filter(|r| r.stopped_at.is_some()).count();
    if stopped > 0 {
        let trials = count(stopped, "trial", "trials");
        writeln!(
            f,
            "  {trials} stopped when the objective was no longer finite; their best pictures so far count"
        )?;
    }
    if let (Some(found), Some(floors)) = (&report.metrics, &report.floors) {
        writeln!(
            f,
            "{:16} {:>28} {:>28} {:>11}",
            "", "PSNR dB, one-to-one", "SSIM, one-to-one", "PSNR median"
        )?;
        for (name, figures) in
            [("reconstruction", found), ("flat grey", &floors.flat_grey), ("noise", &floors.noise)]
        {
            let ssim = match figures.ssim.one_to_one {
                estimate if estimate.mean.is_nan() => "not defined below 11 px".to_string(),
                estimate => estimate.to_string(),
            };
            writeln!(
                f,
                "{name:16} {:>28} {ssim:>28} {:>11.2}",
                figures.psnr.one_to_one, figures.psnr.one_to_one.median
            )?;
        }
    }
    if let Some(likeness) = &report.likeness {
        let ranks = &likeness.identification_rank;
        if let (Some(lpips), Some(rank)) = (likeness.lpips, ranks.lpips) {
            writeln!(f, "LPIPS {lpips}; rank of the true picture by it among {}: {rank}", ranks.pool)?;
        }
        writeln!(
            f,
            "FMSE {:.3e} (victim's features); rank of the true picture by them among {}: {}, by chance {:.1}",
            likeness.fmse.mean, ranks.pool, ranks.features, ranks.chance
        )?;
    }
    if let Some(labels) = &report.labels {
        writeln!(
            f,
            "labels restored: {:.1} % (LeAcc {:.3}, LnAcc {:.3})",
            100.0 * labels.irec,
            labels.le_acc,
            labels.ln_acc
        )?;
    }
    if !report.head.defences.client.is_empty() {
        let knows = if report.head.defences.adaptive_eavesdropper { "adaptive" } else { "unaware" };
        write!(f, "defences: {}, eavesdropper {knows}", report.head.defences.client.join(", "))?;
        match (report.head.defences.epsilon, report.head.defences.delta) {
            (Some(epsilon), Some(delta)) => writeln!(f, ", epsilon {epsilon:.3} at delta {delta:e}")?,
            _ => writeln!(f)?,
        }
    }
    if let (Some(guidance), Some(record)) = (&report.head.attack.guidance, &report.guidance) {
        let names: Vec<String> =
            record.names.iter().map(|(label, name)| format!("{label} = {name}")).collect();
        let by = if record.by == "oracle" { "the true names, as by an oracle" } else { "names" };
        writeln!(f, "guided by {by}, weight {}: {}", guidance.weight, list(&names))?;
    }
    let grants: Vec<&str> = report.head.threat_model.model.grants.iter().map(|g| g.name()).collect();
    writeln!(f, "eavesdropper ({}) knows: {}", report.head.threat_model.model.name, grants.join(", "))?;
    write!(
        f,
        "{} in {:.1} s, {:.3} ms per iteration and trial",
        count(timing.iterations, "iteration", "iterations"),
        timing.seconds,
        timing.milliseconds_per_iteration_and_trial
    )
}

/// `same_reason`: the batch before was attacked so for the same reason, which need not be said again.
fn write_batch(index: usize, batch: &Batch, same_reason: bool, f: &mut Formatter) -> fmt::Result {
    let best = &batch.restarts[batch.best_restart];
    let source = match batch.label_source {
        LabelSource::Given => "given",
        LabelSource::Restored(method) => &format!("restored by {method}"),
        LabelSource::Joint => "learned",
        LabelSource::Exact => "read with the exact pictures",
    };
    let noun = if batch.labels.len() == 1 { "label" } else { "labels" };
    write!(f, "  batch {index}: {noun} {} {source}", list(&batch.labels))?;
    if let Some(labels) = batch.true_labels.as_ref().filter(|labels| **labels != batch.labels) {
        write!(f, ", true {}", list(labels))?;
    }
    if let Some(names) = &batch.class_names {
        write!(f, " ({})", list(names))?;
    }
    write!(f, ", objective {:.3e}", best.objective)?;
    match best.norm_ratio.is_finite() {
        true => write!(f, ", norm ratio {:.3}", best.norm_ratio)?,
        false => write!(f, ", no norm ratio, as one of the gradients is 0 or not finite")?,
    }
    match batch.recomputed {
        Some(again) => writeln!(f, ", residual of the recomputed gradient {:.2e}", again.residual)?,
        None => writeln!(f)?,
    }
    if let Some(reason) = batch.reason.as_ref().filter(|_| !same_reason) {
        writeln!(f, "    {reason}")?;
    }
    if let Some(exact) = &batch.exact {
        writeln!(
            f,
            "    exact: the {} of '{}', {} of {} pictures distinct, {} sets of rows; least agreement of units {:.1} %, \
             gradient of this layer and those after it recomputed to {:.1e}",
            if exact.pictures { "inputs, which are the pictures," } else { "inputs" },
            exact.layer,
            exact.rank,
            exact.rank + exact.repeated,
            exact.row_sets,
            100.0 * exact.agreement,
            exact.head_residual
        )?;
    }
    // Where labels are restored, what speaks against the update stands among their warnings.
    let others = batch.doubts.iter().filter(|doubt| !batch.label_warnings.contains(doubt));
    let mut warnings = batch.label_warnings.iter().chain(others);
    warnings.try_for_each(|warning| writeln!(f, "    warning: {warning}"))
}

/// The first few of them.
fn list(items: &[impl Display]) -> String {
    let shown: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    let rest = if items.len() > LISTED { " …" } else { "" };
    format!("{}{rest}", shown.join(", "))
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
