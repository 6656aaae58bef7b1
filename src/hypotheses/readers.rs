//! Who reads the pictures in the end. A model that has pulled at pictures finds in them what it has pulled for, whether anybody
//! else sees it or not: its reading is no evidence, that of another model is.

use serde::Serialize;

use super::{Evidence, Found, HypothesesError, Names, Search, search::cosines};
use crate::{
    audit::{AuditError, NamingModel},
    clip::zero_shot::Namer,
    data::Picture,
    semantic::{Assignment, Seen, Similarity},
    statistics::Estimate,
};

/// A model, and what it reads in the pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Reader {
    /// What a report calls it.
    pub model: String,
    /// Whether it also pulled at the pictures.
    pub pulled: bool,
    /// Share of the indices that it names right in pictures that nothing pulled at; absent where the truth is not known.
    pub unguided: Option<Estimate>,
    /// The same in the pictures of the hypotheses believed.
    pub believed: Option<Estimate>,
    /// Of each batch: the names of its indices in the pictures of the hypothesis believed.
    pub names: Vec<Vec<String>>,
}

/// Said where the model that pulls is the only reader.
pub const ALONE: &str = "the model that pulled at the pictures is the only one that reads them: what it reads there is no \
                         evidence; --judge names another";
/// Said where both are one.
pub const SAME: &str =
    "--judge is the model that pulls: it reads what it has pulled for, which is no evidence";

/// Whether two models give the same names the same vectors.
pub fn are_one(a: &Namer, b: &Namer) -> bool {
    a.labels == b.labels && a.vectors == b.vectors
}

/// What is to be said of who reads.
pub fn notes(pulled: bool, puller: &Namer, judge: Option<&Namer>) -> Vec<String> {
    match judge {
        None if pulled => vec![ALONE.into()],
        Some(judge) if pulled && are_one(puller, judge) => vec![SAME.into()],
        _ => vec![],
    }
}

/// What each of these reads; `pulled`: whether the first did pull.
pub fn read(
    evidence: &Evidence,
    search: &Search,
    found: &Found,
    pulled: bool,
    readers: &mut [(&NamingModel, &mut Namer)],
) -> Result<Vec<Reader>, HypothesesError> {
    let mut all = vec![];
    for (number, (model, namer)) in readers.iter_mut().enumerate() {
        let mut own = Reader {
            model: namer.model(),
            pulled: pulled && number == 0,
            unguided: None,
            believed: None,
            names: vec![],
        };
        let (mut unguided, mut believed) = (vec![], vec![]);
        for batch in 0..found.compared.len() {
            let pictures = found.believed(evidence.audit, batch)?;
            let of_unguided = names(search, found, batch, &found.unguided.pictures[batch], model, namer)?;
            let of_believed = names(search, found, batch, &pictures, model, namer)?;
            let truth = &found.trials[batch].true_names;
            if found.trials[batch].judged {
                let right = |names: &Names| {
                    let right = names.iter().zip(truth).filter(|(name, truth)| Some(**name) == **truth);
                    right.count() as f64 / names.len().max(1) as f64
                };
                unguided.push(right(&of_unguided));
                believed.push(right(&of_believed));
            }
            let candidates = &found.trials[batch].candidates;
            let name = |name: &usize| search.candidates.names[candidates[*name]].clone();
            own.names.push(of_believed.iter().map(name).collect());
        }
        if !unguided.is_empty() {
            own.unguided = Some(Estimate::of_shares(&unguided));
            own.believed = Some(Estimate::of_shares(&believed));
        }
        all.push(own);
    }
    Ok(all)
}

/// Of each index of a batch the place of its name among the candidates.
fn names(
    search: &Search,
    found: &Found,
    batch: usize,
    pictures: &[Picture],
    model: &NamingModel,
    namer: &mut Namer,
) -> Result<Names, HypothesesError> {
    let candidates = &found.trials[batch].candidates;
    let head = model.encoder.head();
    let rows = cosines(namer, batch, pictures)?
        .into_iter()
        .map(|row| head.probabilities(&candidates.iter().map(|&name| row[name]).collect::<Vec<f64>>()));
    let seen = Seen { indices: found.unguided.found[batch].labels.clone(), rows: rows.collect() };
    let similarity = Similarity::of([(&seen, 1.0)].into_iter());
    let assignment = if search.one_to_one { Assignment::OneToOne } else { Assignment::Greedy };
    Ok(match assignment {
        Assignment::OneToOne => similarity.one_to_one().map_err(AuditError::from)?,
        Assignment::Greedy => similarity.greedy(),
    })
}
