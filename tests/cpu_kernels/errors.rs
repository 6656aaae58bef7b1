//! What a caller can do wrong, and plans that cannot be run.

use std::sync::Arc;

use gia_gpu::{
    device::{Device, DeviceError, cpu::Cpu},
    plan::{
        Plan,
        kernel::{GatherKernel, Instr, Kernel, Leaf, MapKernel, Program, Source, View},
    },
    tape::Var,
};

use crate::support::plan;

fn negate(view: View, n: usize) -> Kernel {
    let leaves = vec![Leaf { source: Source::Read(0), view }];
    let code = vec![Instr::Load(0), Instr::Unary(gia_gpu::tape::op::Unary::Neg, 0)];
    Kernel::Map(MapKernel { dims: vec![n], program: Program { leaves, code } })
}

fn compile_error(plan: &Plan) -> DeviceError {
    match Cpu::<f32>::new().compile_typed(plan) {
        Ok(_) => panic!("the plan compiled"),
        Err(error) => error,
    }
}

#[test]
fn wrong_lengths_and_unknown_variables_are_errors_that_say_so() {
    let plan = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    let mut executable = Cpu::<f32>::new().compile(&plan).expect("the plan is sound");
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
}

#[test]
fn plans_that_reach_outside_their_buffers_are_refused() {
    let beyond = View { offset: 1, ..View::contiguous(&[4]) };
    let before = View { offset: -1, ..View::contiguous(&[4]) };
    for view in [beyond, before] {
        assert!(matches!(compile_error(&plan(negate(view, 4), &[4], 4)), DeviceError::Failed(_)));
    }
    assert!(matches!(
        compile_error(&plan(negate(View::contiguous(&[4]), 4), &[4], 3)),
        DeviceError::Failed(_)
    ));
    let gather = Kernel::Gather(GatherKernel { rows: 2, width: 3, count: 4 });
    assert!(matches!(compile_error(&plan(gather.clone(), &[6], 12)), DeviceError::Failed(_)));
    let mut aliased = plan(gather, &[12, 4], 12);
    aliased.steps[0].write = 0;
    assert!(matches!(compile_error(&aliased), DeviceError::Failed(_)));
    let mut literal = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    literal.literals.push((0, Arc::new(vec![0.0; 5])));
    assert!(matches!(compile_error(&literal), DeviceError::Failed(_)));
}

#[test]
fn a_plan_larger_than_memory_is_refused_before_anything_is_allocated() {
    let mut plan = plan(negate(View::contiguous(&[4]), 4), &[4], 4);
    plan.buffers.push(1 << 60);
    let error = compile_error(&plan);
    assert!(matches!(error, DeviceError::TooLarge { .. }), "{error}");
}

#[test]
fn literals_are_there_and_inputs_are_zero_before_they_are_written() {
    let mut plan = plan(negate(View::contiguous(&[2]), 2), &[2], 2);
    let mut executable = Cpu::<f64>::new().compile_typed(&plan).expect("the plan is sound");
    executable.run(1).expect("the plan runs");
    assert_eq!(executable.read_typed(Var::from_index(1)).expect("the output is bound"), [0.0; 2]);
    plan.literals.push((0, Arc::new(vec![3.0, -4.0])));
    let mut executable = Cpu::<f64>::new().compile_typed(&plan).expect("the plan is sound");
    executable.run(3).expect("the plan runs");
    assert_eq!(executable.read_typed(Var::from_index(1)).expect("the output is bound"), [-3.0, 4.0]);
}

#[test]
fn the_device_says_what_it_is() {
    let info = Cpu::<f32>::new().info();
    assert_eq!((info.kind.as_str(), info.backend.as_str(), info.software), ("cpu", "native", false));
    assert!(!info.name.is_empty());
}
