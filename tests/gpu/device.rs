//! The GPU device as a place that runs plans: replay, state, reading and writing, and its errors.

use std::{collections::HashMap, sync::Arc};

use crate::step_cases::{gpu, random, rng, shapes};
use gia_gpu::{
    device::{
        Device, DeviceError,
        gpu::{Gpu, GpuOptions},
    },
    plan::{
        Plan,
        kernel::{Instr, Kernel, Leaf, MapKernel, Program, Source, Step, View},
    },
    tape::{Var, op::Binary},
};

fn var(index: usize) -> Var {
    Var::from_index(index)
}

/// `state ← state·factor + input`, then `copy ← state`; the factor is a literal.
fn recurrence(len: usize) -> Plan {
    let identity = View::contiguous(&[len]);
    let scalar = View { strides: vec![0], ..identity.clone() };
    let leaf = |source, view: &View| Leaf { source, view: view.clone() };
    let update = Program {
        leaves: vec![
            leaf(Source::Output, &identity),
            leaf(Source::Read(0), &scalar),
            leaf(Source::Read(1), &identity),
        ],
        code: vec![
            Instr::Load(0),
            Instr::Load(1),
            Instr::Load(2),
            Instr::Binary(Binary::Mul, 0, 1),
            Instr::Binary(Binary::Add, 3, 2),
        ],
    };
    let copy = Program { leaves: vec![leaf(Source::Read(0), &identity)], code: vec![Instr::Load(0)] };
    let map = |program| Kernel::Map(MapKernel { dims: vec![len], program });
    Plan {
        steps: vec![
            Step { kernel: map(update), reads: vec![0, 1], write: 2 },
            Step { kernel: map(copy), reads: vec![2], write: 3 },
        ],
        buffers: vec![1, len, len, len],
        literals: vec![(0, Arc::new(vec![0.5]))],
        bound: (1..4).map(|i| (var(i), (i, len))).collect(),
        ..Plan::default()
    }
}

#[test]
fn state_lives_on_the_device_through_many_replays() {
    let mut executable = gpu(false).compile(&recurrence(300)).unwrap();
    executable.write(var(1), &vec![1.0; 300]).unwrap();
    assert_eq!(executable.read(var(3)).unwrap(), vec![0.0; 300], "buffers start at zero");
    executable.run(1).unwrap();
    executable.run(2).unwrap();
    assert_eq!(executable.read(var(2)).unwrap(), vec![1.75; 300]);
    executable.run(0).unwrap();
    executable.run(1000).unwrap();
    assert_eq!(executable.read(var(3)).unwrap(), vec![2.0; 300]);
    executable.write(var(2), &vec![8.0; 300]).unwrap();
    executable.run(1).unwrap();
    assert_eq!(executable.read(var(3)).unwrap(), vec![5.0; 300]);
}

#[test]
fn equal_inputs_give_equal_bits() {
    for case in [shapes::matmul([1, 9, 7, 70_001], [false; 2], [false; 2]), shapes::scatter_add(3, 2, 70_001)]
    {
        let operands = case.operands(5);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let first = bits(case.run(gpu(false), &operands));
        for _ in 0..3 {
            assert_eq!(bits(case.run(gpu(false), &operands)), first);
        }
    }
}

#[test]
fn a_tensor_longer_than_the_staging_buffer_is_read_whole() {
    let len = (5 << 20) + 3;
    let plan = Plan { buffers: vec![len], bound: HashMap::from([(var(0), (0, len))]), ..Plan::default() };
    let mut executable = gpu(false).compile(&plan).unwrap();
    let values = random(&mut rng(0), len);
    executable.write(var(0), &values).unwrap();
    executable.run(3).unwrap();
    assert_eq!(executable.read(var(0)).unwrap(), values);
}

#[test]
fn unknown_variables_and_wrong_lengths_are_errors() {
    let mut executable = gpu(false).compile(&recurrence(3)).unwrap();
    assert!(matches!(executable.read(var(9)), Err(DeviceError::UnknownVar(v)) if v == var(9)));
    assert!(matches!(executable.write(var(0), &[1.0]), Err(DeviceError::UnknownVar(_))));
    let wrong = executable.write(var(1), &[1.0]);
    assert!(matches!(wrong, Err(DeviceError::WrongLength { expected: 3, found: 1, .. })), "{wrong:?}");
}

#[test]
fn a_buffer_beyond_the_limits_is_named_before_anything_is_allocated() {
    let mut plan = recurrence(3);
    plan.buffers[3] = 1 << 40;
    let Err(error) = gpu(false).compile(&plan) else { panic!("4 TiB fit") };
    assert!(matches!(&error, DeviceError::TooLarge { needed, .. } if *needed == 1 << 42), "{error}");
    assert!(error.to_string().contains("buffer 3 (written by step 1, map)"), "{error}");
}

#[test]
fn a_plan_that_reaches_beyond_its_buffers_is_an_error() {
    let mut short = recurrence(100);
    short.buffers[1] = 99;
    short.bound.remove(&var(1));
    let mut aliased = recurrence(3);
    aliased.steps[1].write = 2;
    let mut literal = recurrence(3);
    literal.literals[0].1 = Arc::new(vec![1.0; 2]);
    for plan in [short, aliased, literal] {
        assert!(matches!(gpu(false).compile(&plan), Err(DeviceError::Failed(_))));
    }
}

#[test]
fn a_software_driver_is_taken_only_when_asked_for() {
    match Gpu::new(GpuOptions::default()) {
        Ok(gpu) => assert!(!gpu.info().software),
        Err(error) => assert!(matches!(&error, DeviceError::NoAdapter(_)), "{error}"),
    }
    assert!(Gpu::adapters().contains(&gpu(false).info()));
}
