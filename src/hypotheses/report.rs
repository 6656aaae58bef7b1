//! `report.json` of a guided naming.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    CalibrationRecord, Comparison, Found, Judged, Names, Ranked, Reader, Reliability, Search, Tally,
    judge::{judge, sentence},
    page::page,
    weighed::Weighed,
};
use crate::{
    attack::{invert::LabelSource, threat::ThreatModel},
    audit::{
        Audit, AuditError, Circumstances, Clients,
        verdict::{Grounds, Measure},
    },
    report::{Head, OutputFolder, Skipped, Timing, Verdict},
    statistics::fraction_p_value,
};

/// Who sent what is to be explained, and what is known of it.
pub struct Evidence<'a> {
    /// What was sent, and how it is attacked.
    pub audit: &'a Audit,
    /// What the eavesdropper is granted.
    pub threat_model: ThreatModel,
    /// `B`
    pub batch: usize,
    /// Where the pictures or gradients come from.
    pub data: String,
    /// Absent where the gradients came from elsewhere.
    pub clients: Option<&'a Clients>,
    /// `M`: the clients' losses; none where the gradients came from elsewhere.
    pub losses: Vec<f32>,
    /// Batches of which nothing could be read; they count nowhere else.
    pub skipped: Vec<Skipped>,
}

/// What was tried on the evidence and what came of it: all that the report is made of.
pub struct Explanation<'a> {
    /// What is to be explained.
    pub evidence: &'a Evidence<'a>,
    /// How it was searched.
    pub search: &'a Search<'a>,
    /// What the search came to.
    pub found: &'a Found,
    /// What models read in the pictures.
    pub readers: &'a [Reader],
    /// What somebody who reads the report should know.
    pub notes: &'a [String],
    /// As called.
    pub command: Vec<String>,
}

/// All of `report.json` of a guided naming.
#[derive(Clone, Debug, Serialize)]
pub struct GuideReport {
    /// What every report of attacks begins with.
    #[serde(flatten)]
    pub head: Head,
    /// What compares pictures with names.
    pub model: String,
    /// How hypotheses are compared.
    pub comparison: Comparison,
    /// What leads were held against; absent where they were not.
    pub calibration: Option<CalibrationRecord>,
    /// How often the posterior was right; absent without a calibration, or where no truth is known.
    pub reliability: Option<Reliability>,
    /// What models read in the pictures.
    pub readers: Vec<Reader>,
    /// What somebody who reads this should know.
    pub notes: Vec<String>,
    /// All candidate names.
    pub names: Vec<String>,
    /// Whether no two indices may share a name.
    pub one_to_one: bool,
    /// Most hypotheses that were tried for a batch.
    pub beam: usize,
    /// Candidates beside the true names, where the candidates were chosen so.
    pub distractors: Option<usize>,
    /// Of the attacks without guidance.
    pub unguided_timing: Timing,
    /// Of the attacks under all hypotheses; absent where they were compared without any.
    pub timing: Option<Timing>,
    /// Over all batches that can be judged; absent where there is none.
    pub tally: Option<Tally>,
    /// In order, without those that were left out.
    pub batches: Vec<GuideBatch>,
    /// Batches of which nothing could be read, such as one whose gradient is 0: they count nowhere else.
    pub skipped: Vec<Skipped>,
}

/// One batch, and what its label indices could mean.
#[derive(Clone, Debug, Serialize)]
pub struct GuideBatch {
    /// Places of its pictures in the data set; none where they are not known.
    pub pictures: Vec<usize>,
    /// `B`: class indices; absent where they are not known.
    pub true_labels: Option<Vec<usize>>,
    /// `B`: class indices, as given or restored.
    pub labels: Vec<usize>,
    /// Where `labels` come from.
    pub label_source: LabelSource,
    /// Mean cross entropy of the client's step; absent where it is not known.
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
    /// Loss of the second minus that of the first; with a calibration, score of the first minus that of the second.
    pub margin: Option<f64>,
    /// How many, the first included, cannot be told from the first.
    pub tied: usize,
    /// From 1; absent where it was not tried.
    pub rank_of_truth: Option<usize>,
    /// How often a gradient that has nothing to do with the names has a lead as large as the first one's; absent without a
    /// calibration.
    pub p_value: Option<f64>,
    /// Whether the first is claimed, at the calibration's rate of false positives.
    pub claimed: Option<bool>,
    /// Absent where a name that the batch shows is no candidate.
    pub judged: Option<Judged>,
    /// The first ranks first.
    pub hypotheses: Vec<HypothesisRecord>,
}

