//! Sign and scale of an update from the update itself (Case 18 of the kinds that people report: an update without
//! `--local-lr`, server − local, a sum, a clip).

use gia_gpu::attack::labels::{
    LabelError, LastLayer, Method, SignAndScale, Verdict, restore, sign_and_scale,
};
use rand::RngExt;

use super::last_layers::Case;

/// What was done to the mean gradient before it was read as one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Genuine,
    HalfPrecision,
    Smoothed,
    Reversed,
    Sum,
    ReversedSum,
    LearningRate,
    Update,
    Clipped,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Genuine,
        Kind::HalfPrecision,
        Kind::Smoothed,
        Kind::Reversed,
        Kind::Sum,
        Kind::ReversedSum,
        Kind::LearningRate,
        Kind::Update,
        Kind::Clipped,
    ];

    fn factor(self, batch: usize, unit: f64) -> f64 {
        let rate = 10f64.powf(-4.0 * unit);
        match self {
            Kind::Genuine | Kind::HalfPrecision | Kind::Smoothed => 1.0,
            Kind::Reversed => -1.0,
            Kind::Sum => batch as f64,
            Kind::ReversedSum => -(batch as f64),
            Kind::LearningRate => rate,
            Kind::Update => -rate,
            Kind::Clipped => 0.1 + 0.8 * unit,
        }
    }
}

struct Observed {
    case: Case,
    kind: Kind,
    factor: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: [Vec<f32>; 2],
    has_bias: bool,
}

impl Observed {
    fn random(seed: u64, has_bias: bool) -> Observed {
        let case = Case::random(seed, has_bias);
        let mut random = gia_gpu::random::generator(seed, "kind");
        let kind = Kind::ALL[random.random_range(0..Kind::ALL.len())];
        let factor = kind.factor(case.batch, random.random());
        let smoothing = if kind == Kind::Smoothed { random.random_range(0.05..0.2) } else { 0.0 };
        let mut gradient = case.gradient(factor, smoothing);
        if kind == Kind::HalfPrecision {
            gradient.iter_mut().flatten().for_each(|v| *v = half::f16::from_f32(*v).to_f32());
        }
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        let (weight, bias) = (single(&case.weight), single(&case.bias));
        Observed { case, kind, factor, weight, bias, gradient, has_bias }
    }

    fn layer(&self) -> LastLayer<'_> {
        let [weight, bias] = &self.gradient;
        LastLayer::new(self.case.classes, weight, self.has_bias.then_some(&bias[..]))
            .and_then(|layer| layer.with_weights(&self.weight, self.has_bias.then_some(&self.bias[..])))
            .unwrap()
    }

    fn describe(&self) -> String {
        let Case { classes, batch, activation, trained, .. } = &self.case;
        format!(
            "{:?} × {}: K {classes}, B {batch}, {activation:?}, trained {trained}",
            self.kind, self.factor
        )
    }
}

/// The warnings of a restoration name the cause, or say that it is undecided.
fn names_the_cause(observed: &Observed, found: &SignAndScale, warnings: &[String]) -> bool {
    let says = |words: &[&str]| warnings.iter().any(|w| words.iter().any(|word| w.contains(word)));
    if says(&["undecided"]) {
        return true;
    }
    match observed.kind {
        // Right about the factor: what is wrong lies in the method, which says so.
        Kind::Genuine | Kind::HalfPrecision => !warnings.is_empty(),
        Kind::Smoothed => says(&["smooth"]),
        Kind::Reversed | Kind::ReversedSum | Kind::Update => {
            says(&["reversed"]) && found.verdict != Verdict::Fits
        }
        Kind::Sum => observed.factor == 1.0 || says(&["sum"]),
        Kind::LearningRate | Kind::Clipped => says(&["clipped"]),
    }
}

fn check(cases: std::ops::Range<u64>, has_bias: bool) {
    let (mut undecided, mut wrong, mut total) = (0, 0, 0);
    for seed in cases {
        let observed = Observed::random(seed, has_bias);
        let layer = observed.layer();
        let (found, what) = (sign_and_scale(&layer, observed.case.batch), observed.describe());
        if let Verdict::Other(reading) = &found.verdict {
            assert!(reading.factor * observed.factor > 0.0, "{what}: {found}");
        }
        if observed.factor > 0.0 {
            assert!(!found.is_reversed(), "refused: {what}: {found}");
        }
        // As attacks do.
        let restored = match restore(Method::Ilrg, &layer, observed.case.batch) {
            Err(LabelError::NoBias { .. }) => restore(Method::Idlg, &layer, observed.case.batch),
            restored => restored,
        }
        .unwrap();
        if restored.counts != observed.case.counts() {
            wrong += 1;
            assert!(
                names_the_cause(&observed, &found, &restored.warnings),
                "{what}: {:?}",
                restored.warnings
            );
        }
        undecided += u32::from(matches!(found.verdict, Verdict::Undecided(_)));
        total += 1;
    }
    println!("{undecided} of {total} undecided; {wrong} with wrong labels, all of them warned of");
}

#[test]
fn no_label_is_wrong_without_its_cause_and_no_genuine_update_is_refused() {
    check(0..2000, true);
}

#[test]
fn neither_without_a_bias() {
    check(10_000..10_500, false);
}

#[test]
fn of_one_picture_the_label_is_exact_whatever_the_factor() {
    let mut all = 0;
    for seed in 0..2000 {
        let observed = Observed::random(seed, true);
        if observed.case.batch != 1 || observed.factor < 0.0 || observed.kind == Kind::Smoothed {
            continue;
        }
        all += 1;
        let restored = restore(Method::Ilrg, &observed.layer(), 1).unwrap();
        assert_eq!(restored.counts, observed.case.counts(), "{}", observed.describe());
    }
    assert!(all > 100, "{all}");
}

/// Of one picture the feature is exact, so that sign and factor are, from three classes on.
#[test]
fn one_picture_of_an_untrained_victim_tells_its_factor() {
    let (mut told, mut all) = (0, 0);
    for seed in 0..600 {
        let observed = Observed::random(seed, true);
        let Case { classes, batch, trained, .. } = observed.case;
        let smoothed = observed.kind == Kind::Smoothed;
        if batch != 1 || classes < 4 || trained || smoothed {
            continue;
        }
        all += 1;
        let found = sign_and_scale(&observed.layer(), 1);
        let factor = match &found.verdict {
            Verdict::Fits => 1.0,
            Verdict::Other(reading) => {
                assert_eq!(reading.counts, observed.case.counts(), "{}: {found}", observed.describe());
                reading.factor
            }
            _ => continue,
        };
        told += u32::from((factor / observed.factor - 1.0).abs() < 0.02);
    }
    assert!(all > 20 && told * 20 >= all * 19, "{told} of {all}");
}

/// ∇b = β·(1, −1) fits both labels: only a known scale tells them apart.
#[test]
fn two_classes_and_an_unknown_scale_are_undecided() {
    for seed in 0..2000 {
        let observed = Observed::random(seed, true);
        let scaled = (observed.factor.abs() - 1.0).abs() > 0.1;
        if observed.case.classes != 2 || !scaled {
            continue;
        }
        let found = sign_and_scale(&observed.layer(), observed.case.batch);
        assert!(matches!(found.verdict, Verdict::Undecided(_)), "{}: {found}", observed.describe());
        assert!(found.warning().unwrap().contains("two classes"), "{found}");
    }
}
