//! What leaks past each defence, to an unaware and to an adaptive eavesdropper.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    attack::{config::AttackConfig, labels::LabelMetrics},
    audit::{Attacked, Audit, AuditError, ClientBatch, Clients, Readable, ZERO},
    device::{Device, DeviceInfo},
    federated::{
        Protocol,
        defence::{Defence, accountant, epsilon},
    },
    metrics::{Comparison, MetricsError, compare, flat_grey_floor, noise_like},
    report::{Figures, Skipped, figures},
    statistics::Estimate,
    watch::Watch,
};

/// Every defence at strengths from harmless to strong.
pub const STRENGTHS: [&str; 16] = [
    "noise:1e-4",
    "noise:1e-3",
    "noise:1e-2",
    "noise:1e-1",
    "laplace:1e-3",
    "laplace:1e-2",
    "clip:1",
    "clip:0.1",
    "dp-sgd:1:0.01",
    "dp-sgd:1:0.1",
    "top-k:0.5",
    "top-k:0.1",
    "top-k:0.01",
    "sign",
    "soteria:0.4",
    "soteria:0.8",
];

/// The same batches behind each defence, attacked once unaware of it and once adapted to it.
pub struct DefenceStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// Whose updates each defence is applied to.
    pub clients: &'a Clients,
    /// A row each, applied in order.
    pub defences: &'a [Vec<Defence>],
}

/// What one eavesdropper gets.
#[derive(Clone, Debug, Serialize)]
pub struct Leak {
    /// How well labels were restored, mean over the batches.
    pub labels: LabelMetrics,
    /// In dB, one-to-one.
    pub psnr: Estimate,
    /// One-to-one.
    pub ssim: Estimate,
    /// Batches of which nothing could be read behind this defence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// What leaks past one defence.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// As the command line takes it; `none`.
    pub defence: String,
    /// ε of the step, for DP-SGD.
    pub epsilon: Option<f64>,
    /// To an eavesdropper who does not know of the defence.
    pub unaware: Leak,
    /// Absent where there is nothing to adapt to.
    pub adaptive: Option<Leak>,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct DefenceReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Of noise, starts and all else that is drawn.
    pub seed: u64,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// The victim's, as in the registry.
    pub architecture: String,
    /// Where the victim's weights come from.
    pub weights: String,
    /// The data set.
    pub data: String,
    /// `B`
    pub batch: usize,
    /// `M`: batches behind each defence.
    pub batches: usize,
    /// What a client does before it sends, but for its defence.
    pub protocol: Protocol,
    /// The attack, with every choice made.
    pub attack: AttackConfig,
    /// δ of every row's `epsilon`.
    pub delta: f64,
    /// One a defence.
    pub rows: Vec<Row>,
    /// A flat grey picture in place of every reconstruction; absent where no batch could be attacked.
    pub flat_grey: Option<Figures>,
    /// Noise in place of every reconstruction; absent where no batch could be attacked.
    pub noise: Option<Figures>,
    /// Batches whose gradient is 0 without a defence: they count in no row.
    pub skipped: Vec<Skipped>,
}