/// One hypothesis, and what the attack under it came to.
#[derive(Clone, Debug, Serialize)]
pub struct HypothesisRecord {
    /// `I`: names of the indices.
    pub names: Vec<String>,
    /// What it is ranked by before calibration, the lowest of its restarts; see `comparison`.
    pub loss: f64,
    /// Of the same optimum, matching alone, where the loss is more than that.
    pub matching: Option<f64>,
    /// Of each restart.
    pub restarts: Vec<f64>,
    /// Posterior-like: they sum to 1 over the hypotheses of a batch.
    pub score: f64,
    /// How far its loss is below what its names come to on gradients that have nothing to do with them, in deviations; absent
    /// without a calibration.
    pub calibrated: Option<f64>,
    /// How probable it is, given that one of them is true; absent without a calibration.
    pub posterior: Option<f64>,
    /// The same together with naming without guidance; without a calibration both count alike.
    pub with_naming: f64,
    /// Whether it cannot be told from the first.
    pub tied: bool,
    /// Product of its names' similarities without guidance.
    pub similarity: f64,
    /// Whether it is what the indices mean.
    pub is_true: bool,
}

impl Explanation<'_> {
    /// # Errors
    /// The originals cannot be compared with the reconstructions.
    pub fn report(&self) -> Result<GuideReport, AuditError> {
        let Explanation { evidence, search, found, .. } = self;
        let batches: Vec<GuideBatch> = (0..found.compared.len()).map(|number| self.batch(number)).collect();
        let judged: Vec<Judged> = batches.iter().filter_map(|b| b.judged.clone()).collect();
        let tally = Tally::of(&judged);
        let head = evidence.audit.head(Circumstances {
            verdict: self.verdict(&batches, tally.as_ref())?,
            command: &self.command,
            device: search.device.info(),
            threat_model: &evidence.threat_model,
            data: &evidence.data,
            clients: evidence.clients,
            found: &found.unguided.found,
        });
        Ok(GuideReport {
            head,
            model: search.model.encoder.model(),
            comparison: search.comparison,
            calibration: found.calibration.as_ref().map(|calibration| calibration.record.clone()),
            reliability: Reliability::of(&said(&batches)),
            readers: self.readers.to_vec(),
            notes: self.notes.to_vec(),
            names: search.candidates.names.to_vec(),
            one_to_one: search.one_to_one,
            beam: search.beam,
            distractors: search.candidates.distractors,
            unguided_timing: found.unguided.timing,
            timing: found.guided.as_ref().map(|guided| guided.timing),
            tally,
            batches,
            skipped: evidence.skipped.clone(),
        })
    }

    /// By the attack without guidance, and by how often the true names rank first.
    fn verdict(&self, batches: &[GuideBatch], tally: Option<&Tally>) -> Result<Verdict, AuditError> {
        let Explanation { evidence: Evidence { audit, clients, .. }, found, .. } = self;
        let judged = clients.map(|clients| audit.judge(clients, &found.unguided.pictures)).transpose()?;
        let grounds = audit.grounds(&found.unguided, clients.zip(judged.as_ref()), None)?;
        let names = tally.map(|tally| {
            let (first, batches) = (tally.first.mean, tally.batches as f64);
            Measure {
                estimate: first,
                interval: tally.first.interval_95,
                floor: tally.chance_first,
                p_value: Some(fraction_p_value(first * batches, batches, tally.chance_first)),
            }
        });
        let verdict = Grounds { names, ..grounds }.verdict();
        Ok(Verdict { sentence: format!("{} {}", verdict.sentence, sentence(batches, tally)), ..verdict })
    }

    fn batch(&self, number: usize) -> GuideBatch {
        let Explanation { evidence, search, found, .. } = self;
        let trials = &found.trials[number];
        let client = evidence.clients.map(|clients| &clients.batches[number]);
        let ranking = found.ranking(number);
        let weighed = Weighed::of(found, number, &ranking);
        let name = |&place: &usize| search.candidates.names[trials.candidates[place]].clone();
        let all = |names: &Names| names.iter().map(name).collect::<Vec<String>>();
        let kept = &trials.kept;
        let truth = trials.truth();
        let place_of_truth = truth.as_ref().and_then(|truth| kept.hypotheses.iter().position(|h| h == truth));
        let record = |ranked: &Ranked| HypothesisRecord {
            names: all(&kept.hypotheses[ranked.hypothesis]),
            loss: weighed.scored.losses[ranked.hypothesis],
            matching: weighed.matching.as_ref().map(|all| all[ranked.hypothesis]),
            restarts: found.compared[number].losses[ranked.hypothesis].clone(),
            score: ranked.score,
            calibrated: weighed.calibrated.as_ref().map(|all| all[ranked.hypothesis]),
            posterior: weighed.posterior.as_ref().map(|all| all[ranked.hypothesis]),
            with_naming: weighed.with_naming[ranked.hypothesis],
            tied: ranked.tied,
            similarity: kept.products[ranked.hypothesis],
            is_true: place_of_truth == Some(ranked.hypothesis),
        };
        let indices = &trials.similarity.indices;
        let distinct = |truth: &Names| truth.iter().collect::<BTreeSet<_>>().len() == truth.len();
        let possible = truth.filter(|truth| !search.one_to_one || distinct(truth));
        GuideBatch {
            pictures: client.map(|c| c.indices.clone()).unwrap_or_default(),
            true_labels: client.map(|c| c.labels.clone()),
            labels: found.unguided.found[number].labels.clone(),
            label_source: found.unguided.found[number].label_source,
            client_loss: evidence.losses.get(number).copied(),
            true_names: indices
                .iter()
                .map(|&index| search.candidates.truth.get(index).cloned().flatten())
                .collect(),
            indices: indices.clone(),
            names: trials.candidates.iter().map(|&place| search.candidates.names[place].clone()).collect(),
            similarity: trials.similarity.rows.clone(),
            unguided_names: all(&trials.unguided),
            unguided_loss: f64::from(found.unguided.found[number].best().objective),
            hypotheses_in_all: kept.of,
            pruned: kept.pruned(),
            truth_pruned: possible.map(|_| place_of_truth.is_none()),
            margin: ranking.margin,
            tied: ranking.tied,
            rank_of_truth: place_of_truth
                .and_then(|place| ranking.order.iter().position(|r| r.hypothesis == place))
                .map(|place| place + 1),
            p_value: weighed.p_value,
            claimed: weighed.claimed,
            judged: client.filter(|_| trials.judged).map(|c| {
                judge(trials, &ranking, place_of_truth, &c.labels, &weighed.ways(search.comparison))
            }),
            hypotheses: ranking.order.iter().map(record).collect(),
        }
    }

    /// Writes report, page and the pictures of the hypotheses believed; what the report says.
    pub fn write(&self, mut folder: OutputFolder) -> Result<GuideReport, AuditError> {
        let Explanation { evidence, found, .. } = self;
        let report = self.report()?;
        let believed = (0..found.compared.len()).map(|number| found.believed(evidence.audit, number));
        let believed = believed.collect::<Result<Vec<_>, AuditError>>()?;
        folder.set_page(page(self, &report, &believed)?.render()?);
        let pictures = believed.concat();
        let originals = evidence.clients.map(Clients::originals);
        folder.write(originals.as_deref(), &pictures, &report.captions(), &report)?;
        Ok(report)
    }
}

/// The posterior of every hypothesis of which it is known whether it is true.
fn said(batches: &[GuideBatch]) -> Vec<(f64, bool)> {
    let judged = batches.iter().filter(|batch| batch.judged.is_some() && batch.rank_of_truth.is_some());
    judged.flat_map(|batch| &batch.hypotheses).filter_map(|h| Some((h.posterior?, h.is_true))).collect()
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
