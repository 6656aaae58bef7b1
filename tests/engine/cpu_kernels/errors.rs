//! What a caller can do wrong, and plans that cannot be run.

use std::sync::Arc;

use gia_gpu::{
    device::{
        Device, DeviceError,
        cpu::{Cpu, Isa},
    },
    plan::{
        Plan,
        kernel::{GatherKernel, Instr, Kernel, Leaf, MapKernel, Program, Source, View},
    },
    tape::Var,
};

use super::support::{at_every_level, plan};

fn negate(view: View, n: usize) -> Kernel {
    let leaves = vec![Leaf { source: Source::Read(0), view }];
    let code = vec![Instr::Load(0), Instr::Unary(gia_gpu::tape::op::Unary::Neg, 0)];
    Kernel::Map(MapKernel { dims: vec![n], program: Program { leaves, code } })
}

fn compile_error(isa: Isa, plan: &Plan) -> DeviceError {
    match Cpu::<f32>::new().with_isa(isa).compile_typed(plan) {
        Ok(_) => panic!("the plan compiled"),
        Err(error) => error,
    }
}

fn assert_refused(plan: &Plan) {
    at_every_level(|isa| assert!(matches!(compile_error(isa, plan), DeviceError::Failed(_))));
}

#[test]
fn wrong_lengths_and_unknown_variables_are_errors_that_say_so() {
    let plan = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    at_every_level(|isa| {
        let mut executable = Cpu::<f32>::new().with_isa(isa).compile(&plan).expect("the plan is sound");
        assert!(matches!(
            executable.write(Var::from_index(0), &[1.0; 3]),
            Err(DeviceError::WrongLength { expected: 4, found: 3, .. })
        ));
        assert!(matches!(executable.write(Var::from_index(9), &[]), Err(DeviceError::UnknownVar(_))));
        assert!(matches!(executable.read(Var::from_index(9)), Err(DeviceError::UnknownVar(_))));
        executable.write(Var::from_index(0), &[1.0, -2.0, f32::INFINITY, 0.5]).expect("the length agrees");
        executable.run(1).expect("values that are not finite are carried");
        assert_eq!(
            executable.read(Var::from_index(1)).expect("the output is bound"),
            [-1.0, 2.0, f32::NEG_INFINITY, -0.5]
        );
    });
}

#[test]
fn plans_that_reach_outside_their_buffers_are_refused() {
    let beyond = View { offset: 1, ..View::contiguous(&[4]) };
    let before = View { offset: -1, ..View::contiguous(&[4]) };
    for view in [beyond, before] {
        assert_refused(&plan(negate(view, 4), &[4], 4));
    }
    assert_refused(&plan(negate(View::contiguous(&[4]), 4), &[4], 3));
    let gather = Kernel::Gather(GatherKernel { rows: 2, width: 3, count: 4 });
    assert_refused(&plan(gather.clone(), &[6], 12));
    let mut aliased = plan(gather, &[12, 4], 12);
    aliased.steps[0].write = 0;
    assert_refused(&aliased);
    let mut literal = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    literal.literals.push((0, Arc::new(vec![0.0; 5])));
    assert_refused(&literal);
}

#[test]
fn a_plan_larger_than_memory_is_refused_before_anything_is_allocated() {
    let mut plan = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    plan.buffers.push(1 << 60);
    at_every_level(|isa| {
        let error = compile_error(isa, &plan);
        assert!(matches!(error, DeviceError::TooLarge { .. }), "{error}");
    });
}

#[test]
fn literals_are_there_and_inputs_are_zero_before_they_are_written() {
    let without = plan(negate(View::contiguous(&[2]), 2), &[2], 2);
    let mut with = without.clone();
    with.literals.push((0, Arc::new(vec![3.0, -4.0])));
    at_every_level(|isa| {
        for (plan, iterations, expected) in [(&without, 1, [0.0; 2]), (&with, 3, [-3.0, 4.0])] {
            let cpu = Cpu::<f64>::new().with_isa(isa);
            let mut executable = cpu.compile_typed(plan).expect("the plan is sound");
            executable.run(iterations).expect("the plan runs");
            assert_eq!(executable.read_typed(Var::from_index(1)).expect("the output is bound"), expected);
        }
    });
}

#[test]
fn the_device_says_what_it_is_and_with_which_instructions_it_computes() {
    at_every_level(|isa| {
        let info = Cpu::<f32>::new().with_isa(isa).info();
        assert_eq!((info.kind.as_str(), info.backend.as_str(), info.software), ("cpu", "native", false));
        assert_eq!(info.isa.as_deref(), Some(isa.name()));
        assert!(!info.name.is_empty());
    });
}
