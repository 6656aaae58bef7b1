//! `gia-gpu study labels`

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use rand::RngExt;
use serde::Serialize;

use super::super::{
    data_options::DataOptions,
    defence_options::DefenceOptions,
    experiment::{ClientBatch, read_pictures},
    help::group,
    misuse,
    model_options::VictimOptions,
    options::{DeviceOptions, NormalisationOptions, check_batch},
    print_json, print_line,
    progress::Progress,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::{
        labels::{LabelMetrics, Method, Restored, restore},
        last_layer::of_tensors,
    },
    data::{Dataset, samples},
    device::DeviceInfo,
    federated::{Protocol, Victim, defence::LastLayerClient},
    random,
    report::Estimate,
    tensor_file::GradientInfo,
};

/// Most batches of a study.
const MAX_BATCHES: usize = 100_000;

/// How well labels are restored from random batches, by every method.
///
/// Classes are drawn uniformly and with repetition.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu study labels --arch lenet5 --classes 100 --batch 24 --batches 50 --data cifar-10-batches-bin\n\n\
                  Where the victim has other classes than the data set, pictures get labels at random: an \
                  untrained victim does not know the difference."
)]
pub struct LabelStudy {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Pictures in a batch
    #[arg(long, value_name = "N", default_value_t = 24)]
    batch: usize,
    /// Random batches
    #[arg(long, value_name = "N", default_value_t = 50)]
    batches: usize,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
    /// Seed of weights, batches and noise
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::INPUT)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
struct Row {
    method: String,
    le_acc: Estimate,
    ln_acc: Estimate,
    irec: Estimate,
    confidence: Option<f64>,
    /// Share of the batches with a warning that the method's assumption fails.
    flagged: Option<f64>,
    /// Share of the batches in which the method could be run.
    run: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Report {
    tool: &'static str,
    version: &'static str,
    seed: u64,
    device: DeviceInfo,
    architecture: String,
    weights: String,
    image: [usize; 3],
    classes: usize,
    batch: usize,
    batches: usize,
    protocol: Protocol,
    defences: Vec<String>,
    data: String,
    rows: Vec<Row>,
}

impl LabelStudy {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        if !(1..=MAX_BATCHES).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCHES}, found {}", self.batches)));
        }
        let dataset = match &self.data {
            Some(path) => Dataset::open(path)?,
            None => samples(),
        };
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.batch)?;
        let defences = self.defence.defences(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let device = self.device.open()?;
        let mut client = LastLayerClient::new(&*device, &victim, &protocol, &defences, self.batch)?;

        let bar = Progress::counting("restoring labels");
        let mut results: Vec<(Vec<usize>, Vec<Restored>)> = vec![];
        for number in 0..self.batches {
            let batch = self.random_batch(&dataset, &victim, number)?;
            let images = normalisation.normalise(&batch.pictures)?;
            let sent = client.update(&images, &batch.labels, self.seed, number)?;
            let layer = of_tensors(&victim, &sent)?;
            let restored = Method::ALL.map(|method| {
                restore(method, &layer, self.batch)
                    .unwrap_or_else(|reason| Restored::not_run(method, layer.classes(), &reason))
            });
            results.push((batch.labels, restored.to_vec()));
            bar.count(number + 1, self.batches);
        }
        bar.finish();
        let report = Report {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: self.seed,
            device: device.info(),
            architecture: victim.model.describe(),
            weights: victim.weights.clone(),
            image: victim.image_shape(),
            classes: victim.model.classes,
            batch: self.batch,
            batches: self.batches,
            protocol,
            defences: defences.iter().map(ToString::to_string).collect(),
            data: dataset.name.clone(),
            rows: self.rows(&results, victim.model.classes),
        };
        if self.json { print_json(&report) } else { print_line(table(&report)) }
    }

    /// Labels drawn uniformly, and a picture of each class, or any picture where the classes are not the
    /// data set's.
    fn random_batch(&self, dataset: &Dataset, victim: &Victim, number: usize) -> anyhow::Result<ClientBatch> {
        let mut generator = random::generator(self.seed, &format!("label study {number}"));
        let classes = victim.model.classes;
        let own = classes == dataset.class_names.len();
        let mut indices = vec![];
        let mut labels = vec![];
        while indices.len() < self.batch {
            let label = generator.random_range(0..classes);
            let candidates: Vec<usize> = match own {
                true => (0..dataset.len()).filter(|&i| dataset.labels()[i] == label).collect(),
                false => (0..dataset.len()).collect(),
            };
            // A class without pictures cannot be in a batch.
            if !candidates.is_empty() {
                indices.push(candidates[generator.random_range(0..candidates.len())]);
                labels.push(label);
            }
        }
        let pictures = read_pictures(dataset, victim, &indices)?;
        Ok(ClientBatch { indices, pictures, labels })
    }

    fn rows(&self, results: &[(Vec<usize>, Vec<Restored>)], classes: usize) -> Vec<Row> {
        let row = |method: String, metrics: Vec<LabelMetrics>, run: usize| {
            let over = |value: fn(&LabelMetrics) -> f64| {
                Estimate::of(&metrics.iter().map(value).collect::<Vec<_>>())
            };
            Row {
                method,
                le_acc: over(|m| m.le_acc),
                ln_acc: over(|m| m.ln_acc),
                irec: over(|m| m.irec),
                confidence: None,
                flagged: None,
                run: run as f64 / results.len() as f64,
            }
        };
        let mut rows: Vec<Row> = Method::ALL
            .iter()
            .enumerate()
            .map(|(i, method)| {
                let of = |r: &(Vec<usize>, Vec<Restored>)| LabelMetrics::of(&r.1[i].labels(), &r.0, classes);
                let run: Vec<&Restored> =
                    results.iter().map(|r| &r.1[i]).filter(|r| r.counts.iter().any(|c| *c > 0)).collect();
                let confident: Vec<f64> = run.iter().filter_map(|r| r.confidence).collect();
                let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
                let flagged = run.iter().filter(|r| !r.warnings.is_empty()).count();
                Row {
                    confidence: (!confident.is_empty()).then(|| mean(&confident)),
                    flagged: Some(flagged as f64 / run.len().max(1) as f64),
                    ..row(method.to_string(), results.iter().map(of).collect(), run.len())
                }
            })
            .collect();
        // The control: labels drawn as the batch's own were.
        let mut generator = random::generator(self.seed, "label study, guessed");
        let guessed = results
            .iter()
            .map(|(truth, _)| {
                let guess: Vec<usize> = truth.iter().map(|_| generator.random_range(0..classes)).collect();
                LabelMetrics::of(&guess, truth, classes)
            })
            .collect();
        rows.push(row("random".into(), guessed, results.len()));
        rows
    }
}

fn table(report: &Report) -> String {
    let [c, h, w] = report.image;
    let mut text = format!(
        "{} ({}), {c}×{h}×{w}, {} classes: {} random batches of {} from {}, on {}\n",
        report.architecture,
        report.weights,
        report.classes,
        report.batches,
        report.batch,
        report.data,
        report.device.name
    );
    if !report.defences.is_empty() {
        let _ = writeln!(text, "defences: {}", report.defences.join(", "));
    }
    let _ = writeln!(
        text,
        "{:16}{:>26}{:>26}{:>26}{:>12}{:>9}",
        "method", "LeAcc", "LnAcc", "IRec", "confidence", "flagged"
    );
    for row in &report.rows {
        let confidence = row.confidence.map_or(String::new(), |c| format!("{c:.3}"));
        let flagged = row.flagged.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share));
        let _ = writeln!(
            text,
            "{:16}{:>26}{:>26}{:>26}{confidence:>12}{flagged:>9}",
            row.method, row.le_acc, row.ln_acc, row.irec
        );
    }
    text.trim_end().to_string()
}
