//! The optimisers and the driver of an attack, on the CPU device.

use gia_gpu::{
    attack::{
        GO_ON, Hooks,
        adam::{Adam, Iteration},
        config::{AttackConfig, Optimiser, Schedule, Sign},
        invert::{LabelSource, Reconstruction, Setting, Target, invert},
        labels::Method,
        lbfgs,
        minimise::{Lbfgs, Traces, minimise},
        pixels::Pixels,
        problem::{Problem, Sizes},
        threat::ThreatModel,
    },
    data::{Normalisation, samples},
    device::{Device, Executable, cpu::Cpu},
    federated::{Protocol, Request, Victim, client},
    nn::{Depth, loss::one_hot},
    random,
};

const TRIALS: usize = 2;

fn sizes() -> Sizes {
    Sizes::one_target(TRIALS, 1, false)
}

/// The same victim, target and start for whatever plan `exe` runs.
fn fill(problem: &Problem, exe: &mut dyn Executable, x: &[f32]) {
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 1).unwrap();
    exe.write(problem.x, x).unwrap();
    exe.write(problem.labels, &[one_hot(&[3], 10), one_hot(&[7], 10)].concat()).unwrap();
    let mut generator = random::generator(2, "observed");
    for &observed in &problem.observed {
        let values = random::normal(&mut generator, problem.tape.len_of(observed));
        exe.write(observed, &values).unwrap();
    }
    for (parameter, tensor) in problem.parameters.iter().zip(&victim.tensors) {
        exe.write(parameter.stored, tensor).unwrap();
    }
}

/// Adam as in Kingma 2015, Algorithm 1, with PyTorch's placing of ε, on gradients from their own plan.
#[test]
fn adam_in_the_plan_takes_the_steps_of_adam_on_the_host() {
    let config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
    let bounds = Normalisation::default().bounds();
    let start = random::normal(&mut random::generator(3, "start"), TRIALS * 3072);
    let iterations = 8;
    for (sign, schedule) in
        [(Sign::None, Schedule::Constant), (Sign::Hard, Schedule::Steps), (Sign::Soft(50.0), Schedule::Steps)]
    {
        let device = Cpu::<f32>::new();
        let mut problem = crate::scene::problem("lenet-zhu", &config, sizes());
        let mut gradients = device.compile(&lbfgs::plan(&problem)).unwrap();
        let adam = Adam {
            learning_rate: 0.1,
            sign,
            schedule,
            warm_up: 0,
            langevin: 0.0,
            seed: 0,
            shared_noise: false,
        };
        let iteration = Iteration::new(&mut problem, &Pixels::free(1, [3, 32, 32]), adam, iterations);
        let mut exe = device.compile(&iteration.plan).unwrap();
        fill(&problem, &mut *exe, &start);
        fill(&problem, &mut *gradients, &start);

        let mut x: Vec<f64> = start.iter().map(|&v| f64::from(v)).collect();
        let (mut m, mut v) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for step in 0..iterations {
            gradients.write(problem.x, &x.iter().map(|&v| v as f32).collect::<Vec<_>>()).unwrap();
            gradients.run(1).unwrap();
            let gradient = gradients.read(problem.gradients[0]).unwrap();
            let falls = [3, 5, 7].iter().filter(|&&f| step * 8 >= f * iterations).count() as i32;
            let rate = if schedule == Schedule::Steps { 0.1 * 0.1f64.powi(falls) } else { 0.1 };
            let t = step as i32 + 1;
            for (i, g) in gradient.into_iter().map(f64::from).enumerate() {
                let g = match sign {
                    Sign::None => g,
                    Sign::Hard => g.signum() * f64::from(g != 0.0),
                    Sign::Soft(s) => (s * g).tanh() / s,
                };
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m, v) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                let (low, high) = bounds[i / 1024 % 3];
                x[i] = (x[i] - rate * m / (v.sqrt() + 1e-8)).clamp(f64::from(low), f64::from(high));
            }
            exe.run(1).unwrap();
            let found = exe.read(problem.x).unwrap();
            let furthest = found.iter().zip(&x).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(furthest < 2e-4, "{sign:?} {schedule:?} step {step}: {furthest} apart");
            // Rounding must not add up over the steps: both go on from the same point.
            x = found.into_iter().map(f64::from).collect();
        }
    }
}

