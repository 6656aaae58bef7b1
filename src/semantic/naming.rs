//! From reconstructions with indices to names of indices, with every control beside them.

use std::collections::BTreeSet;

use super::{
    Accuracies, Accuracy, Assignment, BatchNaming, IndexNaming, PublicRows, Seen, SemanticError,
    SemanticReport, Similarity, Truth, controls,
};
use crate::{
    clip::{ClipError, zero_shot::Namer},
    data::Picture,
    metrics::noise_like,
    watch::Watch,
};

/// What the attack made of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `B`, pixels in [0, 1].
    pub reconstructions: &'a [Picture],
    /// `B`: the restored label index that each carries.
    pub indices: &'a [usize],
    /// The client's pictures and their true indices, where they are known.
    pub originals: Option<(&'a [Picture], &'a [usize])>,
}

/// How names are given, and what they are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Study<'a> {
    /// How each index gets its name: greedily or one to one.
    pub assignment: Assignment,
    /// `(M)`, ≥ 0: how much each batch counts in the aggregation; all the same if absent.
    pub weights: Option<&'a [f64]>,
    /// By index: what it means, see [`super::ClassOrder::names`]. Empty where that is not known.
    pub truth: &'a [Option<String>],
    /// Pictures of no batch, for the unrelated control where there is one batch alone. May be empty.
    pub unrelated: &'a [Picture],
    /// What public pictures say.
    pub public: Option<&'a PublicRows>,
    /// Of noise and of the shuffling.
    pub seed: u64,
}

/// Names the label indices of these batches, from each alone and from all together. There is an accuracy where every
/// batch has originals and some true name is a candidate.
///
/// # Errors
/// [`SemanticError::TooFewNames`] where [`Assignment::OneToOne`] is asked for; batches that do not fit together; what
/// [`Namer::rows`] refuses.
pub fn reconstruct_labels(
    namer: &mut Namer,
    batches: &[Batch],
    study: &Study,
    watch: &dyn Watch,
) -> Result<SemanticReport, SemanticError> {
    check(batches, study)?;
    check_names(namer.labels.len(), batches, study)?;
    let equal = vec![1.0; batches.len()];
    let weights = study.weights.unwrap_or(&equal);
    let truth = Truth::new(study.truth, &namer.labels);
    let present = present(batches);
    let known = present.iter().flatten().flatten().any(|&index| truth.column(index).is_some());
    let judged = present.filter(|_| known);

    let views = Views::of(namer, batches, study, judged.is_some(), watch)?;
    let accuracy = judged.map(|present| {
        let of = |seen: &[Seen]| Accuracy::of(seen, &present, &truth, weights);
        let grey = controls::constant(&views.reconstructions, &views.grey);
        Accuracies {
            reconstructions: of(&views.reconstructions),
            originals: of(&views.originals),
            noise: of(&views.noise),
            shuffled: controls::shuffled(&views.reconstructions, study.seed).map(|seen| of(&seen)),
            flat_grey: of(&grey),
            unrelated: views.unrelated.as_ref().map(|seen| of(seen)),
            model_alone: study.public.map(|public| of(&public.of_model(&present))),
            features: study.public.and_then(|public| public.features.as_deref()).map(of),
            both: study.public.and_then(|p| p.with_pictures(&views.reconstructions)).map(|seen| of(&seen)),
            random: 1.0 / namer.labels.len() as f64,
        }
    });
    let scored = accuracy.is_some();
    let named = |similarity: Similarity| {
        IndexNaming::all(&similarity, &namer.labels, study.assignment, study.truth, scored)
    };
    let all = |seen: &[Seen]| named(Similarity::of(seen.iter().zip(weights.iter().copied())));
    let has_originals = !views.originals.is_empty();
    let each = views.reconstructions.iter().enumerate().map(|(m, seen)| BatchNaming {
        indices: seen.indices.clone(),
        similarity: seen.rows.clone(),
        originals: has_originals.then(|| views.originals[m].rows.clone()),
        labels: named(Similarity::of([(seen, 1.0)].into_iter())),
    });
    Ok(SemanticReport {
        model: namer.model(),
        names: namer.labels.clone(),
        assignment: study.assignment,
        batch_weights: weights.to_vec(),
        batches: each.collect(),
        aggregated: all(&views.reconstructions),
        originals: has_originals.then(|| all(&views.originals)),
        public: study.public.map(|public| public.source.clone()),
        classifier: study.public.and_then(|public| public.classifier),
        examples: namer.held_out().cloned(),
        by_features: study.public.and_then(|public| public.features.as_deref()).map(all),
        accuracy,
        notes: notes(namer, batches, &truth, study),
    })
}

/// The rows of everything that is compared.
struct Views {
    /// `M`
    reconstructions: Vec<Seen>,
    /// `M` with their true indices, or none.
    originals: Vec<Seen>,
    /// `M`, or none where nothing can be judged.
    noise: Vec<Seen>,
    unrelated: Option<Vec<Seen>>,
    grey: Vec<f64>,
}

