//! From batches and what became of them to a report.

use super::command_line;
use crate::{
    attack::{
        invert::{LabelSource, Reconstruction, Setting},
        threat::ThreatModel,
    },
    data::{Dataset, Picture},
    device::DeviceInfo,
    metrics::{Comparison, MetricsError, compare, flat_grey_floor},
    report::{Batch, Floors, Restart, RunReport, Timing, figures, noise_like},
};

/// One client's batch.
pub struct ClientBatch {
    pub indices: Vec<usize>,
    pub pictures: Vec<Picture>,
    pub labels: Vec<usize>,
}

/// All that a report is made of.
pub struct Study<'a> {
    pub setting: Setting<'a>,
    pub threat_model: ThreatModel,
    pub dataset: &'a Dataset,
    pub batches: Vec<ClientBatch>,
    pub losses: Vec<f32>,
    pub found: Vec<Reconstruction>,
}

impl Study<'_> {
    /// The reconstructions, a list a batch.
    pub fn pictures(&self) -> anyhow::Result<Vec<Vec<Picture>>> {
        let [_, height, width] = self.setting.victim.image_shape();
        let denormalise = |r: &Reconstruction| {
            Ok(self.setting.normalisation.denormalise(&r.best().images, height, width)?)
        };
        self.found.iter().map(denormalise).collect()
    }

    pub fn report(
        &self,
        device: DeviceInfo,
        timing: Timing,
        pictures: &[Vec<Picture>],
    ) -> anyhow::Result<RunReport> {
        let Setting { victim, protocol, batch, normalisation, config, restarts, seed, .. } = &self.setting;
        let over_batches = |make: &dyn Fn(&ClientBatch, usize) -> Result<Comparison, MetricsError>| {
            self.batches.iter().enumerate().map(|(i, b)| make(b, i)).collect::<Result<Vec<_>, _>>()
        };
        let comparisons = over_batches(&|b, i| compare(&b.pictures, &pictures[i]))?;
        let grey = over_batches(&|b, _| flat_grey_floor(&b.pictures))?;
        let noise = over_batches(&|b, i| compare(&b.pictures, &noise_like(&b.pictures, seed + i as u64)))?;
        let source = self.found[0].label_source;
        let batches = (0..self.batches.len()).map(|i| {
            let (b, found) = (&self.batches[i], &self.found[i]);
            Batch {
                pictures: b.indices.clone(),
                true_labels: Some(b.labels.clone()),
                labels: found.labels.clone(),
                label_source: found.label_source,
                class_names: Some(b.labels.iter().map(|&l| self.dataset.class_names[l].clone()).collect()),
                client_loss: Some(self.losses[i]),
                best_restart: found.best,
                restarts: Restart::all(found),
                metrics: Some(comparisons[i].clone()),
            }
        });
        Ok(RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            seed: *seed,
            device,
            threat_model: self.threat_model.clone(),
            protocol: **protocol,
            attack: (*config).clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            weights: victim.weights.clone(),
            classes: victim.model.classes,
            batch: *batch,
            restarts: *restarts,
            data: self.dataset.name.clone(),
            normalisation: (*normalisation).clone(),
            timing,
            metrics: figures(&comparisons),
            floors: figures(&grey).zip(figures(&noise)).map(|(flat_grey, noise)| Floors { flat_grey, noise }),
            labels_right: (source != LabelSource::Given).then(|| self.labels_right()),
            batches: batches.collect(),
        })
    }

    /// Share of all labels restored, each counted as often as it occurs in its batch.
    fn labels_right(&self) -> f64 {
        let count = |labels: &[usize], class: usize| labels.iter().filter(|&&l| l == class).count();
        let right: usize = self
            .batches
            .iter()
            .zip(&self.found)
            .map(|(b, f)| {
                let classes = 0..self.setting.victim.model.classes;
                classes.map(|c| count(&b.labels, c).min(count(&f.labels, c))).sum::<usize>()
            })
            .sum();
        right as f64 / (self.batches.len() * self.setting.batch) as f64
    }
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
