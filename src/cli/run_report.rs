//! From batches and what became of them to a report.

use super::{
    command_line,
    experiment::{ClientBatch, Experiment, Outcome},
};
use crate::{
    attack::{invert::LabelSource, labels::LabelMetrics, threat::ThreatModel},
    data::{Dataset, Picture},
    federated::defence::{accountant, epsilon},
    metrics::{Comparison, MetricsError, compare, flat_grey_floor},
    report::{Batch, Defences, Floors, Restart, RunReport, ThreatRecord, figures, noise_like},
};

/// All that a report is made of.
pub struct Study<'a> {
    pub experiment: Experiment<'a>,
    pub threat_model: ThreatModel,
    pub dataset: &'a Dataset,
    pub outcome: Outcome,
}

impl Study<'_> {
    pub fn report(&self, pictures: &[Vec<Picture>]) -> anyhow::Result<RunReport> {
        let Experiment { victim, protocol, normalisation, config, restarts, seed, .. } = self.experiment;
        let Outcome { losses, found, timing } = &self.outcome;
        let over_batches = |make: &dyn Fn(&ClientBatch, usize) -> Result<Comparison, MetricsError>| {
            self.experiment.batches.iter().enumerate().map(|(i, b)| make(b, i)).collect::<Result<Vec<_>, _>>()
        };
        let comparisons = over_batches(&|b, i| compare(&b.pictures, &pictures[i]))?;
        let grey = over_batches(&|b, _| flat_grey_floor(&b.pictures))?;
        let noise = over_batches(&|b, i| compare(&b.pictures, &noise_like(&b.pictures, seed + i as u64)))?;
        let source = found[0].label_source;
        let batches = (0..found.len()).map(|i| {
            let (b, found) = (&self.experiment.batches[i], &found[i]);
            Batch {
                pictures: b.indices.clone(),
                true_labels: Some(b.labels.clone()),
                labels: found.labels.clone(),
                label_source: found.label_source,
                label_warnings: found.label_warnings.clone(),
                class_names: Some(b.labels.iter().map(|&l| self.dataset.class_names[l].clone()).collect()),
                client_loss: Some(losses[i]),
                best_restart: found.best,
                restarts: Restart::all(found),
                metrics: Some(comparisons[i].clone()),
            }
        });
        Ok(RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            seed,
            device: self.experiment.device.info(),
            threat_model: ThreatRecord::new(self.threat_model.clone(), victim, protocol, config, source),
            protocol: *protocol,
            attack: config.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes: victim.model.classes,
            batch: self.experiment.batch(),
            restarts,
            data: self.dataset.name.clone(),
            normalisation: normalisation.clone(),
            defences: self.defences(),
            timing: *timing,
            metrics: figures(&comparisons),
            floors: figures(&grey).zip(figures(&noise)).map(|(flat_grey, noise)| Floors { flat_grey, noise }),
            labels: (source != LabelSource::Given).then(|| self.label_metrics()),
            batches: batches.collect(),
        })
    }

    fn defences(&self) -> Defences {
        let defences = self.experiment.defences;
        let epsilon = epsilon(defences);
        Defences {
            client: defences.iter().map(ToString::to_string).collect(),
            adaptive_eavesdropper: self.experiment.adaptive,
            epsilon,
            delta: epsilon.map(|_| accountant::DELTA),
        }
    }

    /// Mean over the batches.
    fn label_metrics(&self) -> LabelMetrics {
        label_metrics(&self.experiment, &self.outcome)
    }
}

/// How well labels were restored, mean over the batches.
pub fn label_metrics(experiment: &Experiment, outcome: &Outcome) -> LabelMetrics {
    let classes = experiment.victim.model.classes;
    let pairs = experiment.batches.iter().zip(&outcome.found);
    let all: Vec<LabelMetrics> =
        pairs.map(|(b, f)| LabelMetrics::of(&f.labels, &b.labels, classes)).collect();
    LabelMetrics::mean(&all)
}

/// What stands under each reconstruction.
pub fn captions(report: &RunReport) -> Vec<String> {
    let all = report.batches.iter().filter_map(|b| b.metrics.as_ref());
    all.flat_map(|m| {
        let (psnr, ssim) = (&m.psnr.per_image.aligned, &m.ssim.per_image.aligned);
        psnr.iter().zip(ssim).map(|(p, s)| format!("{p:.1} dB {s:.2}")).collect::<Vec<_>>()
    })
    .collect()
}
