//! The same comparison of gradients whose names are known, because their pictures are public: once with candidates that have
//! nothing to do with them, and once with their own among the candidates.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;

use super::{
    Calibrate, Candidates, HypothesesError, Reconstructed, Search, Trials,
    calibration::{Calibration, Scored},
    contest::{Compared, Gradients, Question, scored},
    enumerate::count,
    search::cosines,
};
use crate::{
    attack::exact::features::LastLayer64,
    audit::{Audit, Rehearsal},
    clip::zero_shot::Namer,
    random,
    watch::Watch,
};

impl Search<'_> {
    /// `like`: the labels of the batches that are to be explained; `candidates`: how many each has.
    pub(super) fn calibration(
        &self,
        audit: &Audit,
        Calibrate { public, gradients }: Calibrate,
        (like, candidates): (&[Vec<usize>], usize),
        namer: &mut Namer,
        watch: &dyn Watch,
    ) -> Result<Option<Calibration>, HypothesesError> {
        if gradients == 0 || like.is_empty() {
            return Ok(None);
        }
        let Rehearsal { targets, labels, true_labels, names } =
            audit.rehearse(self.device, public, like, gradients, watch)?;
        if targets.is_empty() {
            return Ok(None);
        }
        let all = self.candidates.names;
        let truth: Vec<Option<String>> =
            names.iter().map(|name| name.map(|name| all[name].clone())).collect();
        let known = Candidates { truth: &truth, distractors: None, ..self.candidates };
        let batch = like[0].len();
        // Features alone need no pictures, where no hypothesis is left out by what these look like.
        let indices = like.iter().map(|l| l.iter().collect::<BTreeSet<_>>().len()).max().unwrap_or(1);
        let countless = count(indices, candidates, self.one_to_one).is_none_or(|n| n > self.beam as u64);
        let unguided = match self.comparison.attacks() || countless {
            true => Some(audit.invert(self.device, batch, &targets, None, watch)?),
            false => None,
        };
        // Told to stop, it has but the first of them, and nothing is ranked.
        if unguided.as_ref().is_some_and(|outcome| outcome.found.len() < targets.len()) {
            return Ok(None);
        }
        let features: Vec<_> = targets
            .iter()
            .zip(&labels)
            .map(|(target, labels)| LastLayer64::features_of(&audit.victim, &target.gradient, labels))
            .collect();
        let mut generator = random::generator(audit.seed, "candidates of rehearsals");
        let (mut both, mut questions) = (vec![], vec![]);
        for number in 0..targets.len() {
            let own: BTreeSet<usize> = true_labels[number].iter().filter_map(|&index| names[index]).collect();
            let mut others: Vec<usize> = (0..all.len()).filter(|name| !own.contains(name)).collect();
            others.shuffle(&mut generator);
            let cosine = match &unguided {
                Some(outcome) => cosines(namer, number, &outcome.pictures[number])?,
                None => vec![vec![0.0; all.len()]; batch],
            };
            let seen = Reconstructed { number, labels: &labels[number], cosine: &cosine };
            let tried = |chosen: Vec<usize>| {
                let chosen: BTreeSet<usize> = chosen.into_iter().collect();
                let head = self.model.encoder.head();
                let trials = known.among(
                    chosen.into_iter().collect(),
                    Some(&true_labels[number]),
                    seen,
                    head,
                    self.one_to_one,
                    self.beam,
                );
                trials.map_err(|_| HypothesesError::NoOthers { names: all.len() })
            };
            let unrelated = tried(others.iter().copied().take(candidates).collect())?;
            let further = candidates.saturating_sub(own.len());
            let related = tried(own.iter().chain(others.iter().take(further)).copied().collect())?;
            let [first, second] = [&unrelated, &related].map(|trials| trials.question(&labels[number]));
            let hypotheses = [first.hypotheses.clone(), second.hypotheses.clone()].concat();
            questions.push(Question { hypotheses, ..first });
            both.push([unrelated, related]);
        }
        let gradients = Gradients { audit, batch, targets: &targets, features: &features };
        let (compared, _) = self.contest(gradients, &questions, namer, watch)?;
        let (mut unrelated, mut related) = (vec![], vec![]);
        for (number, ([apart, own], all)) in both.iter().zip(compared).enumerate() {
            let (first, second) = all.losses.split_at(apart.kept.hypotheses.len());
            let of = |trials: &Trials, losses: &[Vec<f64>]| -> Scored {
                let compared = Compared { losses: losses.to_vec(), matching: None };
                scored(
                    &trials.question(&labels[number]),
                    &compared,
                    &trials.kept.products,
                    trials.place_of_truth(),
                )
            };
            unrelated.push(of(apart, first));
            let own = of(own, second);
            if own.truth.is_some() && sorted(&labels[number]) == sorted(&true_labels[number]) {
                related.push(own);
            }
        }
        let source = format!("{} pictures of {}", public.len(), public.source);
        Ok(Calibration::learn(self.comparison.unit(), &source, &unrelated, &related, all))
    }
}

fn sorted(labels: &[usize]) -> Vec<usize> {
    let mut labels = labels.to_vec();
    labels.sort_unstable();
    labels
}
