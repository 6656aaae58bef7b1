//! Attacks that do not fit into memory at once run in rounds, and find the same.

use crate::bits::bits;
use crate::watched::Watched;
use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        config::AttackConfig,
        evaluate::{Candidate, Evaluation},
        invert::{Reconstruction, Setting, Target, invert},
        threat::ThreatModel,
    },
    data::Normalisation,
    device::{cpu::Cpu, limited::Limited},
    federated::{Protocol, Request, Victim, client},
    nn::Depth,
    random,
};

const TARGETS: usize = 3;
const RESTARTS: usize = 3;

/// An attack on one picture at a time.
fn setting<'a>(
    victim: &'a Victim,
    protocol: &'a Protocol,
    normalisation: &'a Normalisation,
    config: &'a AttackConfig,
    threat: &'a ThreatModel,
) -> Setting<'a> {
    Setting {
        generator: None,
        first: 0,
        victim,
        protocol,
        views: &[],
        batch: 1,
        normalisation,
        config,
        threat,
        restarts: RESTARTS,
        seed: 1,
    }
}

/// A few iterations against a few pictures of noise, under this limit; the plans it took and the largest's bytes.
fn attacked(
    victim: &str,
    limit: u64,
    change: impl Fn(&mut AttackConfig),
) -> (Result<Vec<Reconstruction>, AttackError>, usize, usize) {
    let victim = Victim::from_seed(&Request::named(victim), 4).unwrap();
    let normalisation = Normalisation::default();
    let protocol = Protocol::default();
    let targets: Vec<Target> = (0..TARGETS)
        .map(|i| {
            let x = random::normal(&mut random::generator(i as u64, "rounds"), 3 * 32 * 32);
            let update = client::update(&Cpu::<f32>::new(), &victim, &protocol, &x, &[i]).unwrap();
            Target { gradient: update.gradient, labels: Some(vec![i]), ..Target::default() }
        })
        .collect();
    let mut config = AttackConfig::preset("ig", Depth::Shallow).unwrap();
    config.iterations = 12;
    change(&mut config);
    let threat = ThreatModel::insider();
    let setting = setting(&victim, &protocol, &normalisation, &config, &threat);
    let device = Watched::default();
    let limited = Limited::new(device.clone(), limit);
    // Every thread takes memory of its own, however few trials there are: with many, no share of it would do.
    let two_threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let found = two_threads.install(|| {
        invert(
            &limited,
            &setting,
            &targets,
            &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None },
        )
    });
    // One more plan recomputes the gradient of what was found.
    let rounds = device.plans() - usize::from(found.is_ok());
    (found, rounds, device.bytes())
}

#[test]
fn an_attack_in_rounds_finds_the_same_bits_as_one_at_once() {
    // ConvNet has long sums in its gradients, and batch norms.
    for victim in ["lenet-zhu", "convnet4"] {
        let (at_once, plans, bytes) = attacked(victim, u64::MAX, |_| ());
        assert_eq!(plans, 1);
        let expected = bits(&at_once.unwrap());
        let mut before = plans;
        for share in [2, 3] {
            let limit = bytes / share;
            let (found, plans, largest) = attacked(victim, limit as u64, |_| ());
            assert!(plans > before, "{victim}: {plans} rounds under {limit} bytes, {before} before");
            assert!(largest <= limit, "{victim}: a plan of {largest} bytes under a limit of {limit}");
            assert!(bits(&found.unwrap()) == expected, "{victim}: {plans} rounds differ from one");
            before = plans;
        }
    }
}

#[test]
fn trials_that_draw_on_each_other_stay_in_one_round() {
    let consistent = |config: &mut AttackConfig| config.group_consistency = 0.1;
    let (at_once, plans, bytes) = attacked("lenet-zhu", u64::MAX, consistent);
    assert_eq!(plans, 1);
    let (found, plans, _) = attacked("lenet-zhu", bytes as u64 / 2, consistent);
    assert_eq!(plans, TARGETS, "a round for each target's {RESTARTS} trials");
    assert!(bits(&found.unwrap()) == bits(&at_once.unwrap()));
}

#[test]
fn a_limit_below_one_trial_is_an_error_that_names_both_numbers() {
    let (found, plans, _) = attacked("lenet-zhu", 1000, |_| ());
    let message = found.unwrap_err().to_string();
    assert_eq!(plans, 0);
    assert!(message.contains("memory limit of 1000 bytes"), "{message}");
}

#[test]
fn candidates_of_a_large_network_are_evaluated_a_few_at_a_time() {
    let victim = Victim::from_seed(&Request::named("resnet18"), 4).unwrap();
    let (protocol, normalisation) = (Protocol::default(), Normalisation::default());
    let config = AttackConfig::preset("ig", Depth::Deep).unwrap();
    let threat = ThreatModel::insider();
    let setting = Setting { restarts: 1, ..setting(&victim, &protocol, &normalisation, &config, &threat) };
    let len = victim.image_shape().iter().product();
    let candidate = |i: usize| Candidate {
        pictures: random::normal(&mut random::generator(i as u64, "rounds"), len),
        labels: vec![i],
    };
    let candidates: Vec<Candidate> = (0..3).map(candidate).collect();
    let truth = &candidates[0];
    let update =
        client::update(&Cpu::<f32>::new(), &victim, &protocol, &truth.pictures, &truth.labels).unwrap();
    let target = Target { gradient: update.gradient, labels: Some(vec![0]), ..Target::default() };
    let [(several, bytes), (one, _)] = [20, 1].map(|at_once| {
        let device = Watched::default();
        let targets = std::slice::from_ref(&target);
        let mut evaluation = Evaluation::new(&device, &setting, targets, at_once).unwrap();
        (evaluation.of(&target, &candidates).unwrap(), device.bytes())
    });
    // Twenty gradients alone are 20 · 45 MB.
    assert!(bytes < 400 << 20, "{bytes} bytes");
    assert_eq!(several, one);
    assert!(one[0].objective < 1e-5 && one[1].objective > 0.1, "{one:?}");
}