impl DefenceStudy<'_> {
    /// `audit`: how each is attacked; its own defences do not count.
    ///
    /// # Errors
    /// No batches, and what training, defences or attack fail at.
    pub fn run(&self, audit: &mut Audit, watch: &dyn Watch) -> Result<DefenceReport, AuditError> {
        if self.clients.batches.is_empty() {
            return Err(AuditError::misuse("a study of defences: expected 1 batch or more, found 0"));
        }
        audit.defences = vec![];
        let captured = audit.capture(self.device, &self.clients.batches, watch)?;
        let Readable { kept, skipped, .. } = Readable::of(captured.targets);
        if kept.is_empty() {
            return Err(AuditError::File(ZERO.into()));
        }
        let batches: Vec<ClientBatch> = kept.iter().map(|&i| self.clients.batches[i].clone()).collect();
        let leak = |audit: &mut Audit, defences: &[Defence], adaptive| {
            let mut leak = self.leak(audit, &batches, defences, adaptive, watch)?;
            leak.skipped.iter_mut().for_each(|skipped| skipped.batch = kept[skipped.batch]);
            Ok::<_, AuditError>(leak)
        };
        let mut rows = vec![Row {
            defence: "none".into(),
            epsilon: None,
            unaware: leak(audit, &[], false)?,
            adaptive: None,
        }];
        for defences in self.defences {
            let names: Vec<String> = defences.iter().map(ToString::to_string).collect();
            rows.push(Row {
                defence: names.join(","),
                epsilon: epsilon(defences),
                unaware: leak(audit, defences, false)?,
                adaptive: Some(leak(audit, defences, true)?),
            });
        }
        let floor = |make: &dyn Fn(usize) -> Result<Comparison, MetricsError>| {
            let compared = (0..batches.len()).map(make).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, MetricsError>(figures(&compared))
        };
        let noise = |i: usize| noise_like(&batches[i].pictures, audit.seed.wrapping_add(i as u64));
        Ok(DefenceReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: audit.seed,
            device: self.device.info(),
            architecture: audit.victim.model.describe(),
            weights: audit.victim.weights.clone(),
            data: self.clients.data.clone(),
            batch: self.clients.batch(),
            batches: batches.len(),
            protocol: audit.protocol.clone(),
            attack: audit.attack.clone(),
            delta: accountant::DELTA,
            rows,
            flat_grey: floor(&|i| flat_grey_floor(&batches[i].pictures))?,
            noise: floor(&|i| compare(&batches[i].pictures, &noise(i)))?,
            skipped,
        })
    }

    /// What gets past these defences, to an eavesdropper who knows them or not.
    fn leak(
        &self,
        audit: &mut Audit,
        batches: &[ClientBatch],
        defences: &[Defence],
        adaptive: bool,
        watch: &dyn Watch,
    ) -> Result<Leak, AuditError> {
        (audit.defences, audit.adaptive) = (defences.to_vec(), adaptive);
        let Attacked { outcome, kept, skipped } = audit.run_possible(self.device, batches, None, watch)?;
        let Some(outcome) = outcome else {
            let reason = skipped.first().map_or(ZERO, |skipped| skipped.reason.as_str());
            return Err(AuditError::File(reason.into()));
        };
        let batches: Vec<ClientBatch> = kept.iter().map(|&i| batches[i].clone()).collect();
        let pairs = batches.iter().zip(&outcome.pictures);
        let compared = pairs.map(|(b, p)| compare(&b.pictures, p)).collect::<Result<Vec<_>, _>>()?;
        let all = figures(&compared).expect("at least one batch");
        Ok(Leak {
            labels: audit.label_metrics(&outcome.found, &batches),
            psnr: all.psnr.one_to_one,
            ssim: all.ssim.one_to_one,
            skipped,
        })
    }
}

impl DefenceReport {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {} ({}): {} batches of {} from {}, {} iterations, on {}\n",
            self.attack.preset,
            self.architecture,
            self.weights,
            self.batches,
            self.batch,
            self.data,
            self.attack.iterations,
            self.device.name
        );
        let _ = writeln!(
            text,
            "{:20}{:>10}   {:^28}   {:^28}",
            "", "", "unaware eavesdropper", "adaptive eavesdropper"
        );
        let _ = writeln!(
            text,
            "{:20}{:>10}   {:>8}{:>12}{:>8}   {:>8}{:>12}{:>8}",
            "defence", "epsilon", "labels", "PSNR dB", "SSIM", "labels", "PSNR dB", "SSIM"
        );
        let cells = |leak: Option<&Leak>| match leak {
            Some(leak) => {
                format!("{:>7.0}%{:>12.2}{:>8.3}", 100.0 * leak.labels.irec, leak.psnr.mean, leak.ssim.mean)
            }
            None => format!("{:>28}", ""),
        };
        for row in &self.rows {
            let epsilon = row.epsilon.map_or(String::new(), |e| format!("{e:.2}"));
            let (unaware, adaptive) = (cells(Some(&row.unaware)), cells(row.adaptive.as_ref()));
            let _ = writeln!(text, "{:20}{epsilon:>10}   {unaware}   {adaptive}", row.defence);
        }
        for (name, floor) in [("flat grey picture", &self.flat_grey), ("noise picture", &self.noise)] {
            if let Some(floor) = floor {
                let (psnr, ssim) = (floor.psnr.one_to_one.mean, floor.ssim.one_to_one.mean);
                let _ = writeln!(text, "{name:20}{:>10}   {:>8}{psnr:>12.2}{ssim:>8.3}", "", "");
            }
        }
        for Skipped { batch, reason } in &self.skipped {
            let _ = writeln!(text, "batch {batch} is left out: {reason}");
        }
        for row in &self.rows {
            for leak in [Some(&row.unaware), row.adaptive.as_ref()].into_iter().flatten() {
                for Skipped { batch, reason } in &leak.skipped {
                    let _ = writeln!(text, "{}: batch {batch} is left out: {reason}", row.defence);
                }
            }
        }
        if self.rows.iter().any(|r| r.epsilon.is_some()) {
            let _ = writeln!(
                text,
                "epsilon of one step at delta {:e}, without amplification by sampling",
                self.delta
            );
        }
        text.trim_end().to_string()
    }
}
