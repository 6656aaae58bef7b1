//! `gia-gpu study defences`

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::{
    attack_options::AttackOptions,
    data_options::DataOptions,
    defence_options::check,
    experiment::{Experiment, label_metrics},
    help::group,
    misuse,
    model_options::{DEFAULT_ARCHITECTURE, VictimOptions},
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::{config::AttackConfig, labels::LabelMetrics, threat::ThreatModel},
    data::atomic,
    device::DeviceInfo,
    federated::{
        Protocol,
        defence::{Defence, accountant, epsilon, parse},
    },
    metrics::{Comparison, compare, flat_grey_floor},
    report::{Estimate, Figures, figures, noise_like},
    tensor_file::{GradientInfo, TensorFile},
};

/// Rows of a study that is told none: every defence at strengths from harmless to strong.
const DEFAULT: [&str; 16] = [
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

/// Most iterations of an attack of the study, unless told otherwise: there are many.
const ITERATIONS: usize = 1_000;

/// Attack the same batches behind each defence, once unaware of it and once adapted to it.
#[derive(Args)]
#[command(
    next_help_heading = group::CLIENT,
    after_help = "Examples:\n  gia-gpu study defences\n  gia-gpu study defences --data cifar-10-batches-bin --batches 8 \
                  --defence noise:1e-3 --defence noise:1e-3,top-k:0.1"
)]
pub struct DefenceStudy {
    /// A row of the table: defences in order, as in noise:1e-2,clip:1.0
    ///
    /// May be repeated. Without it, every defence at several strengths.
    #[arg(long, value_name = "D,D", help_heading = group::CLIENT)]
    defence: Vec<String>,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Seed of weights, noise and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// JSON file to write the table to
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// What one eavesdropper gets.
#[derive(Clone, Debug, Serialize)]
struct Leak {
    labels: LabelMetrics,
    psnr: Estimate,
    ssim: Estimate,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    defence: String,
    /// ε of the step, for DP-SGD.
    epsilon: Option<f64>,
    unaware: Leak,
    /// Absent where there is nothing to adapt to.
    adaptive: Option<Leak>,
}

#[derive(Clone, Debug, Serialize)]
struct Report {
    tool: &'static str,
    version: &'static str,
    seed: u64,
    device: DeviceInfo,
    architecture: String,
    weights: String,
    data: String,
    batch: usize,
    batches: usize,
    protocol: Protocol,
    attack: AttackConfig,
    delta: f64,
    rows: Vec<Row>,
    flat_grey: Option<Figures>,
    noise: Option<Figures>,
}

impl DefenceStudy {
    pub fn run(self) -> anyhow::Result<()> {
        let dataset = self.data.open()?;
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        if self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(ITERATIONS);
        }
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch())?;
        let wanted = self.wanted(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let batches = self.data.read(&dataset, &victim, self.seed)?;
        if let Some(path) = &self.out {
            TensorFile::check_writable(path)?;
        }
        let device = self.device.open()?;
        let insider = ThreatModel::insider();
        let undefended = Experiment {
            device: &*device,
            victim: &victim,
            protocol: &protocol,
            normalisation: &normalisation,
            config: &config,
            threat: &insider,
            batches: &batches,
            defences: &[],
            adaptive: false,
            labels_given: false,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let mut rows =
            vec![Row { defence: "none".into(), epsilon: None, unaware: leak(&undefended)?, adaptive: None }];
        for defences in &wanted {
            let unaware = Experiment { defences, ..undefended };
            let names: Vec<String> = defences.iter().map(ToString::to_string).collect();
            rows.push(Row {
                defence: names.join(","),
                epsilon: epsilon(defences),
                unaware: leak(&unaware)?,
                adaptive: Some(leak(&Experiment { adaptive: true, ..unaware })?),
            });
        }
        let over =
            |make: &dyn Fn(usize) -> Comparison| figures(&(0..batches.len()).map(make).collect::<Vec<_>>());
        let grey = batches.iter().map(|b| flat_grey_floor(&b.pictures)).collect::<Result<Vec<_>, _>>()?;
        let noise = batches
            .iter()
            .enumerate()
            .map(|(i, b)| compare(&b.pictures, &noise_like(&b.pictures, self.seed + i as u64)))
            .collect::<Result<Vec<_>, _>>()?;
        let report = Report {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: self.seed,
            device: device.info(),
            architecture: victim.model.describe(),
            weights: victim.weights.clone(),
            data: dataset.name.clone(),
            batch: self.data.batch(),
            batches: self.data.batches(),
            protocol,
            attack: config.clone(),
            delta: accountant::DELTA,
            rows,
            flat_grey: over(&|i| grey[i].clone()),
            noise: over(&|i| noise[i].clone()),
        };
        if let Some(path) = &self.out {
            atomic::write_json(path, &report)?;
        }
        if self.json { print_json(&report) } else { print_line(table(&report)) }
    }

    fn wanted(&self, protocol: &Protocol) -> anyhow::Result<Vec<Vec<Defence>>> {
        let read = |text: &str| {
            let defences = parse(text).map_err(|error| misuse(format!("--defence: {error}")))?;
            check(protocol, &defences)?;
            Ok(defences)
        };
        match self.defence.is_empty() {
            false => self.defence.iter().map(|text| read(text)).collect(),
            // Those that do not fit the protocol are left out.
            true => Ok(DEFAULT.iter().filter_map(|text| read(text).ok()).collect()),
        }
    }
}

fn leak(experiment: &Experiment) -> anyhow::Result<Leak> {
    let outcome = experiment.run()?;
    let pictures = experiment.pictures(&outcome.found)?;
    let pairs = experiment.batches.iter().zip(&pictures);
    let compared = pairs.map(|(b, p)| compare(&b.pictures, p)).collect::<Result<Vec<_>, _>>()?;
    let all = figures(&compared).expect("at least one batch");
    Ok(Leak {
        labels: label_metrics(&outcome.found, experiment.batches, experiment.victim.model.classes),
        psnr: all.psnr.one_to_one,
        ssim: all.ssim.one_to_one,
    })
}

fn table(report: &Report) -> String {
    let mut text = format!(
        "{} on {} ({}): {} batches of {} from {}, {} iterations, on {}\n",
        report.attack.preset,
        report.architecture,
        report.weights,
        report.batches,
        report.batch,
        report.data,
        report.attack.iterations,
        report.device.name
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
    for row in &report.rows {
        let epsilon = row.epsilon.map_or(String::new(), |e| format!("{e:.2}"));
        let (unaware, adaptive) = (cells(Some(&row.unaware)), cells(row.adaptive.as_ref()));
        let _ = writeln!(text, "{:20}{epsilon:>10}   {unaware}   {adaptive}", row.defence);
    }
    for (name, floor) in [("flat grey picture", &report.flat_grey), ("noise picture", &report.noise)] {
        if let Some(floor) = floor {
            let (psnr, ssim) = (floor.psnr.one_to_one.mean, floor.ssim.one_to_one.mean);
            let _ = writeln!(text, "{name:20}{:>10}   {:>8}{psnr:>12.2}{ssim:>8.3}", "", "");
        }
    }
    if report.rows.iter().any(|r| r.epsilon.is_some()) {
        let _ = writeln!(
            text,
            "epsilon of one step at delta {:e}, without amplification by sampling",
            report.delta
        );
    }
    text.trim_end().to_string()
}
