//! Pictures as a linear map of a few numbers, and a factor beside the pixels: unknowns that the library does not have.

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        adam::{Adam, Iteration},
        config::{AttackConfig, Objective, Optimiser, Schedule, Sign},
        invert::{Reconstruction, Setting, Target, Trial, invert_in_stages},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
        stage::{Begin, Goal, Stage},
        threat::ThreatModel,
        unknown::{Bounds, Constant, Unknown, Variable},
    },
    data::Normalisation,
    device::{Device, cpu::Cpu},
    federated::{Protocol, Request, Victim},
    nn::loss::one_hot,
    random,
    tape::{Tape, Var},
};

use super::{config, target_of};

const IMAGE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;
const NUMBERS: usize = 6;
/// Of the numbers that the first stage moves.
const FEW: usize = 3;

/// One picture: the first so many rows of a basis, weighted.
struct Span<'a> {
    /// `(NUMBERS, PIXELS)`
    basis: &'a [f32],
    numbers: usize,
}

impl Unknown for Span<'_> {
    fn variables(&self) -> Vec<Variable> {
        vec![Variable::free(&[self.numbers])]
    }

    fn constants(&self) -> Vec<Constant<'_>> {
        let values = &self.basis[..self.numbers * PIXELS];
        vec![Constant { shape: vec![self.numbers, PIXELS], values }]
    }

    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        let purpose = format!("numbers {} {}", trial.target, trial.restart);
        vec![random::normal(&mut random::generator(seed, &purpose), self.numbers)]
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], constants: &[Var]) -> Var {
        let trials = tape.shape(variables[0])[0];
        let row = tape.reshape(variables[0], &[trials, 1, self.numbers]);
        let basis = tape.broadcast_to(constants[0], &[trials, self.numbers, PIXELS]);
        let pixels = tape.matmul(row, basis);
        tape.reshape(pixels, &[trials, 1, 3, 32, 32])
    }
}

fn basis() -> Vec<f32> {
    random::normal(&mut random::generator(11, "basis"), NUMBERS * PIXELS).iter().map(|v| 0.3 * v).collect()
}

/// What the numbers stand for.
fn picture(basis: &[f32], numbers: &[f32]) -> Vec<f32> {
    (0..PIXELS).map(|i| numbers.iter().enumerate().map(|(n, v)| v * basis[n * PIXELS + i]).sum()).collect()
}

fn adam(learning_rate: f64) -> Optimiser {
    Optimiser::Adam {
        learning_rate,
        sign: Sign::None,
        schedule: Schedule::Constant,
        warm_up: 0,
        langevin: 0.0,
    }
}

/// Three restarts against the picture of these numbers, by these stages.
fn attack(victim: &Victim, targets: &[Target], stages: &[Stage]) -> Result<Vec<Reconstruction>, AttackError> {
    let config = AttackConfig { objective: Objective::L2, total_variation: 0.0, ..config(1) };
    let setting = Setting {
        generator: None,
        first: 0,
        victim,
        protocol: &Protocol::default(),
        views: &[],
        batch: 1,
        normalisation: &Normalisation::default(),
        config: &config,
        threat: &ThreatModel::insider(),
        restarts: 3,
        seed: 5,
    };
    let hooks = &mut Hooks {
        progress: &mut |done, of, _| assert!(done <= of, "{done} of {of}"),
        stop: GO_ON,
        checkpoints: None,
    };
    invert_in_stages(&Cpu::<f32>::new(), &setting, None, stages, targets, hooks)
}

/// A few numbers by Adam, then all of them by L-BFGS from where these are.
fn stages(basis: &[f32]) -> Vec<Stage<'_>> {
    let span = |numbers| Box::new(Span { basis, numbers });
    let more = |found: &[Vec<f32>]| Ok(vec![[&found[0][..], &[0.0; NUMBERS - FEW]].concat()]);
    let lbfgs = Optimiser::Lbfgs { inner: 20, history: 20, stop: 0.0 };
    vec![
        Stage::whole(span(FEW), Begin::Anew, adam(0.05), 60),
        Stage::whole(span(NUMBERS), Begin::Best(Box::new(more)), lbfgs, 5),
    ]
}

