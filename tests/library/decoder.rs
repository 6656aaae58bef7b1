//! Attacks by the weights of an untrained decoder.

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        check::ConfigError,
        config::{AttackConfig, Optimiser, Output},
        invert::{Reconstruction, Setting, Target, invert},
        threat::{Knowledge, ThreatModel},
    },
    data::Normalisation,
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, client},
    nn::Depth,
};

const IMAGE: [usize; 3] = [3, 32, 32];

/// A smooth picture: bands of two colours.
fn picture(normalisation: &Normalisation) -> Vec<f32> {
    let pixel = |i: usize| {
        let (channel, y, x) = (i / 1024, i / 32 % 32, i % 32);
        let value = 0.5 + 0.4 * ((x as f32 / 5.0 + channel as f32).sin() * (y as f32 / 7.0).cos());
        (value - normalisation.mean()[channel]) / normalisation.std()[channel]
    };
    (0..3 * 1024).map(pixel).collect()
}

struct Scene {
    victim: Victim,
    normalisation: Normalisation,
    original: Vec<f32>,
    target: Target,
}

impl Scene {
    fn new() -> Scene {
        let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
        let normalisation = Normalisation::default();
        let original = picture(&normalisation);
        let update =
            client::update(&Cpu::<f32>::new(), &victim, &Protocol::default(), &original, &[3]).unwrap();
        let target = Target { gradient: update.gradient, ..Target::default() };
        Scene { victim, normalisation, original, target }
    }

    fn attack(&self, config: &AttackConfig, restarts: usize) -> Result<Reconstruction, AttackError> {
        // What an eavesdropper has who was given nothing.
        let threat = ThreatModel::named("server").unwrap();
        assert!(!threat.grants.contains(&Knowledge::GenerativePrior));
        let setting = Setting {
            generator: None,
            first: 0,
            victim: &self.victim,
            protocol: &Protocol::default(),
            views: &[],
            batch: 1,
            normalisation: &self.normalisation,
            config,
            threat: &threat,
            restarts,
            seed: 1,
        };
        let hooks = &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
        let found = invert(&Cpu::<f32>::new(), &setting, std::slice::from_ref(&self.target), hooks)?;
        Ok(found.into_iter().next().unwrap())
    }
}

fn config(iterations: usize) -> AttackConfig {
    AttackConfig { iterations, ..AttackConfig::preset("decoder", Depth::Shallow).unwrap() }
}

fn error(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

#[test]
fn a_picture_comes_out_of_weights_that_nobody_trained() {
    let scene = Scene::new();
    let found = scene.attack(&config(150), 2).unwrap();
    let [first, second] = &found.trials[..] else { panic!("two restarts") };
    assert_ne!(first.images, second.images, "each restart has weights of its own");
    let best = found.best();
    assert!(best.objective < 0.3 * best.history[0], "{} from {}", best.objective, best.history[0]);
    // The best iterate's pictures come from its own weights and vectors: they give its objective again.
    let again = found.recomputed.unwrap().cosine_distance;
    assert!((again - f64::from(best.objective)).abs() < 1e-4, "{again} {}", best.objective);
    let grey = vec![0.0; scene.original.len()];
    let [own, floor] = [&best.images, &grey].map(|pictures| error(pictures, &scene.original));
    assert!(own < 0.5 * floor, "{own}, a grey picture {floor}");
    // ½ + ½·tanh are pixels.
    let bounds = scene.normalisation.bounds();
    for (i, value) in best.images.iter().enumerate() {
        let (low, high) = bounds[i / 1024];
        assert!((low - 1e-5..=high + 1e-5).contains(value), "{value} outside of {low} to {high}");
    }
    let raw = scene.attack(&AttackConfig { output: Output::Tanh, ..config(5) }, 1).unwrap();
    assert!(raw.best().images.iter().all(|v| (-1.0..=1.0).contains(v)));
    assert_eq!(scene.victim.image_shape(), IMAGE);
}

#[test]
fn what_a_decoder_cannot_take_is_refused() {
    let scene = Scene::new();
    let refused = |config: AttackConfig, words: &str| match scene.attack(&config, 1).unwrap_err() {
        AttackError::Config(error @ ConfigError { .. }) => {
            assert!(error.to_string().contains(words), "{error}, not '{words}'");
        }
        other => panic!("{other}"),
    };
    refused(AttackConfig { scales: vec![2], ..config(4) }, "scales: expected none");
    let lbfgs = Optimiser::Lbfgs { inner: 2, history: 2, stop: 0.0 };
    refused(AttackConfig { optimiser: lbfgs, ..config(4) }, "expected adam for decoder, found lbfgs");
}
