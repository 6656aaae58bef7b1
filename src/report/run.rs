//! `report.json`: everything that is needed to judge a run and to repeat it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Advice, Head, Likeness, LikenessFigures, Round, StageRecord, Validity};

use crate::{
    attack::{
        Outcome,
        config::{AttackConfig, StatisticsTarget},
        exact::ExactRecord,
        invert::{LabelSource, Reconstruction},
        labels::LabelMetrics,
        recompute::Recomputed,
        threat::ThreatModel,
    },
    federated::{Local, Protocol, Victim},
    metrics::Comparison,
    nn::Mode,
    semantic::SemanticReport,
    statistics::Estimate,
};

/// Points of a loss history that a report keeps.
const HISTORY_POINTS: usize = 400;

/// All of `report.json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunReport {
    /// What every report of attacks begins with.
    #[serde(flatten)]
    pub head: Head,
    /// Absent where names did not guide.
    pub guidance: Option<GuidanceRecord>,
    /// How long the attack took.
    pub timing: Timing,
    /// The attack was stopped before its end: this is the best that it had found, perhaps of fewer batches.
    pub interrupted: bool,
    /// Over all pictures of all batches; absent where the originals are not known.
    pub metrics: Option<Figures>,
    /// LPIPS, features and identification over all pictures; absent where the originals are not known.
    pub likeness: Option<LikenessFigures>,
    /// What pictures that know nothing score.
    pub floors: Option<Floors>,
    /// How well labels were restored, mean over the batches; absent where they were given or are unknown.
    pub labels: Option<LabelMetrics>,
    /// What the labels mean, read off the reconstructions; absent where naming was left out.
    pub semantic: Option<SemanticReport>,
    /// The same read by a model that did not pull at the pictures; absent where none was given.
    pub judge: Option<SemanticReport>,
    /// In order, without those that were left out.
    pub batches: Vec<Batch>,
    /// What each of several files gives away, where they are the updates of one client over rounds; else empty.
    pub rounds: Vec<Round>,
    /// Batches of which nothing could be read, such as one whose gradient is 0: they count nowhere else.
    pub skipped: Vec<Skipped>,
    /// What would protect the clients; absent where nobody asked, or nothing leaks.
    pub advice: Option<Advice>,
}

impl RunReport {
    /// The JSON Schema of what [`RunReport`] is written as; `docs/report.schema.json` holds it.
    pub fn schema() -> schemars::Schema {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<RunReport>()
    }
}

/// What guided the reconstructions; λ and its schedule stand in the attack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GuidanceRecord {
    /// `oracle`: the truth, or `names`: as the user said.
    pub by: &'static str,
    /// By label index.
    pub names: BTreeMap<usize, String>,
    /// What compared pictures with names.
    pub model: String,
    /// What is to be said where the model that pulled is the only one that reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the eavesdropper may know, and what it was given of that.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ThreatRecord {
    /// Who is assumed to listen, and what that eavesdropper may know.
    #[serde(flatten)]
    pub model: ThreatModel,
    /// `gradient` or `update`.
    pub observes: &'static str,
    /// Where the victim's weights come from: a file, or a seed.
    pub weights: String,
    /// The eavesdropper knows how many pictures a batch has.
    pub batch_size: bool,
    /// `given`, or how they were found.
    #[schemars(with = "String")]
    pub labels: LabelSource,
    /// `running`, `batch` or `none`.
    pub batch_norm_statistics: &'static str,
    /// Steps, batch size and learning rate, where the client trains locally.
    pub local_training: Option<Local>,
    /// Which statistics of the data the eavesdropper knows.
    pub data_statistics: &'static str,
    /// Where a generator comes from and what it was trained on; absent where none was used.
    pub generative_prior: Option<String>,
}

impl ThreatRecord {
    /// What these settings give the eavesdropper, of what the model grants.
    pub fn new(
        model: ThreatModel,
        victim: &Victim,
        protocol: &Protocol,
        config: &AttackConfig,
        labels: LabelSource,
    ) -> ThreatRecord {
        let prior = config.batch_norm != 0.0;
        let batch_norm_statistics = match (victim.has_batch_norm(), config.batch_norm_target) {
            (true, StatisticsTarget::Batch) if prior => "batch",
            (true, _) if prior || protocol.mode == Mode::Eval => "running",
            _ => "none",
        };
        ThreatRecord {
            model,
            observes: if protocol.local.is_some() { "update" } else { "gradient" },
            weights: victim.weights.clone(),
            batch_size: true,
            labels,
            batch_norm_statistics,
            local_training: protocol.local,
            data_statistics: "mean and standard deviation of the pixels",
            generative_prior: None,
        }
    }
}

/// What protected the client, and whether the eavesdropper knew.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Defences {
    /// In the order in which they were applied.
    pub client: Vec<String>,
    /// The eavesdropper knows the defences and adapts to them.
    pub adaptive_eavesdropper: bool,
    /// ε of the step at `delta`, for DP-SGD.
    pub epsilon: Option<f64>,
    /// δ of `epsilon`, for DP-SGD.
    pub delta: Option<f64>,
}

/// How long the attack took.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Timing {
    /// Of the attack, planning and compiling included.
    pub seconds: f64,
    /// Of each attack.
    pub iterations: usize,
    /// Independent attacks, restarts included.
    pub trials: usize,
    /// Wall time of one iteration of one trial.
    pub milliseconds_per_iteration_and_trial: f64,
}

