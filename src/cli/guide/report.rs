//! `report.json` of a guided naming.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    candidates::{Candidates, Trials},
    judge::{judge, verdict},
};
use crate::{
    attack::{
        config::AttackConfig,
        invert::{LabelSource, Reconstruction, Setting},
        threat::ThreatModel,
    },
    cli::{command_line, run::report::Truth},
    data::Normalisation,
    device::{Device, DeviceInfo},
    federated::Protocol,
    hypotheses::{Judged, Names, Ranked, Tally, rank},
    report::{Defences, ThreatRecord, Timing},
};

/// All that the report is made of.
pub struct Study<'a> {
    pub device: &'a dyn Device,
    /// Of the guided attack.
    pub setting: Setting<'a>,
    pub threat_model: ThreatModel,
    /// Where the pictures or gradients come from.
    pub data: String,
    pub defences: Defences,
    /// What compares pictures with names.
    pub model: String,
    pub candidates: Candidates<'a>,
    /// Absent where the gradients came from elsewhere.
    pub truth: Option<Truth<'a>>,
    pub one_to_one: bool,
    pub beam: usize,
    /// `M`
    pub unguided: Vec<Reconstruction>,
    /// `M`
    pub trials: Vec<Trials>,
    /// `M`, the restarts of each hypothesis in turn.
    pub guided: Vec<Reconstruction>,
    /// Of the attack without guidance and of that under all hypotheses.
    pub timings: [Timing; 2],
}