#[test]
fn a_second_unknown_is_found_in_two_stages_of_two_optimisers() {
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
    let basis = basis();
    let truth = [0.9, -0.4, 0.7, 0.3, -0.5, 0.2];
    let original = picture(&basis, &truth);
    let targets = [Target { labels: Some(vec![6]), ..target_of(&victim, &original, &[6]) }];
    let both = stages(&basis);
    let few = attack(&victim, &targets, &both[..1]).unwrap();
    let all = attack(&victim, &targets, &both).unwrap();
    for (first, second) in few[0].trials.iter().zip(&all[0].trials) {
        // The second stage goes on from the first's best iterate.
        let apart = (first.objective - second.history[0]).abs();
        assert!(apart < 1e-4 * first.objective, "{} {}", first.objective, second.history[0]);
        assert!(second.objective < first.objective);
    }
    let distance = |found: &[Reconstruction]| {
        let squares = found[0].best().images.iter().zip(&original).map(|(a, b)| f64::from((a - b).powi(2)));
        (squares.sum::<f64>() / PIXELS as f64).sqrt()
    };
    assert!(distance(&all) < 1e-3, "{} after both, {} after one", distance(&all), distance(&few));
    // Three numbers cannot say it.
    assert!(distance(&few) > 0.1, "{}", distance(&few));
}

#[test]
fn stages_that_cannot_take_what_the_one_before_hands_over_are_refused() {
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
    let basis = basis();
    let targets = [Target { labels: Some(vec![6]), ..target_of(&victim, &basis[..PIXELS], &[6]) }];
    let span = |numbers| Box::new(Span { basis: &basis, numbers });
    let whole = |numbers, begin, iterations| Stage::whole(span(numbers), begin, adam(0.1), iterations);
    let refused = |stages: Vec<Stage>, words: &str| {
        let error = attack(&victim, &targets, &stages).unwrap_err();
        assert!(error.to_string().contains(words), "{error}, not '{words}'");
    };
    refused(vec![], "no stages");
    refused(vec![whole(2, Begin::Continued, 4)], "stage 1: there is none before it");
    let (first, other) = (|| whole(2, Begin::Anew, 4), |numbers, n| whole(numbers, Begin::Continued, n));
    refused(vec![first(), other(3, 4)], "stage 2: only with the same variables");
    refused(vec![first(), other(2, 5)], "stage 2: only with the same variables");
    refused(vec![whole(2, Begin::Anew, 0)], "iterations, found 0");
    refused(vec![Stage { goal: Goal::Guided, ..first() }], "guidance needs Adam, names");
    // Two pictures where the batch is one.
    let pixels = Box::new(Pixels::free(2, IMAGE));
    refused(vec![Stage::whole(pixels, Begin::Anew, adam(0.1), 4)], "expected [1, 1, 3, 32, 32]");
    // Values of another length.
    let short = Begin::Best(Box::new(|_: &[Vec<f32>]| Ok(vec![vec![0.0; 2]])));
    let error = attack(&victim, &targets, &[first(), whole(3, short, 4)]).unwrap_err();
    assert!(matches!(error, AttackError::Device(_) | AttackError::Invalid(_)), "{error}");
}

/// A picture, a factor that it is multiplied by, and a shift.
struct Scaled {
    /// Whether the factor takes Adam's steps without the sign.
    plain: bool,
}

/// Of the factor's learning rate.
const RATE: f64 = 0.01;
/// How far the shift may go.
const NARROW: f32 = 1e-3;

impl Unknown for Scaled {
    fn variables(&self) -> Vec<Variable> {
        let bounds = Bounds::Range { shape: vec![1], low: vec![-NARROW], high: vec![NARROW] };
        let free = Variable::free(&[1]);
        let factor = Variable { rate: RATE, plain: self.plain, ..free.clone() };
        vec![Variable::free(&[1, 3, 32, 32]), factor, Variable { bounds, ..free }]
    }