impl Timing {
    /// Of an attack of so many seconds.
    pub fn new(seconds: f64, iterations: usize, trials: usize) -> Timing {
        let milliseconds_per_iteration_and_trial = seconds * 1e3 / (iterations * trials).max(1) as f64;
        Timing { seconds, iterations, trials, milliseconds_per_iteration_and_trial }
    }
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Pairings {
    pub aligned: Estimate,
    pub one_to_one: Estimate,
    pub best_reference: Estimate,
}

/// Means over all pictures, with intervals over the batches.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Figures {
    /// In dB; higher is more alike.
    pub psnr: Pairings,
    /// At most 1, for equal pictures.
    pub ssim: Pairings,
    /// Mean squared difference of pixels in [0, 1].
    pub mse: Pairings,
}

/// What pictures score that know nothing of the originals.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Floors {
    /// A flat grey picture in place of every reconstruction.
    pub flat_grey: Figures,
    /// Uniform noise in place of every reconstruction.
    pub noise: Figures,
}

/// A batch left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its number among all batches.
    pub batch: usize,
    /// In words.
    pub reason: String,
}

/// One batch and what became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Batch {
    /// Index of its pictures in the data set, and of the files in `images/`.
    pub pictures: Vec<usize>,
    /// `B`: class indices; absent where they are not known.
    pub true_labels: Option<Vec<usize>>,
    /// `B`: class indices, as given or restored.
    pub labels: Vec<usize>,
    /// Where `labels` come from.
    #[schemars(with = "String")]
    pub label_source: LabelSource,
    /// Where the method that restored the labels finds its assumptions broken.
    pub label_warnings: Vec<String>,
    /// Why this attack was made, where that was left open (`--preset auto`).
    pub reason: Option<String>,
    /// What of the reconstruction is exact, and how that was checked.
    pub exact: Option<ExactRecord>,
    /// The gradient recomputed from the reconstruction, beside the observed one.
    pub recomputed: Option<Recomputed>,
    /// What speaks against the update being what it is said to be.
    pub doubts: Vec<String>,
    /// `K`: what classes are called; absent where nobody says.
    pub class_names: Option<Vec<String>>,
    /// Mean cross entropy of the client's step.
    pub client_loss: Option<f32>,
    /// Place of the restart that was kept, among `restarts`.
    pub best_restart: usize,
    /// In order.
    pub restarts: Vec<Restart>,
    /// What the attack's stages came to for the best restart, where the one of the lowest objective is the result.
    pub stages: Vec<StageRecord>,
    /// With the originals; absent where they are not known.
    pub metrics: Option<Comparison>,
    /// How like the originals networks find them; absent where the originals are not known.
    #[serde(flatten)]
    pub likeness: Option<Likeness>,
    /// Whether the attack did its work on it.
    pub validity: Option<Validity>,
}

/// What one trial of the attack came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Restart {
    /// Lowest gradient-matching objective, `null` if never finite.
    #[schemars(with = "Option<f32>")]
    pub objective: f32,
    /// ‖g‖/‖g*‖ there.
    pub norm_ratio: f32,
    /// Where the objective stopped being finite.
    pub stopped_at: Option<usize>,
    /// Iterations (Adam) or evaluations (L-BFGS) made.
    pub evaluations: usize,
    /// `(evaluation, objective)`, thinned, the lowest included.
    #[schemars(with = "Vec<(usize, Option<f32>)>")]
    pub history: Vec<(usize, f32)>,
}

impl Restart {
    /// What this outcome came to, its history thinned.
    pub fn of(outcome: &Outcome) -> Restart {
        let count = outcome.history.len();
        let every = count.div_ceil(HISTORY_POINTS).max(1);
        let by_loss = |&a: &usize, &b: &usize| outcome.history[a].total_cmp(&outcome.history[b]);
        let lowest = (0..count).filter(|&i| outcome.history[i].is_finite()).min_by(by_loss);
        let kept = (0..count).filter(|&i| i % every == 0 || i + 1 == count || Some(i) == lowest);
        Restart {
            objective: outcome.objective,
            norm_ratio: outcome.norm_ratio,
            stopped_at: outcome.stopped,
            evaluations: count,
            history: kept.map(|i| (i, outcome.history[i])).collect(),
        }
    }

    /// Every trial of a reconstruction, in order.
    pub fn all(reconstruction: &Reconstruction) -> Vec<Restart> {
        reconstruction.trials.iter().map(Restart::of).collect()
    }
}

/// Values that SSIM can have.
const SSIM_RANGE: [f64; 2] = [-1.0, 1.0];

/// Figures over all pictures of these batches, with intervals over the batches; `None` without any.
pub fn figures(comparisons: &[Comparison]) -> Option<Figures> {
    use crate::metrics::Score;
    if comparisons.is_empty() {
        return None;
    }
    let pairings = |score: fn(&Comparison) -> &Score, range: Option<[f64; 2]>| {
        let over = |values: fn(&crate::metrics::PerImage) -> &Vec<f64>| {
            let batches: Vec<&[f64]> =
                comparisons.iter().map(|c| values(&score(c).per_image).as_slice()).collect();
            Estimate::of_groups(&batches, range)
        };
        Pairings {
            aligned: over(|p| &p.aligned),
            one_to_one: over(|p| &p.one_to_one),
            best_reference: over(|p| &p.best_reference),
        }
    };
    Some(Figures {
        psnr: pairings(|c| &c.psnr, None),
        ssim: pairings(|c| &c.ssim, Some(SSIM_RANGE)),
        mse: pairings(|c| &c.mse, Some([0.0, 1.0])),
    })
}
