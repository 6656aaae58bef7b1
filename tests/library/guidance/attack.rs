//! Attacks that are guided, beside those that are not.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        checkpoint::Checkpoints,
        config::{AttackConfig, Optimiser, Schedule, Sought},
        guidance::{Anneal, Fall, Guidance, Guide, Hypothesis},
        invert::{Reconstruction, Setting, Target, invert, invert_guided},
        threat::ThreatModel,
    },
    clip::Clip,
    data::Normalisation,
    device::{Device, cpu::Cpu, limited::Limited},
    federated::{Protocol, Request, Victim, client},
    nn::Depth,
    random,
};

use super::{clip, directions, guided, width};
use crate::{bits::bits, resumed::Slow, watched::Watched};

/// What an attack on two batches of two pictures finds, with names by label.
struct Attack {
    victim: Victim,
    targets: Vec<Target>,
    clip: Clip,
    names: Vec<f32>,
}

/// Labels of the two targets.
const LABELS: [[usize; 2]; 2] = [[3, 7], [1, 3]];

impl Attack {
    fn new() -> Attack {
        let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
        let target = |(i, labels): (usize, &[usize; 2])| {
            let x = random::normal(&mut random::generator(i as u64, "pictures"), 2 * 3 * 32 * 32);
            let device = Cpu::<f32>::new();
            let update = client::update(&device, &victim, &Protocol::default(), &x, labels).unwrap();
            Target { gradient: update.gradient, labels: Some(labels.to_vec()), ..Target::default() }
        };
        let targets = LABELS.iter().enumerate().map(target).collect();
        let clip = clip();
        let names = directions(&clip, 3);
        Attack { victim, targets, clip, names }
    }

    fn run(
        &self,
        device: &dyn Device,
        hypotheses: Option<&[Vec<Hypothesis>]>,
        change: impl Fn(&mut AttackConfig),
    ) -> Result<Vec<Reconstruction>, AttackError> {
        let mut hooks = Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
        self.run_with(device, hypotheses, change, &mut hooks)
    }

    fn run_with(
        &self,
        device: &dyn Device,
        hypotheses: Option<&[Vec<Hypothesis>]>,
        change: impl Fn(&mut AttackConfig),
        hooks: &mut Hooks,
    ) -> Result<Vec<Reconstruction>, AttackError> {
        let mut config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
        config.iterations = 16;
        change(&mut config);
        let setting = Setting {
            generator: None,
            first: 0,
            victim: &self.victim,
            protocol: &Protocol::default(),
            views: &[],
            batch: 2,
            normalisation: &Normalisation::default(),
            config: &config,
            threat: &ThreatModel::insider(),
            restarts: 2,
            seed: 1,
        };
        let width = width(&self.clip);
        match hypotheses {
            None => invert(device, &setting, &self.targets, hooks),
            Some(hypotheses) => {
                let guide =
                    Guide { encoder: &self.clip, names: &self.names, width, hypotheses, oracle: false };
                invert_guided(device, &setting, Some(&guide), &self.targets, hooks)
            }
        }
    }
}

fn means(pairs: &[(usize, usize)]) -> Hypothesis {
    pairs.iter().copied().collect()
}

#[test]
fn a_weight_of_0_is_no_guidance_to_the_bit() {
    let attack = Attack::new();
    let device = Cpu::<f32>::new();
    let hypotheses = [vec![means(&[(3, 0), (7, 1)])], vec![means(&[(1, 2), (3, 0)])]];
    let plain = bits(&attack.run(&device, None, |_| ()).unwrap());
    let weightless = attack.run(&device, Some(&hypotheses), |config| guided(config, 0.0)).unwrap();
    assert!(bits(&weightless) == plain);
    let with = attack.run(&device, Some(&hypotheses), |config| guided(config, 0.5)).unwrap();
    assert!(bits(&with) != plain);
}

/// Whatever it has found by then, also nothing while names still pull; and between its stages.
#[test]
fn told_to_stop_at_any_look_it_ends_and_resumed_it_finds_the_same_bits() {
    let attack = Attack::new();
    let device = Cpu::<f32>::new();
    let hypotheses = [vec![means(&[(3, 0), (7, 1)])], vec![means(&[(1, 2), (3, 0)])]];
    stopped_anywhere(&attack, &device, &hypotheses, &|config| guided(config, 0.5));
    // Copies are drawn by the iteration, and what names pull at to the end has a best iterate of its own.
    stopped_anywhere(&attack, &device, &hypotheses, &|config| {
        config.sought = Sought::Pyramid;
        config.guidance = Some(Guidance { views: Some(2), ..Guidance::new(0.5, Anneal::constant()) });
    });
}

