//! From an attack and what became of it to a report.

use crate::{
    attack::{
        invert::{LabelSource, Reconstruction, Setting},
        threat::ThreatModel,
    },
    cli::{
        command_line,
        experiment::{ClientBatch, label_metrics},
        summary,
    },
    data::Picture,
    device::Device,
    federated::defence::{Defence, accountant, epsilon},
    metrics::{Comparison, MetricsError, compare, flat_grey_floor},
    report::{
        Batch, Defences, Floors, GuidanceRecord, Restart, RunReport, ThreatRecord, Timing, figures,
        noise_like,
    },
    semantic::{ClassOrder, SemanticReport},
};

/// All that a report is made of.
pub struct Study<'a> {
    pub device: &'a dyn Device,
    pub setting: Setting<'a>,
    pub threat_model: ThreatModel,
    /// Where the pictures or gradients come from.
    pub data: String,
    pub defences: Defences,
    pub timing: Timing,
    /// `M`
    pub found: &'a [Reconstruction],
    /// `M` × `B`
    pub pictures: &'a [Vec<Picture>],
    /// Absent where the gradients came from elsewhere.
    pub truth: Option<Truth<'a>>,
    pub semantic: Option<SemanticReport>,
    pub guidance: Option<GuidanceRecord>,
}

/// What the clients know and the eavesdropper does not.
pub struct Truth<'a> {
    /// `M`; labels are class indices.
    pub batches: &'a [ClientBatch],
    /// `M`
    pub losses: &'a [f32],
    /// `K`: what each class index means, if the data set has it.
    pub names: &'a [Option<String>],
    pub order: &'a ClassOrder,
}

impl Study<'_> {
    pub fn report(&self) -> anyhow::Result<RunReport> {
        let Setting { victim, protocol, normalisation, config, restarts, seed, batch, .. } = self.setting;
        let source = self.found[0].label_source;
        let judged = self.truth.as_ref().map(|truth| self.judged(truth)).transpose()?;
        let batches = (0..self.found.len()).map(|i| self.batch(i, judged.as_ref())).collect();
        let mut report = RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            verdict: String::new(),
            seed,
            device: self.device.info(),
            threat_model: ThreatRecord::new(self.threat_model.clone(), victim, protocol, config, source),
            protocol: protocol.clone(),
            attack: config.clone(),
            guidance: self.guidance.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes: victim.model.classes,
            class_order: self.truth.as_ref().map(|t| t.order.labels().to_vec()),
            batch,
            restarts,
            data: self.data.clone(),
            normalisation: normalisation.clone(),
            defences: self.defences.clone(),
            timing: self.timing,
            metrics: judged.as_ref().and_then(|j| figures(&j.comparisons)),
            floors: judged.as_ref().and_then(|j| {
                let floors = figures(&j.grey).zip(figures(&j.noise));
                floors.map(|(flat_grey, noise)| Floors { flat_grey, noise })
            }),
            labels: self
                .truth
                .as_ref()
                .filter(|_| source != LabelSource::Given)
                .map(|t| label_metrics(self.found, t.batches, victim.model.classes)),
            semantic: self.semantic.clone(),
            batches,
        };
        report.verdict = summary::verdict(&report);
        Ok(report)
    }

    /// All originals, where they are known.
    pub fn originals(&self) -> Option<Vec<Picture>> {
        let truth = self.truth.as_ref()?;
        Some(truth.batches.iter().flat_map(|b| b.pictures.clone()).collect())
    }

    fn judged(&self, truth: &Truth) -> Result<Judged, MetricsError> {
        let over_batches = |make: &dyn Fn(&ClientBatch, usize) -> Result<Comparison, MetricsError>| {
            truth.batches.iter().enumerate().map(|(i, b)| make(b, i)).collect::<Result<Vec<_>, _>>()
        };
        let seed = self.setting.seed;
        Ok(Judged {
            comparisons: over_batches(&|b, i| compare(&b.pictures, &self.pictures[i]))?,
            grey: over_batches(&|b, _| flat_grey_floor(&b.pictures))?,
            noise: over_batches(&|b, i| compare(&b.pictures, &noise_like(&b.pictures, seed + i as u64)))?,
        })
    }

    fn batch(&self, number: usize, judged: Option<&Judged>) -> Batch {
        let found = &self.found[number];
        let client = self.truth.as_ref().map(|truth| (truth, &truth.batches[number]));
        let names = |(truth, batch): (&Truth, &ClientBatch)| -> Vec<String> {
            batch.labels.iter().map(|&index| truth.names[index].clone().unwrap_or_default()).collect()
        };
        let size = self.setting.batch;
        Batch {
            pictures: match client {
                Some((_, batch)) => batch.indices.clone(),
                None => (number * size..(number + 1) * size).collect(),
            },
            true_labels: client.map(|(_, batch)| batch.labels.clone()),
            labels: found.labels.clone(),
            label_source: found.label_source,
            label_warnings: found.label_warnings.clone(),
            class_names: client.map(names),
            client_loss: client.map(|(truth, _)| truth.losses[number]),
            best_restart: found.best,
            restarts: Restart::all(found),
            metrics: judged.map(|j| j.comparisons[number].clone()),
        }
    }
}

/// `M` each.
struct Judged {
    comparisons: Vec<Comparison>,
    grey: Vec<Comparison>,
    noise: Vec<Comparison>,
}

/// What protected the client, as a report has it.
pub fn defences_record(defences: &[Defence], adaptive: bool) -> Defences {
    let epsilon = epsilon(defences);
    Defences {
        client: defences.iter().map(ToString::to_string).collect(),
        adaptive_eavesdropper: adaptive,
        epsilon,
        delta: epsilon.map(|_| accountant::DELTA),
    }
}

/// What stands under each reconstruction: what was read out of it, and how like its original it is.
pub fn captions(report: &RunReport) -> Vec<String> {
    let mut captions = vec![];
    for (number, batch) in report.batches.iter().enumerate() {
        let named = report.semantic.as_ref().map(|s| &s.batches[number].labels);
        for (i, &index) in batch.labels.iter().enumerate() {
            let name =
                named.and_then(|labels| labels.iter().find(|l| l.index == index)).map(|l| l.name.clone());
            captions.push(match (&batch.metrics, name) {
                (Some(metrics), name) => {
                    let (psnr, ssim) = (&metrics.psnr.per_image.aligned, &metrics.ssim.per_image.aligned);
                    format!("{:.1} dB {:.2} {}", psnr[i], ssim[i], name.unwrap_or_default()).trim_end().into()
                }
                (None, Some(name)) => format!("label {index}: {name}"),
                (None, None) => format!("label {index}"),
            });
        }
    }
    captions
}