impl Views {
    /// One call of the model for all pictures, so that its runs are full.
    fn of(
        namer: &mut Namer,
        batches: &[Batch],
        study: &Study,
        judged: bool,
        watch: &dyn Watch,
    ) -> Result<Views, SemanticError> {
        let known = batches.iter().all(|b| b.originals.is_some());
        let reconstructions = || batches.iter().flat_map(|b| b.reconstructions);
        let originals: Vec<&Picture> = batches.iter().filter_map(|b| b.originals).flat_map(|o| o.0).collect();
        let noise = match judged {
            true => noise_like(&reconstructions().cloned().collect::<Vec<_>>(), study.seed),
            false => vec![],
        };
        let first = &batches[0].reconstructions[0];
        let grey = Picture::flat(first.channels, first.height, first.width, 0.5).map_err(ClipError::from)?;
        let apart = judged && batches.len() == 1;
        let pool: Vec<&Picture> = study.unrelated.iter().filter(|_| apart).collect();

        let mut pictures: Vec<(String, Picture)> = vec![("flat grey".into(), grey)];
        let mut add = |what: &str, all: &mut dyn Iterator<Item = &Picture>| {
            pictures.extend(all.enumerate().map(|(i, picture)| (format!("{what} {i}"), picture.clone())));
        };
        add("reconstruction", &mut reconstructions());
        add("noise picture", &mut noise.iter());
        add("original", &mut originals.iter().copied().filter(|_| known));
        add("unrelated picture", &mut pool.iter().copied());
        let rows = namer.rows(pictures.into_iter().map(|(call, picture)| (call, Ok(picture))), watch)?;

        let mut rows = rows.probabilities.into_iter();
        let grey = rows.next().unwrap_or_default();
        let mut seen = |indices: &dyn Fn(&Batch) -> Vec<usize>| -> Vec<Seen> {
            let one = |batch: &Batch| {
                let indices = indices(batch);
                Seen { rows: rows.by_ref().take(indices.len()).collect(), indices }
            };
            batches.iter().map(one).collect()
        };
        let reconstructions = seen(&|b| b.indices.to_vec());
        let noise = if judged { seen(&|b| b.indices.to_vec()) } else { vec![] };
        let originals = match known {
            true => seen(&|b| b.originals.map_or(vec![], |(_, indices)| indices.to_vec())),
            false => vec![],
        };
        let others: Vec<Vec<f64>> = rows.collect();
        let unrelated = match (judged, others.is_empty()) {
            (true, true) => controls::unrelated(&reconstructions, &originals),
            (true, false) => {
                let indices = reconstructions[0].indices.clone();
                let rows = others.iter().cycle().take(indices.len()).cloned().collect();
                Some(vec![Seen { indices, rows }])
            }
            (false, _) => None,
        };
        Ok(Views { reconstructions, originals, noise, unrelated, grey })
    }
}

/// The indices that each batch truly holds, where all are known.
fn present(batches: &[Batch]) -> Option<Vec<BTreeSet<usize>>> {
    batches.iter().map(|b| b.originals.map(|(_, indices)| indices.iter().copied().collect())).collect()
}

fn check(batches: &[Batch], study: &Study) -> Result<(), SemanticError> {
    let mismatch =
        |what, expected: String, found: String| Err(SemanticError::Mismatch { what, expected, found });
    for batch in batches {
        let (pictures, indices) = (batch.reconstructions.len(), batch.indices.len());
        if pictures != indices || pictures == 0 {
            let expected = format!("one for each of {} reconstructions, at least one", pictures);
            return mismatch("label indices of a batch", expected, indices.to_string());
        }
        if let Some((pictures, indices)) = batch.originals
            && (pictures.len() != indices.len() || pictures.is_empty())
        {
            let expected = format!("one for each of {} originals, at least one", pictures.len());
            return mismatch("label indices of a batch", expected, indices.len().to_string());
        }
    }
    if batches.is_empty() {
        return mismatch("batches to name", "at least one".into(), "none".into());
    }
    match study.weights {
        Some(weights) if weights.len() != batches.len() => {
            mismatch("weights of batches", batches.len().to_string(), weights.len().to_string())
        }
        Some(weights) if weights.iter().any(|w| !w.is_finite() || *w < 0.0) => {
            mismatch("weights of batches", "finite numbers ≥ 0".into(), format!("{weights:?}"))
        }
        _ => Ok(()),
    }
}

/// One-to-one naming of all these batches together needs so many names.
fn check_names(names: usize, batches: &[Batch], study: &Study) -> Result<(), SemanticError> {
    let indices: BTreeSet<usize> = batches.iter().flat_map(|b| b.indices.iter().copied()).collect();
    match study.assignment {
        Assignment::OneToOne if names < indices.len() => {
            Err(SemanticError::TooFewNames { names, indices: indices.len() })
        }
        _ => Ok(()),
    }
}

fn notes(namer: &Namer, batches: &[Batch], truth: &Truth, study: &Study) -> Vec<String> {
    let mut notes = namer.notes.clone();
    let held: BTreeSet<usize> =
        batches.iter().filter_map(|b| b.originals).flat_map(|o| o.1.iter().copied()).collect();
    let missing: Vec<&str> = held
        .iter()
        .filter(|&&index| truth.column(index).is_none())
        .filter_map(|&index| study.truth.get(index)?.as_deref())
        .collect();
    if !missing.is_empty() {
        notes.push(format!(
            "true names that are no candidates, and so cannot be found: {}",
            missing.join(", ")
        ));
    }
    notes
}