#[test]
fn the_best_iterate_is_kept_and_is_the_lowest_of_the_history() {
    let config = AttackConfig { clamp: false, ..AttackConfig::preset("ig", Depth::Shallow).unwrap() };
    let mut problem = crate::scene::problem("lenet-zhu", &config, sizes());
    // A rate at which the objective goes up and down.
    let (sign, schedule) = (Sign::Hard, Schedule::Constant);
    let adam =
        Adam { learning_rate: 3.0, sign, schedule, warm_up: 0, langevin: 0.0, seed: 0, shared_noise: false };
    let iteration = Iteration::new(&mut problem, &Pixels::free(1, [3, 32, 32]), adam, 40);
    let mut exe = Cpu::<f32>::new().compile(&iteration.plan).unwrap();
    let start = random::normal(&mut random::generator(3, "start"), TRIALS * 3072);
    fill(&problem, &mut *exe, &start);
    let mut looks = 0;
    let mut progress = |_: usize, _: usize, _: &[f32]| looks += 1;
    let found = iteration
        .run(
            &problem,
            &mut *exe,
            40,
            &mut Hooks { progress: &mut progress, stop: GO_ON, checkpoints: None },
            None,
        )
        .unwrap();
    assert!(looks > 0);
    for outcome in &found {
        assert_eq!(outcome.history.len(), 41);
        let lowest = outcome.history.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!(outcome.objective, lowest);
        let rises = outcome.history.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(rises > 0, "the history only fell: the test shows nothing");
    }
    // The kept images have the kept objective.
    let images: Vec<f32> = found.iter().flat_map(|f| f.values[0].clone()).collect();
    let mut again = Cpu::<f32>::new().compile(&lbfgs::plan(&problem)).unwrap();
    fill(&problem, &mut *again, &images);
    again.run(1).unwrap();
    for (objective, outcome) in again.read(problem.objective).unwrap().iter().zip(&found) {
        assert!((objective - outcome.objective).abs() < 1e-5, "{objective} {}", outcome.objective);
    }
}

#[test]
fn lbfgs_minimises_several_functions_at_once() {
    // Rosenbrock's valley from three starts: (1 − x)² + 100 (y − x²)².
    let mut lowest = vec![f64::INFINITY; 3];
    let mut evaluate = |points: &[Option<Vec<f64>>], _: &Traces| {
        let values = points.iter().enumerate().map(|(t, point)| {
            let Some(p) = point else { return (f64::NAN, vec![]) };
            let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
            let value = a * a + 100.0 * b * b;
            lowest[t] = lowest[t].min(value);
            (value, vec![-2.0 * a - 400.0 * p[0] * b, 200.0 * b])
        });
        Ok(values.collect())
    };
    let starts = vec![vec![-1.2, 1.0], vec![2.0, 2.0], vec![0.0, -1.0]];
    minimise(starts, vec![], Lbfgs { iterations: 200, history: 10, stop: 0.0 }, &mut evaluate).unwrap();
    assert!(lowest.iter().all(|l| *l < 1e-16), "{lowest:?}");
}

#[test]
fn a_failing_evaluation_ends_the_minimisation_with_its_error() {
    let mut evaluate = |_: &[Option<Vec<f64>>], _: &Traces| Err("out of order".to_string());
    let settings = Lbfgs { iterations: 5, history: 3, stop: 0.0 };
    let error = minimise(vec![vec![1.0], vec![2.0]], vec![], settings, &mut evaluate).unwrap_err();
    assert_eq!(error, "out of order");
}

/// One target per class of the samples; every label comes back, and so does every restart.
#[test]
fn one_label_of_every_class_is_restored_and_restarts_are_recorded() {
    let (victim, data) = (Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap(), samples());
    let normalisation = Normalisation::default();
    let device = Cpu::<f32>::new();
    let update = |i: usize| {
        let x = normalisation.normalise(&[data.picture(i).unwrap()]).unwrap();
        client::update(&device, &victim, &Protocol::default(), &x, &[data.label(i).unwrap()])
            .unwrap()
            .gradient
    };
    let targets: Vec<Target> = (0..10).map(|i| Target { gradient: update(i), ..Target::default() }).collect();
    let mut config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
    config.iterations = 3;
    let setting = Setting {
        generator: None,
        first: 0,
        victim: &victim,
        protocol: &Protocol::default(),
        views: &[],
        batch: 1,
        normalisation: &normalisation,
        config: &config,
        threat: &ThreatModel::insider(),
        restarts: 3,
        seed: 1,
    };
    let mut hooks = Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
    for (i, found) in invert(&device, &setting, &targets, &mut hooks).unwrap().iter().enumerate() {
        assert_eq!(
            (&found.labels, found.label_source),
            (&vec![data.label(i).unwrap()], LabelSource::Restored(Method::Ilrg))
        );
        assert_eq!(found.trials.len(), 3);
        assert!(found.trials.iter().all(|t| t.objective >= found.best().objective));
        assert_ne!(found.trials[0].images, found.trials[1].images);
    }
}

