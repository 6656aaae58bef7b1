//! Adversarial training (Madry 2018): a network is shown each picture as it names it worst near by. Its derivatives by the
//! pixels are then shapes, not patterns that only it sees, so that it can also pull at a picture.

use std::{fmt, str::FromStr};

use crate::{
    data::Normalisation,
    nn::{Mode, Model, Parameter, loss::cross_entropy},
    random,
    spelling::{Form, Spelled, as_text, expected},
    tape::{Tape, Var},
};

/// Length of a step, in radii. The start is anywhere in the ball, and what leaves it is put back on its edge (Wong 2020).
const STEP: f64 = 1.25;
/// Of the shorter steps when robustness is measured: with one step it looks better than it is.
pub(super) const STEPS: usize = 5;
const SHORT_STEP: f64 = 0.5;
/// Keeps the roots differentiable where nothing changes.
const EPSILON: f64 = 1e-24;
/// Largest radius: no picture of 32×32 is farther from another.
const LARGEST: f64 = 56.0;

/// How far a picture may be changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Robust {
    /// By a change of at most this l2 norm, in pixels of [0, 1].
    L2(f64),
}

impl Robust {
    /// ε
    pub fn radius(self) -> f64 {
        let Robust::L2(radius) = self;
        radius
    }

    /// Whether it is a radius at all.
    pub fn is_possible(self) -> bool {
        self.radius() > 0.0 && self.radius() <= LARGEST
    }
}

impl Spelled for Robust {
    const ABOUT: &'static str =
        "How far pictures may be changed that a network is to name right all the same.";
    const FORMS: &'static [Form] =
        &[Form { text: "l2:EPS", meaning: "By an l2 norm of EPS, in pixels of [0, 1]" }];
}

impl FromStr for Robust {
    type Err = String;

    fn from_str(text: &str) -> Result<Robust, String> {
        let radius = text.strip_prefix("l2:").and_then(|radius| radius.parse().ok()).map(Robust::L2);
        radius.filter(|robust| robust.is_possible()).ok_or_else(|| {
            let forms = expected::<Robust>();
            format!("expected {forms} with EPS above 0 and at most {LARGEST}, found '{text}'")
        })
    }
}

impl fmt::Display for Robust {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "l2:{}", self.radius())
    }
}

as_text!(Robust);

/// Where the search for the worst picture begins, of pictures `(B,C,H,W)`: anywhere in the ball, in pixels of [0, 1]. `purpose`:
/// what it is drawn for.
pub(crate) fn starts(robust: Robust, seed: u64, purpose: &str, batch: usize, length: usize) -> Vec<f32> {
    let mut generator = random::generator(seed, purpose);
    let mut all = random::normal(&mut generator, batch * length);
    let shares = random::uniform(&mut generator, 1.0, batch);
    for (change, share) in all.chunks_mut(length).zip(shares) {
        let norm = change.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let factor = robust.radius() as f32 * share.abs() / norm;
        change.iter_mut().for_each(|v| *v *= factor);
    }
    all
}

/// Pictures on a tape that a network names as badly as it names any so near to theirs.
pub(crate) struct Worst {
    /// `(1,B,C,H,W)`, normalised.
    pub pictures: Var,
    /// Input for [`starts`], of the same shape.
    pub start: Var,
    /// The network's.
    pub parameters: Vec<Parameter>,
}

