//! Against `fixtures/make_exact.py`, in f64.

use gia_gpu::{
    attack::exact::{
        features::LastLayer64,
        matrix::Matrix,
        membership::Span,
        per_picture::per_picture,
        spear::{ReluLayer, Search, restore},
    },
    semantic::ridge::Ridge,
};
use serde_json::Value;

pub(crate) struct Fixture(Value);

impl Fixture {
    pub(crate) fn open() -> Fixture {
        Fixture(serde_json::from_str(include_str!("../../fixtures/exact.json")).unwrap())
    }

    pub(crate) fn numbers(&self, path: &str) -> Vec<f64> {
        self.0.pointer(path).unwrap().as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.0.pointer(path).unwrap().as_u64().unwrap() as usize
    }

    fn shape(&self) -> [usize; 2] {
        let shape = self.numbers("/shape");
        [shape[0] as usize, shape[1] as usize]
    }
}

pub(crate) fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let furthest = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    assert!(furthest < 1e-6, "{what}: {furthest:e} apart");
}

#[test]
fn restored_inputs_are_those_of_an_independent_implementation() {
    let fixture = Fixture::open();
    let [w1, b1, g1, gb1] = ["/w1", "/b1", "/g1", "/gb1"].map(|path| fixture.numbers(path));
    let layer = ReluLayer {
        name: "1",
        shape: fixture.shape(),
        weight: &w1,
        bias: Some(&b1),
        weight_gradient: &g1,
        bias_gradient: Some(&gb1),
    };
    for batch in [Some(fixture.count("/batch")), None] {
        let found = restore(&layer, Search { batch, budget: 100_000, seed: 5 }, &|| false).unwrap();
        assert!(found.agrees(), "{:?}", found.agreement);
        let n = layer.shape[1];
        // The order of the pictures is nobody's: by their first value.
        let sorted = |values: &[f64]| -> Vec<f64> {
            let mut rows: Vec<&[f64]> = values.chunks(n).collect();
            rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
            rows.concat()
        };
        assert_close(&sorted(&found.inputs.values), &sorted(&fixture.numbers("/restored")), "inputs");
    }
}

#[test]
fn span_distances_are_those_of_an_independent_implementation() {
    let fixture = Fixture::open();
    let shape = fixture.shape();
    let span = Span::of("1", &fixture.numbers("/g1"), shape, fixture.count("/batch"), 1).unwrap();
    let candidates = fixture.numbers("/candidates");
    let candidates = Matrix::new(candidates.len() / shape[1], shape[1], candidates);
    let found: Vec<f64> = (0..candidates.rows).map(|i| span.distance(candidates.row(i))).collect();
    assert_close(&found, &fixture.numbers("/distances"), "distances");
}

#[test]
fn class_features_are_those_of_an_independent_implementation() {
    let fixture = Fixture::open();
    let classes = fixture.count("/classes");
    let matrix = |path: &str| {
        let values = fixture.numbers(path);
        Matrix::new(classes, values.len() / classes, values)
    };
    let layer = LastLayer64 {
        weight: matrix("/w2"),
        bias: fixture.numbers("/b2"),
        weight_gradient: matrix("/features/gw"),
        bias_gradient: fixture.numbers("/features/gb"),
    };
    let counts: Vec<usize> = fixture.numbers("/features/counts").into_iter().map(|n| n as usize).collect();
    assert_close(
        &layer.class_features(&counts).features.values,
        &fixture.numbers("/features/plain"),
        "plain",
    );
    let refined = layer.refined(&counts, Some(1)).unwrap();
    assert_eq!(refined.rounds, 1);
    assert_close(&refined.features.values, &fixture.numbers("/features/refined"), "refined");
}

#[test]
fn features_of_each_picture_are_those_that_the_gradient_was_made_of() {
    let fixture = Fixture::open();
    let classes = fixture.count("/pictures/classes");
    let matrix = |path: &str, rows: usize| {
        let values = fixture.numbers(path);
        Matrix::new(rows, values.len() / rows, values)
    };
    let layer = LastLayer64 {
        weight: matrix("/pictures/w", classes),
        bias: fixture.numbers("/pictures/b"),
        weight_gradient: matrix("/pictures/gw", classes),
        bias_gradient: fixture.numbers("/pictures/gb"),
    };
    let labels: Vec<usize> = fixture.numbers("/pictures/labels").into_iter().map(|n| n as usize).collect();
    let found = per_picture(&layer, &labels).unwrap().unwrap();
    assert!(found.residual < 1e-10, "{}", found.residual);
    // Two of one label are in nobody's order: by their first value.
    let sorted = |features: &Matrix| -> Vec<f64> {
        let mut rows: Vec<(usize, &[f64])> =
            labels.iter().enumerate().map(|(i, &label)| (label, features.row(i))).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1[0].total_cmp(&b.1[0])));
        rows.into_iter().flat_map(|(_, row)| row.iter().copied()).collect()
    };
    let truth = matrix("/pictures/features", labels.len());
    assert_close(&sorted(&found.features), &sorted(&truth), "features");
}

#[test]
fn ridge_scores_are_those_of_an_independent_implementation() {
    let fixture = Fixture::open();
    let matrix = |path: &str, rows: usize| {
        let values = fixture.numbers(path);
        Matrix::new(rows, values.len() / rows, values)
    };
    let labels: Vec<usize> = fixture.numbers("/ridge/labels").into_iter().map(|n| n as usize).collect();
    let features = matrix("/ridge/features", labels.len());
    let ridge = Ridge::fit(&features, &labels, fixture.count("/ridge/classes"), 0.03).unwrap();
    let tested = matrix("/ridge/tested", 3);
    let scores: Vec<f64> = (0..tested.rows).flat_map(|i| ridge.scores(tested.row(i))).collect();
    assert_close(&scores, &fixture.numbers("/ridge/scores"), "scores");
}
