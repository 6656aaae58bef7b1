//! The devices that results are compared on, behind one interface in `f64`.

// Each test binary takes what it needs.
#![allow(dead_code)]

use std::sync::OnceLock;

use gia_gpu::{
    device::{
        Device,
        cpu::Cpu,
        gpu::{Gpu, GpuOptions},
    },
    plan::Plan,
    tape::{Tape, Var},
};

/// A device, and how far its results may be from the reference, ‖a − b‖ / ‖b‖ of each tensor.
pub(crate) struct Target {
    pub name: &'static str,
    pub tolerance: f64,
    /// `None` for the CPU device in `f64`, which takes and gives more digits than [`Device`] does.
    device: Option<Box<dyn Device>>,
}

/// Every device that the tests run on, opened once.
pub(crate) fn targets() -> &'static [Target] {
    static TARGETS: OnceLock<Vec<Target>> = OnceLock::new();
    TARGETS.get_or_init(|| {
        let gpu = Gpu::new(GpuOptions { allow_software: true, checked: true, ..GpuOptions::default() })
            .unwrap_or_else(|error| {
                panic!("{error}\nGPU tests need a Vulkan driver: run `make test`, which installs lavapipe")
            });
        vec![
            Target { name: "cpu f64", tolerance: 1e-12, device: None },
            Target { name: "cpu f32", tolerance: 1e-5, device: Some(Box::new(Cpu::<f32>::new())) },
            Target { name: "gpu", tolerance: 1e-4, device: Some(Box::new(gpu)) },
        ]
    })
}

impl Target {
    /// Values of `keep` after one run, given values of inputs.
    pub(crate) fn evaluate(&self, tape: &Tape, keep: &[Var], inputs: &[(Var, Vec<f64>)]) -> Vec<Vec<f64>> {
        let plan = Plan::new(tape, keep, &[]);
        let Some(device) = &self.device else {
            let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
            inputs.iter().for_each(|(var, data)| exe.write_typed(*var, data).unwrap());
            exe.run(1).unwrap();
            return keep.iter().map(|&v| exe.read_typed(v).unwrap()).collect();
        };
        let mut exe = device.compile(&plan).unwrap();
        for (var, data) in inputs {
            let single: Vec<f32> = data.iter().map(|&v| v as f32).collect();
            exe.write(*var, &single).unwrap();
        }
        exe.run(1).unwrap();
        let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        keep.iter().map(|&v| widen(exe.read(v).unwrap())).collect()
    }

    /// The device itself; `None` for `f64`.
    pub(crate) fn device(&self) -> Option<&dyn Device> {
        self.device.as_deref()
    }

    /// Asserts ‖found − expected‖ ≤ tolerance · ‖expected‖.
    pub(crate) fn assert_close(&self, what: &str, found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{what} on {}", self.name);
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let error = norm(&mut found.iter().zip(expected).map(|(f, e)| f - e));
        let bound = self.tolerance * norm(&mut expected.iter().copied());
        assert!(error <= bound, "{what} on {}: off by {error:e}, more than {bound:e}", self.name);
    }
}
