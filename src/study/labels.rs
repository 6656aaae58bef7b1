//! How well labels are restored from random batches, by every method and by guessing.

use std::fmt::Write;

use rand::RngExt;
use serde::Serialize;

use crate::{
    attack::{
        AttackError,
        labels::{LabelMetrics, Method, Restored, restore},
        last_layer::of_tensors,
    },
    audit::{AuditError, ClientBatch, ZERO, read_pictures},
    data::{Dataset, Normalisation},
    device::{Device, DeviceInfo},
    federated::{
        Protocol, Victim,
        defence::{Defence, LastLayerClient},
    },
    random,
    report::Skipped,
    statistics::Estimate,
    watch::{Stage, Watch},
};

/// Random batches of one victim, classes drawn uniformly and with repetition.
pub struct LabelStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// The model with its weights.
    pub victim: &'a Victim,
    /// Where the clients' pictures come from.
    pub dataset: &'a Dataset,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: &'a Normalisation,
    /// What a client does before it sends, but for its defences.
    pub protocol: Protocol,
    /// In the order in which they are applied.
    pub defences: &'a [Defence],
    /// `B`
    pub batch: usize,
    /// `M`
    pub batches: usize,
    /// Of batches and noise.
    pub seed: u64,
}

/// One method, over all batches.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is called; `random`: labels drawn as the batches' own were.
    pub method: String,
    /// Share of all K classes whose presence is right (LeAcc).
    pub le_acc: Estimate,
    /// Share of all K classes whose count is right (LnAcc).
    pub ln_acc: Estimate,
    /// Share of the batch's labels that were found (IRec).
    pub irec: Estimate,
    /// Mean over the batches, in [0, 1]; absent where the method does not say how sure it is.
    pub confidence: Option<f64>,
    /// Share of the batches with a warning that the method's assumption fails.
    pub flagged: Option<f64>,
    /// Share of the batches in which the method could be run.
    pub run: f64,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct LabelReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Of batches and noise.
    pub seed: u64,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// The victim's, as in the registry.
    pub architecture: String,
    /// Where the victim's weights come from.
    pub weights: String,
    /// `[C, H, W]`
    pub image: [usize; 3],
    /// `K`
    pub classes: usize,
    /// `B`
    pub batch: usize,
    /// `M`
    pub batches: usize,
    /// What a client does before it sends, but for its defences.
    pub protocol: Protocol,
    /// In the order in which they are applied.
    pub defences: Vec<String>,
    /// The data set.
    pub data: String,
    /// One a method.
    pub rows: Vec<Row>,
    /// Batches whose gradient is 0: they count nowhere else.
    pub skipped: Vec<Skipped>,
}

/// What a batch truly holds, and what each method restored.
type Restorations = (Vec<usize>, Vec<Restored>);

impl LabelStudy<'_> {
    /// # Errors
    /// No batches or pictures, and what the client's training or the restoration fails at.
    pub fn run(&self, watch: &dyn Watch) -> Result<LabelReport, AuditError> {
        let LabelStudy { device, victim, dataset, ref protocol, defences, batch, batches, seed, .. } = *self;
        if batch == 0 || batches == 0 {
            return Err(AuditError::misuse(format!(
                "a study of labels: expected 1 batch of 1 picture or more, found {batches} of {batch}"
            )));
        }
        let mut client = LastLayerClient::new(device, victim, protocol, defences, batch)?;
        let stage = Stage::new(watch, "restoring labels");
        let (mut results, mut skipped) = (vec![], vec![]);
        for number in 0..batches {
            let drawn = self.random_batch(number)?;
            let images = self.normalisation.normalise(&drawn.pictures)?;
            let sent = client.update(&images, &drawn.labels, seed, number)?;
            if sent.iter().flatten().all(|v| *v == 0.0) {
                skipped.push(Skipped { batch: number, reason: ZERO.into() });
                continue;
            }
            let layer =
                of_tensors(victim, &sent).map_err(|cause| AttackError::Labels { target: number, cause })?;
            let restored = Method::ANY_BATCH.map(|method| {
                restore(method, &layer, batch)
                    .unwrap_or_else(|reason| Restored::not_run(method, layer.classes(), &reason))
            });
            results.push((drawn.labels, restored.to_vec()));
            stage.count(number + 1, batches);
        }
        if results.is_empty() {
            return Err(AuditError::File(format!("all {batches} batches: {ZERO}")));
        }
        Ok(LabelReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed,
            device: device.info(),
            architecture: victim.model.describe(),
            weights: victim.weights.clone(),
            image: victim.image_shape(),
            classes: victim.model.classes,
            batch,
            batches,
            protocol: protocol.clone(),
            defences: defences.iter().map(ToString::to_string).collect(),
            data: dataset.name.clone(),
            rows: self.rows(&results),
            skipped,
        })
    }

    /// Labels drawn uniformly, and a picture of each class, or any picture where the classes are not the
    /// data set's.
    fn random_batch(&self, number: usize) -> Result<ClientBatch, AuditError> {
        let LabelStudy { victim, dataset, .. } = *self;
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

    fn rows(&self, results: &[Restorations]) -> Vec<Row> {
        let classes = self.victim.model.classes;
        let row = |method: String, metrics: Vec<LabelMetrics>, run: usize| {
            let over = |value: fn(&LabelMetrics) -> f64| {
                Estimate::of_shares(&metrics.iter().map(value).collect::<Vec<_>>())
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
        let mut rows: Vec<Row> = Method::ANY_BATCH
            .iter()
            .enumerate()
            .map(|(i, method)| {
                let of = |r: &Restorations| LabelMetrics::of(&r.1[i].labels(), &r.0, classes);
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

impl LabelReport {
    /// For people.
    pub fn table(&self) -> String {
        let [c, h, w] = self.image;
        let mut text = format!(
            "{} ({}), {c}×{h}×{w}, {} classes: {} random batches of {} from {}, on {}\n",
            self.architecture,
            self.weights,
            self.classes,
            self.batches,
            self.batch,
            self.data,
            self.device.name
        );
        if !self.defences.is_empty() {
            let _ = writeln!(text, "defences: {}", self.defences.join(", "));
        }
        let _ = writeln!(
            text,
            "{:16}{:>26}{:>26}{:>26}{:>12}{:>9}",
            "method", "LeAcc", "LnAcc", "IRec", "confidence", "flagged"
        );
        for row in &self.rows {
            let confidence = row.confidence.map_or(String::new(), |c| format!("{c:.3}"));
            let flagged = row.flagged.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share));
            let _ = writeln!(
                text,
                "{:16}{:>26}{:>26}{:>26}{confidence:>12}{flagged:>9}",
                row.method, row.le_acc, row.ln_acc, row.irec
            );
        }
        for Skipped { batch, reason } in &self.skipped {
            let _ = writeln!(text, "batch {batch} is left out: {reason}");
        }
        text.trim_end().to_string()
    }
}
