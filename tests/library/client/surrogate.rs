//! SME: one gradient at a point between the server's weights and the client's.

use gia_gpu::{
    attack::{
        config::AttackConfig,
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    device::cpu::Cpu,
    federated::{Local, Protocol},
    nn::{Depth, Model, Options, loss::one_hot},
    plan::Plan,
    random::{generator, uniform},
    tape::Var,
};

const LABELS: [usize; 2] = [1, 3];

/// The surrogate problem of a small network, its gradient by α, and everything that it is given but α.
fn values_at(alpha: f64, keep: impl Fn(&Problem) -> Vec<Var>) -> Vec<Vec<f64>> {
    let options: Options = "hidden=6 activation=tanh".parse().unwrap();
    let model = Model::new("mlp", &options, Some([1, 4, 4]), 5).unwrap();
    let config = AttackConfig {
        total_variation: 0.0,
        clamp: false,
        ..AttackConfig::preset("sme", Depth::Shallow).unwrap()
    };
    let protocol = Protocol { local: Some(Local::sgd(3, 1, 0.5)), ..Protocol::default() };
    let scene = Scene {
        model: &model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let problem = Problem::new(&scene, &Pixels::free(2, model.image), Sizes::one_target(1, 2, false));
    let mut generator = generator(5, "surrogate");
    let mut draw =
        |bound, n| -> Vec<f64> { uniform(&mut generator, bound, n).into_iter().map(f64::from).collect() };
    let keep = keep(&problem);
    let mut exe = Cpu::<f64>::new().compile_typed(&Plan::new(&problem.tape, &keep, &[])).unwrap();
    let size = |var: Var| problem.tape.shape(var).iter().product::<usize>();
    let mut write = |var: Var, bound| exe.write_typed(var, &draw(bound, size(var))).unwrap();
    write(problem.x, 1.0);
    problem.parameters.iter().for_each(|p| write(p.stored, 0.7));
    problem.observed.iter().for_each(|&var| write(var, 0.3));
    let rows: Vec<f64> = one_hot(&LABELS, 5).into_iter().map(f64::from).collect();
    exe.write_typed(problem.labels, &rows).unwrap();
    exe.write_typed(problem.variables.last().unwrap().var, &[alpha]).unwrap();
    exe.run(1).unwrap();
    keep.iter().map(|&var| exe.read_typed(var).unwrap()).collect()
}

#[test]
fn the_derivative_by_alpha_is_that_of_finite_differences() {
    let total = |alpha| values_at(alpha, |p| vec![p.total])[0][0];
    let found = values_at(0.4, |p| vec![*p.gradients.last().unwrap()])[0][0];
    let step = 1e-5;
    let expected = (total(0.4 + step) - total(0.4 - step)) / (2.0 * step);
    assert!((found - expected).abs() < 1e-7 * expected.abs().max(1e-3), "{found} for {expected}");
    assert!(expected.abs() > 1e-4, "{expected}");
}

#[test]
fn alpha_stays_between_the_servers_weights_and_the_clients() {
    let about = gia_gpu::attack::surrogate::alpha();
    let gia_gpu::attack::unknown::Bounds::Range { low, high, .. } = about.bounds else { panic!("free") };
    assert_eq!((low, high, about.shape), (vec![0.0], vec![1.0], vec![1]));
}
