//! A saturated victim: its gradient is so small that squares of it are lost in single precision.

use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    device::{Device, cpu::Cpu},
    federated::{Protocol, Request, Victim, client},
    nn::{Depth, loss::one_hot},
    plan::Plan,
    random::{generator, uniform},
};

/// The objective and the norm ratio of a trial that is the client's own picture.
fn at_the_truth(scaled: bool) -> [f32; 2] {
    let mut victim = Victim::from_seed(&Request::named("lenet5"), 3).unwrap();
    // So sure of class 4 that every other probability is below 1e-15.
    let bias = victim.tensors.len() - 1;
    victim.tensors[bias][4] += 36.0;
    let device = Cpu::<f32>::new();
    let x = uniform(&mut generator(1, "picture"), 1.0, victim.image_shape().iter().product());
    let gradient = client::update(&device, &victim, &Protocol::default(), &x, &[4]).unwrap().gradient;
    let config = AttackConfig {
        objective: Objective::Cosine,
        total_variation: 0.0,
        ..AttackConfig::preset("ig", Depth::Shallow).unwrap()
    };
    let protocol = Protocol::default();
    let scene = Scene {
        model: &victim.model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled,
    };
    let pixels = Pixels::free(1, victim.image_shape());
    let problem = Problem::new(&scene, &pixels, Sizes::one_target(1, 1, false));
    let keep = [problem.objective, problem.norm_ratio];
    let mut exe = device.compile(&Plan::new(&problem.tape, &keep, &[])).unwrap();
    exe.write(problem.x, &x).unwrap();
    exe.write(problem.labels, &one_hot(&[4], victim.model.classes)).unwrap();
    problem.observed.iter().zip(&gradient).for_each(|(&input, g)| exe.write(input, g).unwrap());
    let norm = gradient.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    assert!(norm < 1e-12, "{norm}");
    if let Some(unit) = problem.unit {
        exe.write(unit, &[(1.0 / norm) as f32]).unwrap();
    }
    for (parameter, tensor) in problem.parameters.iter().zip(&victim.tensors) {
        exe.write(parameter.stored, tensor).unwrap();
    }
    exe.run(1).unwrap();
    keep.map(|var| exe.read(var).unwrap()[0])
}

#[test]
fn in_units_of_its_norm_a_tiny_gradient_is_matched_by_itself() {
    let [objective, ratio] = at_the_truth(true);
    assert!(objective.abs() < 1e-4 && (ratio - 1.0).abs() < 1e-3, "{objective} {ratio}");
    let [lost, _] = at_the_truth(false);
    assert!(lost > 0.5, "{lost}");
}
