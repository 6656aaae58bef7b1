//! Names of label indices from reconstructions, with a naming model whose every number is known.

use gia_gpu::{
    clip::{Templates, zero_shot::Namer},
    data::Picture,
    device::cpu::Cpu,
    semantic::{Assignment, Batch, SemanticError, SemanticReport, Study, readings, reconstruct_labels},
    watch::Silent,
};

use crate::colours::{COLOURS, Colours};

/// A picture that is mostly of this colour.
fn picture(colour: usize) -> Picture {
    let value = |c: usize| if c == colour { 0.9 } else { 0.1 };
    Picture::new(3, 8, 8, (0..3).flat_map(|c| vec![value(c); 64]).collect()).unwrap()
}

fn name(batches: &[Batch], study: &Study) -> Result<SemanticReport, SemanticError> {
    let (encoder, device) = (Colours::new(), Cpu::<f32>::new());
    let names = COLOURS.map(String::from);
    let mut namer = Namer::new(&device, &encoder, &names, &Templates::plain(), 16, &Silent).unwrap();
    reconstruct_labels(&mut namer, batches, study, &Silent)
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
    assert!(readings(&report).contains("label 5 is “red”"), "{}", readings(&report));
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
