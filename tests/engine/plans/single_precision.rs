//! Random graphs on the devices that users have, which compute in `f32`.

use gia_gpu::{
    device::{
        Device,
        cpu::Cpu,
        gpu::{Gpu, GpuOptions},
    },
    plan::Plan,
};

use super::{
    interpreter::evaluate,
    random_graph::{Graph, graph},
};

/// Largest error allowed, relative to the largest element of the tensor or to 1: some 500 roundings.
const TOLERANCE: f64 = 3e-5;

fn check(seed: u64, device: &dyn Device) {
    let Graph { tape, inputs, keep, updates } = graph(seed);
    let values = evaluate(&tape, &inputs.iter().cloned().collect());
    let mut exe = device.compile(&Plan::new(&tape, &keep, &updates)).unwrap();
    for (var, data) in &inputs {
        let single: Vec<f32> = data.iter().map(|&v| v as f32).collect();
        exe.write(*var, &single).unwrap();
    }
    exe.run(1).unwrap();
    let states = updates.iter().copied();
    let outputs = keep.iter().filter(|k| updates.iter().all(|(s, _)| s != *k)).map(|&k| (k, k));
    for (held, value) in states.chain(outputs) {
        let (found, expected) = (exe.read(held).unwrap(), &values[value.index()]);
        let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        assert_eq!(found.len(), expected.len());
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*f) - e).abs();
            assert!(error <= TOLERANCE * scale, "seed {seed}, {held:?}, element {i}: {f} for {e}");
        }
    }
}

#[test]
fn random_graphs_compute_in_f32_on_the_cpu_what_their_tape_says() {
    (0..200).for_each(|seed| check(seed, &Cpu::<f32>::new()));
}

#[test]
fn random_graphs_compute_in_f32_on_the_gpu_what_their_tape_says() {
    let gpu = Gpu::new(GpuOptions { allow_software: true, checked: true, ..GpuOptions::default() })
        .unwrap_or_else(|error| {
            panic!("{error}\nGPU tests need a Vulkan driver: run `make test`, which installs lavapipe")
        });
    (0..25).for_each(|seed| check(seed, &gpu));
}