#[derive(Clone, Debug, Serialize)]
pub struct GuideReport {
    pub tool: &'static str,
    pub version: &'static str,
    /// As called.
    pub command: Vec<String>,
    /// What was found, in one sentence.
    pub verdict: String,
    pub seed: u64,
    pub device: DeviceInfo,
    pub threat_model: ThreatRecord,
    pub protocol: Protocol,
    /// λ and its schedule are its `guidance`.
    pub attack: AttackConfig,
    pub architecture: String,
    pub architecture_options: String,
    pub classes: usize,
    /// The data set's label of each label index, where the clients are simulated.
    pub class_order: Option<Vec<usize>>,
    /// `B`
    pub batch: usize,
    /// Restarts of each hypothesis, and of the attack without guidance.
    pub restarts: usize,
    pub data: String,
    pub normalisation: Normalisation,
    pub defences: Defences,
    /// What compares pictures with names.
    pub model: String,
    pub names: Vec<String>,
    /// Whether no two indices may share a name.
    pub one_to_one: bool,
    /// Most hypotheses that were tried for a batch.
    pub beam: usize,
    /// Candidates beside the true names, where the candidates were chosen so.
    pub distractors: Option<usize>,
    pub unguided_timing: Timing,
    pub timing: Timing,
    /// Over all batches that can be judged; absent where there is none.
    pub tally: Option<Tally>,
    pub batches: Vec<GuideBatch>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GuideBatch {
    /// Places of its pictures in the data set; none where they are not known.
    pub pictures: Vec<usize>,
    pub true_labels: Option<Vec<usize>>,
    pub labels: Vec<usize>,
    pub label_source: LabelSource,
    pub client_loss: Option<f32>,
    /// `I`: the label indices found, rising.
    pub indices: Vec<usize>,
    /// `I`: what they mean.
    pub true_names: Vec<Option<String>>,
    /// `N`: candidate names.
    pub names: Vec<String>,
    /// `(I,N)`: of the reconstruction without guidance.
    pub similarity: Vec<Vec<f64>>,
    /// `I`: naming without guidance.
    pub unguided_names: Vec<String>,
    /// Lowest objective without guidance.
    pub unguided_loss: f64,
    /// How many hypotheses there are; absent where they cannot be counted.
    pub hypotheses_in_all: Option<u64>,
    /// How many the beam left out.
    pub pruned: Option<u64>,
    /// Whether the true one is among these; absent where it is none of the hypotheses.
    pub truth_pruned: Option<bool>,
    /// Loss of the second minus that of the first.
    pub margin: Option<f64>,
    /// How many, the first included, cannot be told from the first.
    pub tied: usize,
    /// From 1; absent where it was not tried.
    pub rank_of_truth: Option<usize>,
    /// Absent where a name that the batch shows is no candidate.
    pub judged: Option<Judged>,
    /// The first ranks first.
    pub hypotheses: Vec<HypothesisRecord>,
}

#[derive(Clone, Debug, Serialize)]
pub struct HypothesisRecord {
    /// `I`: names of the indices.
    pub names: Vec<String>,
    /// Final loss of gradient matching alone: the lowest of its restarts.
    pub loss: f64,
    /// Of each restart.
    pub restarts: Vec<f64>,
    /// Posterior-like: they sum to 1 over the hypotheses of a batch.
    pub score: f64,
    /// Whether it cannot be told from the first.
    pub tied: bool,
    /// Product of its names' similarities without guidance.
    pub similarity: f64,
    pub is_true: bool,
}

impl Study<'_> {
    pub fn report(&self) -> GuideReport {
        let Setting { victim, protocol, normalisation, config, batch, restarts, seed, .. } = self.setting;
        let source = self.unguided[0].label_source;
        let batches: Vec<GuideBatch> = (0..self.guided.len()).map(|number| self.batch(number)).collect();
        let judged: Vec<Judged> = batches.iter().filter_map(|b| b.judged).collect();
        let tally = Tally::of(&judged);
        GuideReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            verdict: verdict(&batches, tally.as_ref()),
            seed,
            device: self.device.info(),
            threat_model: ThreatRecord::new(self.threat_model.clone(), victim, protocol, config, source),
            protocol: protocol.clone(),
            attack: config.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes: victim.model.classes,
            class_order: self.truth.as_ref().map(|t| t.order.labels().to_vec()),
            batch,
            restarts,
            data: self.data.clone(),
            normalisation: normalisation.clone(),
            defences: self.defences.clone(),
            model: self.model.clone(),
            names: self.candidates.names.to_vec(),
            one_to_one: self.one_to_one,
            beam: self.beam,
            distractors: self.candidates.distractors,
            unguided_timing: self.timings[0],
            timing: self.timings[1],
            tally,
            batches,
        }
    }

    fn batch(&self, number: usize) -> GuideBatch {
        let trials = &self.trials[number];
        let client = self.truth.as_ref().map(|truth| &truth.batches[number]);
        let restarts = self.setting.restarts.max(1);
        let losses: Vec<Vec<f64>> = self.guided[number]
            .trials
            .chunks(restarts)
            .map(|trials| trials.iter().map(|t| f64::from(t.objective)).collect())
            .collect();
        let ranking = rank(&losses);
        let name = |&place: &usize| self.candidates.names[trials.candidates[place]].clone();
        let all = |names: &Names| names.iter().map(name).collect::<Vec<String>>();
        let kept = &trials.kept;
        let truth = trials.truth();
        let place_of_truth = truth.as_ref().and_then(|truth| kept.hypotheses.iter().position(|h| h == truth));
        let record = |ranked: &Ranked| HypothesisRecord {
            names: all(&kept.hypotheses[ranked.hypothesis]),
            loss: ranked.loss,
            restarts: ranked.restarts.clone(),
            score: ranked.score,
            tied: ranked.tied,
            similarity: kept.products[ranked.hypothesis],
            is_true: place_of_truth == Some(ranked.hypothesis),
        };
        let indices = &trials.similarity.indices;
        let distinct = |truth: &Names| truth.iter().collect::<BTreeSet<_>>().len() == truth.len();
        let possible = truth.filter(|truth| !self.one_to_one || distinct(truth));
        GuideBatch {
            pictures: client.map(|c| c.indices.clone()).unwrap_or_default(),
            true_labels: client.map(|c| c.labels.clone()),
            labels: self.unguided[number].labels.clone(),
            label_source: self.unguided[number].label_source,
            client_loss: self.truth.as_ref().map(|truth| truth.losses[number]),
            true_names: indices
                .iter()
                .map(|&index| self.candidates.truth.get(index).cloned().flatten())
                .collect(),
            indices: indices.clone(),
            names: trials.candidates.iter().map(|&place| self.candidates.names[place].clone()).collect(),
            similarity: trials.similarity.rows.clone(),
            unguided_names: all(&trials.unguided),
            unguided_loss: f64::from(self.unguided[number].best().objective),
            hypotheses_in_all: kept.of,
            pruned: kept.pruned(),
            truth_pruned: possible.map(|_| place_of_truth.is_none()),
            margin: ranking.margin,
            tied: ranking.tied,
            rank_of_truth: place_of_truth
                .and_then(|place| ranking.order.iter().position(|r| r.hypothesis == place))
                .map(|place| place + 1),
            judged: client
                .filter(|_| trials.judged)
                .map(|client| judge(trials, &ranking, place_of_truth, &client.labels)),
            hypotheses: ranking.order.iter().map(record).collect(),
        }
    }
}

impl GuideReport {
    /// What stands under each reconstruction: its label and the name that is believed.
    pub fn captions(&self) -> Vec<String> {
        let of = |batch: &GuideBatch| -> Vec<String> {
            let name = |label: &usize| {
                let place = batch.indices.iter().position(|index| index == label);
                place.map_or(String::new(), |i| batch.hypotheses[0].names[i].clone())
            };
            batch.labels.iter().map(|label| format!("{label}: {}", name(label))).collect()
        };
        self.batches.iter().flat_map(of).collect()
    }
}
