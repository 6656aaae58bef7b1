//! Whole iterations of attacks, double backward included, on the GPU.

use crate::step_cases::{gpu, random, rng};
use gia_gpu::{
    attack::{
        config::{AttackConfig, LabelStrategy},
        problem::{Problem, Sizes},
    },
    device::{Device, cpu::Cpu},
    nn::architecture::depth,
    plan::Plan,
    tape::{Var, op::Op},
};

/// One iteration's kept results: ∂total/∂x (and ∂total/∂labels), total, objective, norm ratio.
fn iteration(device: &dyn Device, problem: &Problem, keep: &[Var]) -> Vec<Vec<f64>> {
    let tape = &problem.tape;
    let plan = Plan::new(tape, keep, &[]);
    let mut executable = device.compile(&plan).unwrap();
    let rng = &mut rng(1);
    for var in (0..tape.nodes().len()).map(Var::from_index).filter(|&v| tape.node(v).op == Op::Input) {
        let values = random(rng, tape.len_of(var));
        let of_var = problem.parameters.iter().find(|parameter| parameter.stored == var);
        let variance = of_var.is_some_and(|p| p.declaration.name.ends_with("running_var"));
        let value = |v: &f32| match () {
            _ if var == problem.x => *v,
            _ if variance => 1.0 + 0.5 * v,
            _ => 0.2 * v,
        };
        executable.write(var, &values.iter().map(value).collect::<Vec<_>>()).unwrap();
    }
    executable.run(2).unwrap();
    keep.iter().map(|&v| executable.read(v).unwrap().into_iter().map(f64::from).collect()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The GPU's `f32` and the CPU's take the same roundings in another order, so they are about as far from `f64`.
#[test]
fn attack_iterations_are_as_accurate_as_on_the_cpu() {
    for (victim, preset) in
        [("lenet-zhu", "ig"), ("lenet-zhu", "dlg"), ("convnet4", "ig"), ("convnet4", "dlg")]
    {
        let config = AttackConfig::preset(preset, depth(victim)).unwrap();
        let joint_labels = config.labels == LabelStrategy::Joint;
        let problem = crate::scene::problem(victim, &config, Sizes::one_target(2, 2, joint_labels));
        let mut keep = problem.gradients.clone();
        keep.extend([problem.total, problem.objective, problem.norm_ratio]);
        let exact = iteration(&Cpu::<f64>::new(), &problem, &keep);
        let on_cpu = iteration(&Cpu::<f32>::new(), &problem, &keep);
        for checked in [false, true] {
            let on_gpu = iteration(gpu(checked), &problem, &keep);
            for ((exact, on_cpu), on_gpu) in exact.iter().zip(&on_cpu).zip(&on_gpu) {
                let norm = distance(exact, &vec![0.0; exact.len()]);
                let rounding = f64::from(f32::EPSILON) * norm;
                let [error, reference] = [on_gpu, on_cpu].map(|found| distance(found, exact));
                assert!(
                    error <= 8.0 * (reference + 2.0 * rounding),
                    "{victim}, {preset}: off by {error:e} of {norm:e}, the CPU by {reference:e}"
                );
            }
        }
    }
}