impl Worst {
    /// By a step, or several shorter ones, up the loss. `x (1,B,C,H,W)`: normalised; `targets (1,B,K)`.
    pub(crate) fn new(
        tape: &mut Tape,
        model: &Model,
        mode: Mode,
        [x, targets]: [Var; 2],
        robust: Robust,
        normalisation: &Normalisation,
        steps: usize,
    ) -> Worst {
        let per_channel = |tape: &mut Tape, values: &[f32]| {
            tape.literal(&[1, 1, values.len(), 1, 1], values.iter().map(|&v| f64::from(v)).collect())
        };
        let (mean, std) = (per_channel(tape, normalisation.mean()), per_channel(tape, normalisation.std()));
        let shape = tape.shape(x).to_vec();
        let start = tape.input(&shape);
        let scaled = tape.mul(x, std);
        let clean = tape.add(scaled, mean);
        let length = if steps == 1 { STEP } else { SHORT_STEP };
        let within = |tape: &mut Tape, change: Var| {
            let moved = tape.add(clean, change);
            let (zero, one) = (tape.scalar(0.0), tape.scalar(1.0));
            let raised = tape.max(moved, zero);
            tape.min(raised, one)
        };
        let normalised = |tape: &mut Tape, pixels: Var| {
            let centred = tape.sub(pixels, mean);
            tape.div(centred, std)
        };
        let mut pixels = within(tape, start);
        let mut parameters: Vec<Parameter> = vec![];
        for step in 0..steps {
            let seen = normalised(tape, pixels);
            let pass = match step {
                0 => model.apply(tape, seen, mode),
                _ => model.apply_with(tape, seen, mode, &values(&parameters)),
            };
            if step == 0 {
                parameters = pass.parameters;
            }
            let loss = cross_entropy(tape, pass.logits, targets);
            let slope = tape.grad(loss, &[seen])[0];
            let slope = tape.div(slope, std);
            let upwards = to_length(tape, slope, length * robust.radius(), false);
            let so_far = tape.sub(pixels, clean);
            let change = tape.add(so_far, upwards);
            let change = to_length(tape, change, robust.radius(), true);
            pixels = within(tape, change);
        }
        Worst { pictures: normalised(tape, pixels), start, parameters }
    }
}

/// What a further pass is given.
pub(crate) fn values(parameters: &[Parameter]) -> Vec<Var> {
    parameters.iter().map(|parameter| parameter.value).collect()
}