fn stopped_anywhere(
    attack: &Attack,
    device: &Cpu<f32>,
    hypotheses: &[Vec<Hypothesis>],
    pull: &dyn Fn(&mut AttackConfig),
) {
    let expected = bits(&attack.run(device, Some(hypotheses), pull).unwrap());
    // Looks are 5 iterations apart, the first after 1; names pull until iteration 8.
    let slow = Slow(device);
    for look in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let looks = AtomicUsize::new(0);
        let stop = || looks.fetch_add(1, Ordering::Relaxed) + 1 >= look;
        let checkpoints = Checkpoints::new(&path, Duration::from_secs(60), "this".into(), false);
        let mut hooks = Hooks { progress: &mut |_, _, _| {}, stop: &stop, checkpoints: Some(&checkpoints) };
        match attack.run_with(&slow, Some(hypotheses), pull, &mut hooks) {
            Ok(early) => assert!(!early.is_empty() && early.iter().all(|f| f.best().objective.is_finite())),
            Err(error) => assert!(matches!(error, AttackError::Stopped), "{error}"),
        }
        checkpoints.end(true).unwrap();
        let again = Checkpoints::new(&path, Duration::from_secs(60), "this".into(), true);
        let mut hooks = Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: Some(&again) };
        let found = attack.run_with(device, Some(hypotheses), pull, &mut hooks).unwrap();
        assert!(bits(&found) == expected, "stopped at look {look}");
        if looks.into_inner() < look {
            break;
        }
    }
}

#[test]
fn hypotheses_of_a_target_share_their_starts_and_go_their_own_ways() {
    let attack = Attack::new();
    let device = Watched::default();
    // Two hypotheses for the first target, none for the second.
    let hypotheses = [vec![means(&[(3, 0), (7, 1)]), means(&[(3, 1), (7, 0)])], vec![]];
    let strong = |config: &mut AttackConfig| guided(config, 5.0);
    let found = attack.run(&device, Some(&hypotheses), strong).unwrap();
    let plain = attack.run(&device, None, |_| ()).unwrap();
    assert_eq!((found[0].trials.len(), found[1].trials.len()), (4, 2));
    let first = |r: &Reconstruction, trial: usize| r.trials[trial].history[0];
    for restart in 0..2 {
        assert_eq!(first(&found[0], restart), first(&found[0], 2 + restart));
        assert_eq!(first(&found[0], restart), first(&plain[0], restart));
        assert_eq!(first(&found[1], restart), first(&plain[1], restart));
        assert_ne!(found[0].trials[restart].images, found[0].trials[2 + restart].images);
    }
    assert_ne!(first(&found[0], 0), first(&found[0], 1));
    let lowest = found[0].trials.iter().map(|t| t.objective).fold(f32::INFINITY, f32::min);
    assert_eq!(found[0].best().objective, lowest);

    // Pictures without a name are drawn nowhere: their path is that of an attack without guidance.
    for (guided, plain) in found[1].trials.iter().zip(&plain[1].trials) {
        let apart = |a: &f32, b: &f32| (a - b).abs() > 1e-3 * b.abs();
        let few = guided.history.iter().take(4).zip(&plain.history);
        assert!(few.clone().all(|(a, b)| !apart(a, b)), "{:?} {:?}", guided.history, plain.history);
    }

    // In rounds, of which the encoder's memory is a part. Sums over other numbers of pictures round otherwise.
    let limit = device.bytes() / 2;
    let narrow = Watched::default();
    let limited = Limited::new(narrow.clone(), limit as u64);
    let rounds = attack.run(&limited, Some(&hypotheses), strong).unwrap();
    // Each round has two, one that guides and one for the rest; one more recomputes the gradients of what was found.
    assert!(
        narrow.plans() > 3 && narrow.bytes() <= limit,
        "{} plans of up to {} bytes",
        narrow.plans(),
        narrow.bytes()
    );
    for (a, b) in rounds.iter().flat_map(|r| &r.trials).zip(found.iter().flat_map(|r| &r.trials)) {
        assert!((a.history[1] - b.history[1]).abs() < 1e-3 * b.history[1], "{:?} {:?}", a.history, b.history);
    }
}

/// Where names pull to the end, what is kept is lowest with their pull, and not without.
#[test]
fn what_names_pull_at_to_the_end_is_the_optimum_of_both() {
    let attack = Attack::new();
    let hypotheses = [vec![means(&[(3, 0), (7, 1)])], vec![means(&[(1, 2), (3, 0)])]];
    let with = |weight: f64| {
        let found = attack.run(&Cpu::<f32>::new(), Some(&hypotheses), |config| {
            config.guidance = Some(Guidance::new(weight, Anneal::constant()));
        });
        found.unwrap()
    };
    // So weak that it moves nothing: the lowest objective of the whole course is kept.
    for outcome in with(1e-25).iter().flat_map(|r| &r.trials) {
        let lowest = outcome.history.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!((outcome.objective, outcome.history.len()), (lowest, 17));
    }
    // So strong that matching hardly counts: its own lowest value is passed over.
    let strong = with(50.0);
    let mut passed = 0;
    for outcome in strong.iter().flat_map(|r| &r.trials) {
        let lowest = outcome.history.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(outcome.history.contains(&outcome.objective));
        passed += usize::from(outcome.objective > lowest);
    }
    assert!(passed > 0);
}

