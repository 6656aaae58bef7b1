//! The hypotheses of each batch: which names are candidates, and which assignments of them are tried.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;

use super::{HypothesesError, Kept, Names, contest::Question, most_similar};
use crate::{
    audit::AuditError,
    clip::Head,
    data::place_of_name,
    random,
    semantic::{Assignment, Seen, Similarity},
};

/// What candidates come from.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    /// `N`
    pub names: &'a [String],
    /// By label index: what it means, where that is known.
    pub truth: &'a [Option<String>],
    /// Others beside the true names; `None`: all names are candidates.
    pub distractors: Option<usize>,
    /// Of the distractors that are drawn.
    pub seed: u64,
}

/// What an attack without guidance found.
#[derive(Clone, Copy, Debug)]
pub struct Reconstructed<'a> {
    /// Of the batch.
    pub number: usize,
    /// `(B)`: restored.
    pub labels: &'a [usize],
    /// `(B,N)`: of the pictures and all names.
    pub cosine: &'a [Vec<f64>],
}

/// What is tried for one batch.
#[derive(Clone, Debug)]
pub struct Trials {
    /// Places of its candidates in the list of all names, rising.
    pub candidates: Vec<usize>,
    /// Of its restored indices and its candidates, from the unguided reconstruction.
    pub similarity: Similarity,
    /// By place among the candidates.
    pub kept: Kept,
    /// What naming without guidance says, by place among the candidates.
    pub unguided: Names,
    /// What each restored index means, by place among the candidates, if it is one.
    pub true_names: Vec<Option<usize>>,
    /// Whether every name that the batch truly shows is a candidate: the batch can be judged.
    pub judged: bool,
}

impl Trials {
    /// The true hypothesis, where all its names are candidates.
    pub fn truth(&self) -> Option<Names> {
        self.true_names.iter().copied().collect()
    }

    /// Where the true hypothesis stands among those tried.
    pub fn place_of_truth(&self) -> Option<usize> {
        let truth = self.truth()?;
        self.kept.hypotheses.iter().position(|names| *names == truth)
    }

    /// The hypotheses with names by their place in the list of all. `labels`: of the batch, restored.
    pub(super) fn question(&self, labels: &[usize]) -> Question {
        let one = |names: &Names| names.iter().map(|&name| self.candidates[name]).collect();
        Question {
            labels: labels.to_vec(),
            indices: self.similarity.indices.clone(),
            hypotheses: self.kept.hypotheses.iter().map(one).collect(),
        }
    }
}

impl Candidates<'_> {
    /// Refuses, before anything is attacked, what cannot be tried.
    pub fn check(&self, number: usize, labels: &[usize], one_to_one: bool) -> Result<(), HypothesesError> {
        let candidates = self.of(number, labels)?;
        let indices: BTreeSet<usize> = labels.iter().copied().collect();
        self.check_count(number, candidates.len(), indices.len(), one_to_one)
    }

    /// The hypotheses about the restored labels of a batch, at most `beam`. `true_labels`: the client's, where they are
    /// known; distractors need them.
    pub fn hypotheses(
        &self,
        true_labels: Option<&[usize]>,
        seen: Reconstructed,
        head: Head,
        one_to_one: bool,
        beam: usize,
    ) -> Result<Trials, HypothesesError> {
        let candidates = self.of(seen.number, true_labels.unwrap_or_default())?;
        self.among(candidates, true_labels, seen, head, one_to_one, beam)
    }

    /// The same about these candidates, rising.
    pub(super) fn among(
        &self,
        candidates: Vec<usize>,
        true_labels: Option<&[usize]>,
        Reconstructed { number, labels, cosine }: Reconstructed,
        head: Head,
        one_to_one: bool,
        beam: usize,
    ) -> Result<Trials, HypothesesError> {
        let of_candidates = |row: &Vec<f64>| candidates.iter().map(|&name| row[name]).collect::<Vec<f64>>();
        let rows = cosine.iter().map(|row| head.probabilities(&of_candidates(row)));
        let seen = Seen { indices: labels.to_vec(), rows: rows.collect() };
        let similarity = Similarity::of([(&seen, 1.0)].into_iter());
        self.check_count(number, candidates.len(), similarity.indices.len(), one_to_one)?;
        let kept = most_similar(&similarity.rows, one_to_one, beam);
        let assignment = if one_to_one { Assignment::OneToOne } else { Assignment::Greedy };
        let unguided = match assignment {
            Assignment::OneToOne => similarity.one_to_one().map_err(AuditError::from)?,
            Assignment::Greedy => similarity.greedy(),
        };
        let place = |index: &usize| {
            let name = self.place(self.truth.get(*index)?.as_ref()?)?;
            candidates.iter().position(|&candidate| candidate == name)
        };
        Ok(Trials {
            true_names: similarity.indices.iter().map(place).collect(),
            judged: true_labels.is_some_and(|labels| labels.iter().all(|index| place(index).is_some())),
            unguided,
            kept,
            similarity,
            candidates,
        })
    }

    /// Places of a batch's candidates in the list of all names.
    fn of(&self, number: usize, labels: &[usize]) -> Result<Vec<usize>, HypothesesError> {
        let Some(distractors) = self.distractors else { return Ok((0..self.names.len()).collect()) };
        let mut chosen = BTreeSet::new();
        for &index in labels {
            let name = self.truth.get(index).and_then(Option::as_ref);
            let place = name.and_then(|name| self.place(name));
            chosen.insert(place.ok_or_else(|| {
                let name = name.map_or("a class without a name", String::as_str);
                HypothesesError::NoCandidate { batch: number, name: name.into() }
            })?);
        }
        let mut others: Vec<usize> = (0..self.names.len()).filter(|name| !chosen.contains(name)).collect();
        if others.len() < distractors {
            let (batch, most) = (number, others.len());
            return Err(HypothesesError::Distractors { batch, most, found: distractors });
        }
        others.shuffle(&mut random::generator(self.seed, &format!("distractors {number}")));
        chosen.extend(&others[..distractors]);
        Ok(chosen.into_iter().collect())
    }

    fn place(&self, name: &str) -> Option<usize> {
        place_of_name(self.names, name)
    }

    fn check_count(
        &self,
        number: usize,
        names: usize,
        indices: usize,
        one_to_one: bool,
    ) -> Result<(), HypothesesError> {
        match one_to_one && names < indices {
            true => Err(HypothesesError::TooFewNames { batch: number, indices, names }),
            false => Ok(()),
        }
    }
}