/// Each picture's part of `x (1,B,C,H,W)` at this l2 norm; `shorter`: those that are longer alone.
fn to_length(tape: &mut Tape, x: Var, length: f64, shorter: bool) -> Var {
    let square = tape.mul(x, x);
    let square = tape.sum(square, &[2, 3, 4]);
    let square = tape.add_scalar(square, EPSILON);
    let inverse = tape.rsqrt(square);
    let mut factor = tape.mul_scalar(inverse, length);
    if shorter {
        let one = tape.scalar(1.0);
        factor = tape.min(factor, one);
    }
    tape.mul(x, factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device::{Device, cpu::Cpu},
        federated::{Request, Victim},
        nn::loss::one_hot,
        plan::Plan,
        train::{Recipe, State, Step},
    };

    #[test]
    fn a_radius_is_read_or_refused() {
        assert_eq!("l2:0.5".parse(), Ok(Robust::L2(0.5)));
        assert_eq!(Robust::L2(0.5).to_string(), "l2:0.5");
        for text in ["l2:0", "l2:-1", "l2:nan", "l2:inf", "l2:57", "l2", "linf:0.03", "0.5", ""] {
            let error = text.parse::<Robust>().unwrap_err();
            assert!(error.contains("expected l2:EPS") && error.contains(&format!("'{text}'")), "{error}");
        }
    }

    /// A small network, its pictures in [0, 1] normalised, and their labels.
    fn scene() -> (Victim, Vec<f32>, Normalisation) {
        let request = Request {
            options: "hidden=5".parse().unwrap(),
            image: Some([1, 4, 4]),
            classes: Some(3),
            ..Request::named("mlp")
        };
        let pixels: Vec<f32> = (0..4 * 16).map(|i| (i * 37 % 11) as f32 / 10.0).collect();
        let normalisation = Normalisation::new(vec![0.4], vec![0.25]).unwrap();
        let images = pixels.iter().map(|v| (v - 0.4) / 0.25).collect();
        (Victim::from_seed(&request, 7).unwrap(), images, normalisation)
    }

    const LABELS: [usize; 4] = [0, 2, 1, 1];

    /// The worst neighbours that so many steps find, and the losses where they start and where they end.
    fn found(radius: f64, steps: usize, start: &[f32]) -> (Vec<f32>, [f32; 2]) {
        let (victim, images, normalisation) = scene();
        let mut tape = Tape::new();
        let t = &mut tape;
        let (x, targets) = (t.input(&[1, 4, 1, 4, 4]), t.input(&[1, 4, 3]));
        let robust = Robust::L2(radius);
        let worst = Worst::new(t, &victim.model, Mode::Train, [x, targets], robust, &normalisation, steps);
        let loss = |t: &mut Tape, pictures: Var| {
            let pass = victim.model.apply_with(t, pictures, Mode::Train, &values(&worst.parameters));
            cross_entropy(t, pass.logits, targets)
        };
        let (before, after) = (loss(t, x), loss(t, worst.pictures));
        let plan = Plan::new(t, &[worst.pictures, before, after], &[]);
        let mut exe = Cpu::<f32>::new().compile(&plan).unwrap();
        exe.write(x, &images).unwrap();
        exe.write(targets, &one_hot(&LABELS, 3)).unwrap();
        exe.write(worst.start, start).unwrap();
        for (parameter, tensor) in worst.parameters.iter().zip(&victim.tensors) {
            exe.write(parameter.stored, tensor).unwrap();
        }
        exe.run(1).unwrap();
        let losses = [before, after].map(|loss| exe.read(loss).unwrap()[0]);
        (exe.read(worst.pictures).unwrap(), losses)
    }

    #[test]
    fn the_worst_neighbours_are_near_and_worse_and_pixels() {
        let (_, images, _) = scene();
        let mut found_by = vec![];
        for steps in [1, STEPS] {
            let (pictures, [before, after]) = found(0.5, steps, &[0.0; 64]);
            assert!(after > before + 0.05, "{before} {after}");
            for (worst, own) in pictures.chunks(16).zip(images.chunks(16)) {
                let change = worst.iter().zip(own).map(|(a, b)| (0.25 * (a - b)).powi(2)).sum::<f32>().sqrt();
                assert!(change <= 0.5 + 1e-5, "{change}");
                assert!(worst.iter().all(|v| (-1e-5..=1.00001).contains(&(0.25 * v + 0.4))));
            }
            found_by.push(after);
        }
        assert!(found_by[1] >= found_by[0] - 1e-3, "{found_by:?}");
    }

    /// Their dependence on the parameters does not count.
    #[test]
    fn a_robust_step_is_a_step_on_the_worst_neighbours() {
        let (victim, images, normalisation) = scene();
        let plain = Recipe { batch: 4, ..Recipe::default() };
        let robust = Recipe { robust: Some(Robust::L2(0.5)), ..plain.clone() };
        let device = Cpu::<f32>::new();
        let stepped = |recipe: &Recipe, images: &[f32]| {
            let mut step = Step::on(&device, &victim.model, recipe, &normalisation).unwrap();
            step.write(&State::start(&victim, recipe.optimiser)).unwrap();
            let seen = step.run(images, &LABELS, 0.1, 3).unwrap();
            (seen, step.tensors().unwrap())
        };
        let start = starts(Robust::L2(0.5), robust.seed, "worst neighbours of step 3", 4, 16);
        let (worst, _) = found(0.5, 1, &start);
        let (found, expected) = (stepped(&robust, &images), stepped(&plain, &worst));
        assert!((found.0.loss - expected.0.loss).abs() < 1e-5);
        for (a, b) in found.1.iter().flatten().zip(expected.1.iter().flatten()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert_ne!(found.1, stepped(&plain, &images).1);
    }

    #[test]
    fn starts_lie_in_the_ball_and_are_drawn_for_their_purpose() {
        let of = |purpose| starts(Robust::L2(0.5), 3, purpose, 40, 48);
        let norms: Vec<f32> =
            of("a").chunks(48).map(|change| change.iter().map(|v| v * v).sum::<f32>().sqrt()).collect();
        assert!(norms.iter().all(|norm| *norm <= 0.5 + 1e-6), "{norms:?}");
        assert!(norms.iter().any(|norm| *norm < 0.15) && norms.iter().any(|norm| *norm > 0.35));
        assert!(of("a") == of("a") && of("a") != of("b"));
    }
}
