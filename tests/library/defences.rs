//! What an eavesdropper who knows the defence sees at the client's own pictures: its trial gradient is the
//! observed one, as it is without a defence. The unaware one sees a difference.

use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        lbfgs,
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    audit::Audit,
    data::{Normalisation, samples},
    device::{Device, cpu::Cpu},
    federated::{
        Local, Protocol, Request, Victim,
        defence::{Defended, adapt, parse},
    },
    nn::{Depth, loss::one_hot},
    watch::Silent,
};

const LABELS: [usize; 2] = [2, 9];

/// The objective at the client's pictures, relative to what a flat picture scores.
fn objective(defences: &str, objective: Objective, protocol: &Protocol, adaptive: bool) -> f32 {
    let defences = parse(defences).unwrap();
    let device = Cpu::<f32>::new();
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 3).unwrap();
    let data = samples();
    let pictures = [data.picture(0).unwrap(), data.picture(1).unwrap()];
    let images = Normalisation::default().normalise(&pictures).unwrap();
    let mut client = Defended::new(&device, &victim, protocol, &defences, 2).unwrap();
    let gradient = client.update(&images, &LABELS, 1, 0).unwrap().gradient;

    let config = AttackConfig { objective, ..AttackConfig::preset("ig", Depth::Shallow).unwrap() };
    let views = if adaptive { adapt::views(&defences, protocol, LABELS.len()) } else { vec![] };
    let eavesdropper = if adaptive { adapt::protocol(&defences, protocol) } else { protocol.clone() };
    let scene = Scene {
        model: &victim.model,
        protocol: &eavesdropper,
        config: &config,
        views: &views,
        weighted: false,
        scaled: false,
    };
    let problem =
        Problem::new(&scene, &Pixels::free(2, victim.image_shape()), Sizes::one_target(2, 2, false));
    let mut exe = device.compile(&lbfgs::plan(&problem)).unwrap();
    // Trial 0 is the client's pictures, trial 1 a flat one.
    exe.write(problem.x, &[images.clone(), vec![0.0; images.len()]].concat()).unwrap();
    exe.write(problem.labels, &[one_hot(&LABELS, 10), one_hot(&LABELS, 10)].concat()).unwrap();
    for (&input, tensor) in problem.observed.iter().zip(&gradient) {
        exe.write(input, tensor).unwrap();
    }
    for (parameter, tensor) in problem.parameters.iter().zip(&victim.tensors) {
        exe.write(parameter.stored, tensor).unwrap();
    }
    exe.run(1).unwrap();
    let values = exe.read(problem.objective).unwrap();
    values[0] / values[1]
}

#[test]
fn the_adaptive_eavesdropper_matches_what_the_defence_left() {
    let gradient = Protocol::default();
    for (defences, distance) in [
        ("clip:0.5", Objective::L2),
        ("top-k:0.2", Objective::Cosine),
        ("soteria:0.5", Objective::L2),
        ("dp-sgd:0.5:1e-7", Objective::Cosine),
        ("top-k:0.3,clip:0.1", Objective::L2),
    ] {
        let [unaware, adaptive] = [false, true].map(|a| objective(defences, distance, &gradient, a));
        assert!(adaptive < 1e-4, "{defences}: {adaptive}");
        assert!(unaware > 20.0 * adaptive.max(1e-6), "{defences}: unaware {unaware}, adaptive {adaptive}");
    }
    // A sign has no slope: the adaptive eavesdropper's is soft, and near.
    let [unaware, adaptive] = [false, true].map(|a| objective("sign", Objective::Cosine, &gradient, a));
    assert!(adaptive < 0.6 * unaware, "unaware {unaware}, adaptive {adaptive}");
}

#[test]
fn a_clipped_update_is_matched_in_its_own_scale() {
    let local = Local::sgd(2, 1, 0.05);
    let protocol = Protocol { local: Some(local), ..Protocol::default() };
    let [unaware, adaptive] = [false, true].map(|a| objective("clip:0.01", Objective::L2, &protocol, a));
    assert!(adaptive < 1e-4 && unaware > 0.01, "unaware {unaware}, adaptive {adaptive}");
}

#[test]
fn who_knows_of_pruned_or_signed_gradients_finds_the_members_in_them() {
    let (dataset, device) = (samples(), Cpu::<f32>::new());
    // Signs of features tell pictures apart where ReLU leaves some of them 0.
    for (defence, architecture) in [("soteria:0.4", "lenet-zhu"), ("sign", "lenet5")] {
        let [unaware, adaptive] = [false, true].map(|adaptive| {
            let audit = Audit::untrained(architecture, "ig", &dataset, 5).unwrap();
            let mut audit = Audit { defences: parse(defence).unwrap(), adaptive, ..audit };
            let clients = audit.clients(&dataset, 1, 6).unwrap();
            audit.membership(&device, &clients, &Silent).unwrap().unwrap().estimate
        });
        assert!(unaware < 0.7 && adaptive == 1.0, "{defence}: unaware {unaware}, adaptive {adaptive}");
    }
}
