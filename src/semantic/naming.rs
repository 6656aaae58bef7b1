//! From reconstructions with indices to names of indices, with every control beside them.

use std::collections::BTreeSet;

use super::{
    Accuracies, Accuracy, Assignment, BatchNaming, IndexNaming, Seen, SemanticError, SemanticReport,
    Similarity, Truth, controls,
};
use crate::{
    clip::{
        ClipError,
        zero_shot::{Namer, Progress},
    },
    data::Picture,
    report::noise_like,
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
    pub assignment: Assignment,
    /// `(M)`, ≥ 0: how much each batch counts in the aggregation; all the same if absent.
    pub weights: Option<&'a [f64]>,
    /// By index: what it means, see [`super::ClassOrder::names`]. Empty where that is not known.
    pub truth: &'a [Option<String>],
    /// Pictures of no batch, for the unrelated control where there is one batch alone. May be empty.
    pub unrelated: &'a [Picture],
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
    progress: Progress,
) -> Result<SemanticReport, SemanticError> {
    check(batches, study)?;
    check_names(namer.labels.len(), batches, study)?;
    let equal = vec![1.0; batches.len()];
    let weights = study.weights.unwrap_or(&equal);
    let truth = Truth::new(study.truth, &namer.labels);
    let present = present(batches);
    let known = present.iter().flatten().flatten().any(|&index| truth.column(index).is_some());
    let judged = present.filter(|_| known);

    let views = Views::of(namer, batches, study, judged.is_some(), progress)?;
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
        progress: Progress,
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
        let rows = namer.rows(pictures.into_iter().map(|(call, picture)| (call, Ok(picture))), progress)?;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clip::{Encoder, NameFeatures, Templates},
        data::Normalisation,
        device::{Device, cpu::Cpu},
        semantic::verdict,
        tape::{Tape, Var},
    };

    /// Features are the mean of each colour; "red" means red alone, and so on.
    struct Colours(Normalisation);

    const NAMES: [&str; 3] = ["red", "green", "blue"];

    impl Encoder for Colours {
        fn model(&self) -> String {
            "colours".into()
        }

        fn scale(&self) -> f32 {
            10.0
        }

        fn image_size(&self) -> usize {
            4
        }

        fn normalisation(&self) -> &Normalisation {
            &self.0
        }

        fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
            let batch = tape.shape(pixels)[0];
            let mean = tape.mean(pixels, &[2, 3]);
            (tape.reshape(mean, &[batch, 3]), vec![])
        }

        fn name_features(
            &self,
            _: &dyn Device,
            labels: &[String],
            _: &Templates,
            _: &mut dyn FnMut(usize, usize),
        ) -> Result<NameFeatures, ClipError> {
            let row = |label: &String| NAMES.map(|name| f32::from(u8::from(name == label)));
            Ok(NameFeatures { vectors: labels.iter().flat_map(row).collect(), notes: vec![] })
        }
    }

    /// A picture that is mostly of this colour.
    fn picture(colour: usize) -> Picture {
        let value = |c: usize| if c == colour { 0.9 } else { 0.1 };
        Picture::new(3, 8, 8, (0..3).flat_map(|c| vec![value(c); 64]).collect()).unwrap()
    }

    fn name(batches: &[Batch], study: &Study) -> Result<SemanticReport, SemanticError> {
        let encoder = Colours(Normalisation::new(vec![0.0; 3], vec![1.0; 3]).unwrap());
        let (device, names) = (Cpu::<f32>::new(), NAMES.map(String::from));
        let mut quiet = |_: &'static str, _, _| ();
        let mut namer = Namer::new(&device, &encoder, &names, &Templates::plain(), 16, &mut quiet).unwrap();
        reconstruct_labels(&mut namer, batches, study, &mut quiet)
    }

    /// Index 2 means red, 0 green, 1 blue.
    fn truth() -> Vec<Option<String>> {
        ["green", "blue", "red"].map(|name| Some(name.to_string())).to_vec()
    }

    fn study(truth: &[Option<String>]) -> Study<'_> {
        Study { assignment: Assignment::Greedy, weights: None, truth, unrelated: &[], seed: 1 }
    }

    #[test]
    fn reconstructions_name_their_indices_and_controls_do_not() {
        let truth = truth();
        let colours = [0, 1, 2].map(picture);
        // Two batches: red and green, then blue and a red that came out green.
        let [first, second] =
            [[colours[0].clone(), colours[1].clone()], [colours[2].clone(), colours[1].clone()]];
        let originals = [colours[2].clone(), colours[0].clone()];
        let batches = [
            Batch { reconstructions: &first, indices: &[2, 0], originals: Some((&first, &[2, 0])) },
            Batch { reconstructions: &second, indices: &[1, 2], originals: Some((&originals, &[1, 2])) },
        ];
        let report = name(&batches, &study(&truth)).unwrap();
        let found: Vec<(usize, &str)> =
            report.batches[0].labels.iter().map(|l| (l.index, l.name.as_str())).collect();
        assert_eq!(found, [(0, "green"), (2, "red")]);
        assert_eq!(report.batches[1].labels[1].right, Some(false));
        assert_eq!(report.aggregated[2].reconstructions, 2);
        let accuracy = report.accuracy.unwrap();
        assert_eq!(accuracy.reconstructions.greedy.per_batch.mean, 0.75);
        assert_eq!(accuracy.originals.greedy.per_batch.mean, 1.0);
        assert_eq!(accuracy.originals.greedy.aggregated.unwrap().of, 3);
        assert_eq!(accuracy.random, 1.0 / 3.0);
        // Grey is like every name alike: one of them, whatever the index.
        assert!(accuracy.flat_grey.greedy.aggregated.unwrap().share < 0.5);
        assert!(accuracy.shuffled.unwrap().greedy.per_batch.mean < 0.75);
        assert!(accuracy.unrelated.unwrap().greedy.per_batch.mean < 0.75);
        // One-to-one: red and green tie for index 2, the others are sure.
        assert_eq!(accuracy.reconstructions.one_to_one.unwrap().aggregated.unwrap().share, 1.0);
        assert_eq!(serde_json::to_value(report.assignment).unwrap(), "greedy");
    }

    #[test]
    fn without_originals_there_are_names_and_a_matrix_alone() {
        let red = [picture(0)];
        let batch = Batch { reconstructions: &red, indices: &[5], originals: None };
        let report = name(&[batch], &study(&[])).unwrap();
        assert!(report.accuracy.is_none() && report.originals.is_none());
        assert_eq!((report.aggregated[0].name.as_str(), report.aggregated[0].right), ("red", None));
        assert!(verdict(&report).contains("label 5 is “red”"), "{}", verdict(&report));
        assert_eq!(report.batches[0].similarity[0].len(), 3);
    }

    #[test]
    fn one_batch_is_compared_with_pictures_of_no_batch() {
        let (truth, red, blue) = (truth(), [picture(0)], [picture(2)]);
        let batch = Batch { reconstructions: &red, indices: &[2], originals: Some((&red, &[2])) };
        let report = name(&[batch], &Study { unrelated: &blue, ..study(&truth) }).unwrap();
        let accuracy = report.accuracy.unwrap();
        assert_eq!(accuracy.unrelated.unwrap().greedy.per_batch.mean, 0.0);
        assert_eq!(accuracy.shuffled, None);
        assert!(name(&[batch], &study(&truth)).unwrap().accuracy.unwrap().unrelated.is_none());
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let four = [0, 1, 2, 0].map(picture);
        let batch = Batch { reconstructions: &four, indices: &[0, 1, 2, 3], originals: None };
        let refused = |batches: &[Batch], study: &Study| name(batches, study).unwrap_err().to_string();
        let one_to_one = Study { assignment: Assignment::OneToOne, ..study(&[]) };
        let error = refused(&[batch], &one_to_one);
        assert!(error.contains("4 label indices") && error.contains("found 3"), "{error}");
        let error = refused(&[Batch { indices: &[0], ..batch }], &study(&[]));
        assert!(error.contains("4 reconstructions") && error.contains("found 1"), "{error}");
        assert!(refused(&[], &study(&[])).contains("found none"));
        let weighted = Study { weights: Some(&[1.0, 2.0]), ..study(&[]) };
        assert!(refused(&[batch], &weighted).contains("expected 1, found 2"));
        let negative = Study { weights: Some(&[-1.0]), ..study(&[]) };
        assert!(refused(&[batch], &negative).contains("≥ 0"));
    }

    #[test]
    fn true_names_that_are_no_candidates_are_noted() {
        let red = [picture(0), picture(1)];
        let batch = Batch { reconstructions: &red, indices: &[0, 1], originals: Some((&red, &[0, 1])) };
        let truth = [Some("rose".to_string()), Some("Green".to_string())];
        let report = name(&[batch], &study(&truth)).unwrap();
        assert!(report.notes[0].ends_with("rose"), "{:?}", report.notes);
        assert_eq!(report.accuracy.unwrap().originals.greedy.per_batch.mean, 0.5);
        let none = [Some("rose".to_string()), Some("leaf".to_string())];
        assert!(name(&[batch], &study(&none)).unwrap().accuracy.is_none());
    }
}
