//! `report.json` of a guided naming.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    candidates::Trials,
    judge::{judge, verdict},
};
use crate::{
    attack::{
        config::AttackConfig,
        invert::{LabelSource, Reconstruction},
        threat::ThreatModel,
    },
    cli::{command_line, experiment::Experiment, run::report::defences_record},
    data::{Normalisation, Picture},
    device::DeviceInfo,
    federated::Protocol,
    hypotheses::{Judged, Names, Ranked, Tally, rank},
    report::{Defences, ThreatRecord, Timing},
    semantic::ClassOrder,
};

/// All that the report is made of.
pub struct Study<'a> {
    /// With the guided attack's configuration.
    pub experiment: Experiment<'a>,
    pub threat_model: ThreatModel,
    pub data: String,
    /// What compares pictures with names.
    pub model: String,
    pub names: &'a [String],
    /// By label index.
    pub truth: &'a [Option<String>],
    pub order: &'a ClassOrder,
    pub one_to_one: bool,
    pub beam: usize,
    pub distractors: Option<usize>,
    /// `M`
    pub client_losses: Vec<f32>,
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
    /// The data set's label of each label index.
    pub class_order: Vec<usize>,
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
    /// Places of its pictures in the data set.
    pub pictures: Vec<usize>,
    pub true_labels: Vec<usize>,
    pub labels: Vec<usize>,
    pub label_source: LabelSource,
    pub client_loss: f32,
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
    pub fn report(&self) -> anyhow::Result<GuideReport> {
        let Experiment { device, victim, protocol, normalisation, config, defences, .. } = self.experiment;
        let source = self.unguided[0].label_source;
        let batches: Vec<GuideBatch> = (0..self.guided.len()).map(|number| self.batch(number)).collect();
        let judged: Vec<Judged> = batches.iter().filter_map(|b| b.judged).collect();
        let tally = Tally::of(&judged);
        Ok(GuideReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            verdict: verdict(&batches, tally.as_ref()),
            seed: self.experiment.seed,
            device: device.info(),
            threat_model: ThreatRecord::new(self.threat_model.clone(), victim, protocol, config, source),
            protocol: *protocol,
            attack: config.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes: victim.model.classes,
            class_order: self.order.labels().to_vec(),
            batch: self.experiment.batch(),
            restarts: self.experiment.restarts,
            data: self.data.clone(),
            normalisation: normalisation.clone(),
            defences: defences_record(defences, self.experiment.adaptive),
            model: self.model.clone(),
            names: self.names.to_vec(),
            one_to_one: self.one_to_one,
            beam: self.beam,
            distractors: self.distractors,
            unguided_timing: self.timings[0],
            timing: self.timings[1],
            tally,
            batches,
        })
    }

    /// The pictures of the hypothesis that ranks first, of each batch.
    pub fn pictures(&self) -> anyhow::Result<Vec<Vec<Picture>>> {
        let [_, height, width] = self.experiment.victim.image_shape();
        // The lowest of all trials is the lowest of the first hypothesis.
        let pictures = |found: &Reconstruction| {
            Ok(self.experiment.normalisation.denormalise(&found.best().images, height, width)?)
        };
        self.guided.iter().map(pictures).collect()
    }

    fn batch(&self, number: usize) -> GuideBatch {
        let (client, trials) = (&self.experiment.batches[number], &self.trials[number]);
        let restarts = self.experiment.restarts.max(1);
        let losses: Vec<Vec<f64>> = self.guided[number]
            .trials
            .chunks(restarts)
            .map(|trials| trials.iter().map(|t| f64::from(t.objective)).collect())
            .collect();
        let ranking = rank(&losses);
        let name = |&place: &usize| self.names[trials.candidates[place]].clone();
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
            pictures: client.indices.clone(),
            true_labels: client.labels.clone(),
            labels: self.unguided[number].labels.clone(),
            label_source: self.unguided[number].label_source,
            client_loss: self.client_losses[number],
            true_names: indices.iter().map(|&index| self.truth.get(index).cloned().flatten()).collect(),
            indices: indices.clone(),
            names: trials.candidates.iter().map(|&place| self.names[place].clone()).collect(),
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
            judged: trials.judged.then(|| judge(trials, &ranking, place_of_truth, &client.labels)),
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
