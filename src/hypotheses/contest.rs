//! What each hypothesis about a gradient comes to, by the comparison that was chosen.

use std::collections::BTreeSet;

use super::{Comparison, HypothesesError, Names, Search, calibration::Scored, conditional};
use crate::{
    attack::{
        exact::features::ClassFeatures,
        guidance::{Guide, Hypothesis},
        invert::{Reconstruction, Target},
    },
    audit::{Audit, AuditError, Outcome},
    clip::zero_shot::Namer,
    data::Picture,
    watch::{Silent, Stage, Watch},
};

/// Logarithm of a likelihood of 0, so that sums can still be ordered.
const NOTHING: f64 = -700.0;

/// What is asked about a gradient.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// `B`: restored.
    pub labels: Vec<usize>,
    /// `I`: the distinct ones, rising.
    pub indices: Vec<usize>,
    /// Of each hypothesis: the indices' names by their places among all.
    pub hypotheses: Vec<Names>,
}

impl Question {
    fn meanings(&self) -> Vec<Hypothesis> {
        let one = |names: &Names| self.indices.iter().copied().zip(names.iter().copied()).collect();
        self.hypotheses.iter().map(one).collect()
    }
}

/// What the hypotheses about a gradient came to.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// `(H,R)`: what they are ranked by, less is better.
    pub losses: Vec<Vec<f64>>,
    /// `(H,R)`: of the same optima, matching alone, where the losses are more than that.
    pub matching: Option<Vec<Vec<f64>>>,
}

/// What of an audit is asked about.
#[derive(Clone, Copy)]
pub(super) struct Gradients<'a> {
    pub audit: &'a Audit,
    /// `B`
    pub batch: usize,
    pub targets: &'a [Target],
    /// Of each: what it holds of its classes' features.
    pub features: &'a [Option<ClassFeatures>],
}

impl Search<'_> {
    /// Of every gradient what its hypotheses come to, and the attacks under them, where there were any.
    pub(super) fn contest(
        &self,
        gradients: Gradients,
        questions: &[Question],
        namer: &mut Namer,
        watch: &dyn Watch,
    ) -> Result<(Vec<Compared>, Option<Outcome>), HypothesesError> {
        let Gradients { audit, batch, targets, features } = gradients;
        if self.comparison == Comparison::Features {
            let all = questions.iter().zip(features).enumerate();
            let compared = all.map(|(number, (question, found))| self.likelihoods(number, question, found));
            return Ok((compared.collect::<Result<_, _>>()?, None));
        }
        let hypotheses: Vec<Vec<Hypothesis>> = questions.iter().map(Question::meanings).collect();
        let width = namer.vectors.len() / namer.labels.len();
        let encoder = &*self.model.encoder;
        let vectors = namer.vectors.clone();
        let guide = Guide { encoder, names: &vectors, width, hypotheses: &hypotheses, oracle: false };
        let outcome = match self.comparison {
            Comparison::Conditional => {
                let used: BTreeSet<usize> =
                    questions.iter().flat_map(|q| q.hypotheses.iter().flatten().copied()).collect();
                let classes = conditional::classes_of(audit.generator.as_ref(), &namer.labels, &used)?;
                let labels: Vec<Vec<usize>> = questions.iter().map(|q| q.labels.clone()).collect();
                conditional::attack(self.device, audit, (batch, targets), &labels, &guide, &classes, watch)?
            }
            _ => audit.invert(self.device, batch, targets, Some(&guide), watch)?,
        };
        let restarts = audit.restarts.max(1);
        let mut compared: Vec<Compared> =
            outcome.found.iter().map(|found| matched(found, restarts)).collect();
        if self.comparison == Comparison::Constant {
            let weight = audit.attack.guidance.map_or(0.0, |guidance| guidance.weight);
            let stage = Stage::new(watch, "comparing with names");
            for (number, (found, question)) in outcome.found.iter().zip(questions).enumerate() {
                let pulls = pulls(audit, found, question, restarts, namer)?;
                let own = &mut compared[number];
                let matching = own.losses.clone();
                let all = own.losses.iter_mut().flatten().zip(pulls);
                all.for_each(|(loss, pull)| *loss += weight * pull);
                own.matching = Some(matching);
                stage.count(number + 1, questions.len());
            }
        }
        Ok((compared, Some(outcome)))
    }

    /// Negative logarithms of the likelihood of the features under each hypothesis.
    fn likelihoods(
        &self,
        number: usize,
        question: &Question,
        found: &Option<ClassFeatures>,
    ) -> Result<Compared, HypothesesError> {
        let Some(names) = self.features else { return Err(HypothesesError::NoPublic) };
        let Some(found) = found else { return Err(HypothesesError::NoFeatures { batch: number }) };
        let seen = names.of(found);
        let row = |index: &usize| seen.indices.iter().position(|own| own == index).map(|i| &seen.rows[i]);
        let loss = |names: &Names| -> f64 {
            let each =
                question.indices.iter().zip(names).filter_map(|(index, &name)| Some(row(index)?[name]));
            -each.map(|p| p.ln().max(NOTHING)).sum::<f64>()
        };
        Ok(Compared {
            losses: question.hypotheses.iter().map(|names| vec![loss(names)]).collect(),
            matching: None,
        })
    }
}

/// Objectives of matching alone.
fn matched(found: &Reconstruction, restarts: usize) -> Compared {
    let of = |trials: &[crate::attack::Outcome]| trials.iter().map(|t| f64::from(t.objective)).collect();
    Compared { losses: found.trials.chunks(restarts).map(of).collect(), matching: None }
}

/// Of every trial Σ (1 − cosine of picture and name), of pictures as they are read.
fn pulls(
    audit: &Audit,
    found: &Reconstruction,
    question: &Question,
    restarts: usize,
    namer: &mut Namer,
) -> Result<Vec<f64>, AuditError> {
    let [_, height, width] = audit.victim.image_shape();
    let mut pictures: Vec<Picture> = vec![];
    for trial in &found.trials {
        pictures.extend(audit.normalisation.denormalise(&trial.images, height, width)?);
    }
    let calls = pictures.into_iter().map(|picture| ("a reconstruction".to_string(), Ok(picture)));
    let calls: Vec<_> = calls.collect();
    let rows = namer.rows(calls.into_iter(), &Silent)?;
    let of = |(trial, rows): (usize, &[Vec<f64>])| -> f64 {
        let names = &question.hypotheses[trial / restarts];
        let name = |label: &usize| question.indices.binary_search(label).ok().map(|i| names[i]);
        let pairs = question.labels.iter().zip(rows);
        pairs.filter_map(|(label, row)| Some(1.0 - row[name(label)?])).sum()
    };
    Ok(rows.cosine.chunks(question.labels.len().max(1)).enumerate().map(of).collect())
}

/// With what naming without guidance says of each hypothesis, and which is true.
pub(super) fn scored(
    question: &Question,
    compared: &Compared,
    products: &[f64],
    truth: Option<usize>,
) -> Scored {
    let least = |restarts: &Vec<f64>| {
        restarts.iter().copied().filter(|loss| !loss.is_nan()).fold(f64::INFINITY, f64::min)
    };
    Scored {
        names: question.hypotheses.clone(),
        losses: compared.losses.iter().map(least).collect(),
        similarity: products.iter().map(|p| p.ln().max(NOTHING)).collect(),
        truth,
    }
}