#[test]
fn the_best_iterate_comes_from_after_the_weight_has_become_0() {
    let attack = Attack::new();
    let hypotheses = [vec![means(&[(3, 0), (7, 1)])], vec![means(&[(1, 2), (3, 0)])]];
    // 0 in the last of 17 evaluations alone. With steps this long the objective goes up and down.
    let found = attack
        .run(&Cpu::<f32>::new(), Some(&hypotheses), |config| {
            config.guidance = Some(Guidance::new(0.5, Anneal { fall: Fall::Linear, from: 0.25, to: 0.97 }));
            config.total_variation = 0.0;
            config.clamp = false;
            if let Optimiser::Adam { learning_rate, schedule, .. } = &mut config.optimiser {
                (*learning_rate, *schedule) = (3.0, Schedule::Constant);
            }
        })
        .unwrap();
    let mut earlier = 0;
    for outcome in found.iter().flat_map(|r| &r.trials) {
        let lowest = |part: &[f32]| part.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!(outcome.objective, lowest(&outcome.history[16..]), "{:?}", outcome.history);
        earlier += usize::from(lowest(&outcome.history[..16]) < outcome.objective);
    }
    assert!(earlier > 0, "no objective was lower before: the test shows nothing");
}

/// The plan that goes on without the encoder finds pictures, moments and counter as they were.
#[test]
fn an_attack_goes_on_where_guidance_ends() {
    let attack = Attack::new();
    let device = Watched::default();
    let hypotheses = [vec![means(&[(3, 0), (7, 1)])], vec![means(&[(1, 2), (3, 0)])]];
    // So weak that it moves nothing.
    let ghost = |config: &mut AttackConfig| {
        config.guidance = Some(Guidance::new(1e-25, Anneal { fall: Fall::Step, from: 0.25, to: 0.25 }));
    };
    let guided = attack.run(&device, Some(&hypotheses), ghost).unwrap();
    assert_eq!(device.plans(), 3);
    let plain = attack.run(&device, None, |_| ()).unwrap();
    for (guided, plain) in guided.iter().zip(&plain).flat_map(|(g, p)| g.trials.iter().zip(&p.trials)) {
        assert_eq!(guided.history.len(), plain.history.len());
        // Steps of an attack that began anew would be others: 4 have been done before.
        for (i, (a, b)) in guided.history.iter().zip(&plain.history).take(8).enumerate() {
            assert!((a - b).abs() < 1e-3 * b.abs(), "iteration {i}: {a} {b}");
        }
    }
}

#[test]
fn what_cannot_be_guided_is_an_error() {
    let attack = Attack::new();
    let device = Cpu::<f32>::new();
    let one = |pairs: &[(usize, usize)]| [vec![means(pairs)], vec![]];
    let message = |hypotheses: &[Vec<Hypothesis>], change: fn(&mut AttackConfig)| {
        attack.run(&device, Some(hypotheses), change).unwrap_err().to_string()
    };
    let absent = message(&one(&[(3, 0), (5, 1)]), |config| guided(config, 0.1));
    assert!(absent.contains("label 5 is not in the batch") && absent.contains("1, 3, 7"), "{absent}");
    let few = message(&one(&[])[..1], |config| guided(config, 0.1));
    assert!(few.contains("1 targets, expected 2"), "{few}");
    let lbfgs = message(&one(&[(3, 0)]), |config| {
        *config = AttackConfig::preset("idlg", Depth::Shallow).unwrap();
        guided(config, 0.1);
    });
    assert!(lbfgs.contains("needs Adam"), "{lbfgs}");
}

#[test]
fn the_true_names_are_an_oracles_and_no_servers() {
    let attack = Attack::new();
    let hypotheses = [vec![means(&[(3, 0)])], vec![]];
    let width = width(&attack.clip);
    let run = |oracle: bool| {
        let mut config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
        config.iterations = 2;
        guided(&mut config, 0.1);
        let targets: Vec<Target> =
            attack.targets.iter().map(|t| Target { labels: None, ..t.clone() }).collect();
        let setting = Setting {
            generator: None,
            first: 0,
            victim: &attack.victim,
            protocol: &Protocol::default(),
            views: &[],
            batch: 2,
            normalisation: &Normalisation::default(),
            config: &config,
            threat: &ThreatModel::named("server").unwrap(),
            restarts: 1,
            seed: 1,
        };
        let hypotheses = &hypotheses;
        let guide = Guide { encoder: &attack.clip, names: &attack.names, width, hypotheses, oracle };
        let hooks = &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
        invert_guided(&Cpu::<f32>::new(), &setting, Some(&guide), &targets, hooks)
    };
    assert_eq!(run(false).unwrap().len(), 2);
    let refused = run(true).unwrap_err().to_string();
    assert!(
        refused.contains("does not grant true-names, which guidance by the true names needs"),
        "{refused}"
    );
}