#[test]
fn a_trial_that_stops_being_finite_is_reported_with_its_best_iterate() {
    let (victim, data) = (Victim::from_seed(&Request::named("convnet2"), 4).unwrap(), samples());
    let normalisation = Normalisation::default();
    let device = Cpu::<f32>::new();
    let x = normalisation.normalise(&[data.picture(0).unwrap()]).unwrap();
    let gradient = client::update(&device, &victim, &Protocol::default(), &x, &[2]).unwrap().gradient;
    let mut config = AttackConfig::preset("ig", Depth::Deep).unwrap();
    (config.iterations, config.clamp) = (30, false);
    // Steps so long that activations overflow.
    config.optimiser = Optimiser::Adam {
        learning_rate: 3e38,
        sign: Sign::Hard,
        schedule: Schedule::Constant,
        warm_up: 0,
        langevin: 0.0,
    };
    let setting = Setting {
        generator: None,
        first: 0,
        victim: &victim,
        protocol: &Protocol::default(),
        views: &[],
        batch: 1,
        normalisation: &normalisation,
        config: &config,
        threat: &ThreatModel::insider(),
        restarts: 1,
        seed: 1,
    };
    let targets = [Target { gradient, labels: Some(vec![2]), ..Target::default() }];
    let mut hooks = Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
    let found = invert(&device, &setting, &targets, &mut hooks).unwrap();
    let outcome = found[0].best();
    assert!(outcome.stopped.is_some_and(|i| i > 0), "{:?}", outcome.history);
    assert!(outcome.objective.is_finite() && outcome.images.iter().all(|v| v.is_finite()));
}

/// Two pictures, two restarts each, for a few iterations of `change`'s attack.
fn attacked(change: impl Fn(&mut AttackConfig)) -> Vec<Reconstruction> {
    let (victim, data) = (Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap(), samples());
    let normalisation = Normalisation::default();
    let device = Cpu::<f32>::new();
    let protocol = Protocol::default();
    let targets: Vec<Target> = (0..2)
        .map(|i| {
            let x = normalisation.normalise(&[data.picture(i).unwrap()]).unwrap();
            let update = client::update(&device, &victim, &protocol, &x, &[data.label(i).unwrap()]).unwrap();
            Target { gradient: update.gradient, ..Target::default() }
        })
        .collect();
    let mut config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
    config.iterations = 60;
    change(&mut config);
    let setting = Setting {
        generator: None,
        first: 0,
        victim: &victim,
        protocol: &protocol,
        views: &[],
        batch: 1,
        normalisation: &normalisation,
        config: &config,
        threat: &ThreatModel::insider(),
        restarts: 2,
        seed: 1,
    };
    invert(
        &device,
        &setting,
        &targets,
        &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None },
    )
    .unwrap()
}

fn first_objective(found: &[Reconstruction]) -> f32 {
    found[0].trials[0].history[0]
}

#[test]
fn an_attack_that_begins_coarse_starts_its_last_scale_lower() {
    let plain = attacked(|_| {});
    let scaled = attacked(|config| config.scales = vec![4, 2]);
    assert_eq!(scaled[0].best().images.len(), 3072);
    assert!(first_objective(&scaled) < 0.9 * first_objective(&plain));
}

#[test]
fn group_consistency_draws_the_restarts_of_a_target_together_and_not_the_targets() {
    let apart = |found: &[Reconstruction], a: (usize, usize), b: (usize, usize)| -> f64 {
        let (x, y) = (&found[a.0].trials[a.1].images, &found[b.0].trials[b.1].images);
        x.iter().zip(y).map(|(x, y)| f64::from((x - y).powi(2))).sum::<f64>().sqrt()
    };
    let plain = attacked(|_| {});
    let grouped = attacked(|config| config.group_consistency = 10.0);
    assert!(apart(&grouped, (0, 0), (0, 1)) < 0.7 * apart(&plain, (0, 0), (0, 1)));
    assert!(apart(&grouped, (0, 0), (1, 0)) > 0.7 * apart(&plain, (0, 0), (1, 0)));
}

#[test]
fn langevin_noise_changes_the_path_and_not_from_run_to_run() {
    let noisy = |scale: f64| {
        attacked(move |config| {
            if let Optimiser::Adam { langevin, sign, .. } = &mut config.optimiser {
                (*langevin, *sign) = (scale, Sign::None);
            }
        })
    };
    let (once, again, none) = (noisy(0.05), noisy(0.05), noisy(0.0));
    assert_eq!(once[0].trials[0].images, again[0].trials[0].images);
    assert_ne!(once[0].trials[0].images, none[0].trials[0].images);
}