    fn start(&self, seed: u64, trial: Trial) -> Vec<Vec<f32>> {
        let mut values = Pixels::free(1, IMAGE).start(seed, trial);
        values.extend([vec![1.0], vec![0.0]]);
        values
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], _: &[Var]) -> Var {
        let trials = tape.shape(variables[0])[0];
        let [factor, shift] = [1, 2].map(|i| tape.reshape(variables[i], &[trials, 1, 1, 1, 1]));
        let scaled = tape.mul(variables[0], factor);
        tape.add(scaled, shift)
    }
}

const TRIALS: usize = 2;
const STEP: f64 = 0.1;

/// Values of each variable after every iteration, of all trials.
fn path(unknown: &Scaled, iterations: usize) -> Vec<[Vec<f32>; 3]> {
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
    let (protocol, config) = (Protocol::default(), config(iterations));
    let scene = Scene {
        model: &victim.model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let mut problem = Problem::new(&scene, unknown, Sizes::one_target(TRIALS, 1, false));
    let adam = Adam {
        learning_rate: STEP,
        sign: Sign::Hard,
        schedule: Schedule::Constant,
        warm_up: 0,
        langevin: 0.0,
        seed: 0,
        shared_noise: false,
    };
    let iteration = Iteration::new(&mut problem, unknown, adam, iterations);
    let mut exe = Cpu::<f32>::new().compile(&iteration.plan).unwrap();
    for (i, moved) in problem.variables.iter().enumerate() {
        let start = |restart| unknown.start(3, Trial { target: 0, hypothesis: 0, restart }).swap_remove(i);
        exe.write(moved.var, &(0..TRIALS).flat_map(start).collect::<Vec<_>>()).unwrap();
    }
    let observed = target_of(&victim, &basis()[..PIXELS], &[6]).gradient;
    problem.observed.iter().zip(&observed).for_each(|(&input, g)| exe.write(input, g).unwrap());
    exe.write(problem.labels, &one_hot(&[6, 6], 10)).unwrap();
    for (parameter, tensor) in problem.parameters.iter().zip(&victim.tensors) {
        exe.write(parameter.stored, tensor).unwrap();
    }
    iteration.begin(&problem, &mut *exe).unwrap();
    let mut path = vec![];
    for after in 0..=iterations {
        if after > 0 {
            exe.run(1).unwrap();
        }
        path.push([0, 1, 2].map(|i| exe.read(problem.variables[i].var).unwrap()));
    }
    path
}

#[test]
fn variables_have_rates_bounds_and_signs_of_their_own() {
    let [signed, plain] = [false, true].map(|plain| path(&Scaled { plain }, 6));
    let furthest = |path: &[[Vec<f32>; 3]], variable: usize| {
        let pairs = path[0][variable].iter().zip(&path[1][variable]);
        pairs.map(|(a, b)| f64::from(a - b).abs()).fold(0.0, f64::max)
    };
    // Adam's first step is its rate, whatever the gradient's size.
    assert!((furthest(&plain, 0) - STEP).abs() < 1e-4, "{}", furthest(&plain, 0));
    assert!((furthest(&plain, 1) - STEP * RATE).abs() < 1e-5, "{}", furthest(&plain, 1));
    // A hundred times as far as it may.
    for [_, _, shift] in &plain[1..] {
        assert!(shift.iter().all(|s| s.abs() <= NARROW), "{shift:?}");
    }
    assert!(plain[1][2].iter().all(|s| s.abs() == NARROW), "{:?}", plain[1][2]);
    // The next steps depend on the gradients' sizes, unless they are only signs.
    let factors = |path: &[[Vec<f32>; 3]]| path.iter().map(|at| at[1].clone()).collect::<Vec<_>>();
    assert!((factors(&plain)[1][0] - factors(&signed)[1][0]).abs() < 1e-6);
    assert_ne!(factors(&plain)[6], factors(&signed)[6]);
}
