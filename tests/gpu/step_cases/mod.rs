//! Plans of one step with seeded random operands, and the devices they run on.

// Each test file uses its own part of this.
#![allow(dead_code)]

pub(crate) mod fused;
pub(crate) mod fuzz;
pub(crate) mod shapes;

use std::sync::OnceLock;

use gia_gpu::{
    device::{
        Device, DeviceError,
        cpu::Cpu,
        gpu::{Gpu, GpuOptions, Tuning},
    },
    plan::{Plan, kernel::Kernel},
    tape::Var,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Relative spacing of `f32` around 1, halved: the error of one rounding.
pub(crate) const EPSILON: f64 = f32::EPSILON as f64 / 2.0;

/// The GPU that tests run on, or lavapipe where there is none.
pub(crate) fn gpu(checked: bool) -> &'static Gpu {
    static GPUS: [OnceLock<Gpu>; 2] = [OnceLock::new(), OnceLock::new()];
    GPUS[usize::from(checked)].get_or_init(|| open(GpuOptions { checked, ..GpuOptions::default() }))
}

/// A GPU with these options, or a software driver where there is none. Tiles come from the fixed rule unless the
/// options say more: a test of many shapes is no place to time them.
pub(crate) fn open(options: GpuOptions) -> Gpu {
    let tuning = if options.tuning == Tuning::Measured { Tuning::Rule } else { options.tuning };
    Gpu::new(GpuOptions { allow_software: true, tuning, ..options }).unwrap_or_else(|error| {
        panic!("{error}\nGPU tests need a Vulkan driver: run `make test`, which installs lavapipe")
    })
}

/// One kernel and the operands that it is tried on.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub name: String,
    pub kernel: Kernel,
    pub reads: Vec<Operand>,
    /// Elements of the result.
    pub out: usize,
    /// Products or terms added up in one element of the result; 0 where it must be exact.
    pub depth: usize,
    /// The result is filled beforehand, for a map in place.
    pub in_place: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// Uniform in [−1, 1).
    Random(usize),
    /// Whole numbers in [−1, end]: both ends lie outside `[0, end)`.
    Index {
        len: usize,
        end: usize,
    },
    Values(Vec<f32>),
}

impl Operand {
    pub(crate) fn values(&self, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match *self {
            Operand::Random(len) => random(rng, len),
            Operand::Index { len, end } => {
                (0..len).map(|_| rng.random_range(0..end + 2) as f32 - 1.0).collect()
            }
            Operand::Values(ref values) => values.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match *self {
            Operand::Random(len) | Operand::Index { len, .. } => len,
            Operand::Values(ref values) => values.len(),
        }
    }
}

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(crate) fn random(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

impl Case {
    /// Operand `i` is `Var` i, the result the one after.
    pub(crate) fn plan(&self) -> Plan {
        let lens: Vec<_> = self.reads.iter().map(Operand::len).collect();
        Plan::of_kernel(self.kernel.clone(), &lens, self.out)
    }

    pub(crate) fn result(&self) -> Var {
        Var::from_index(self.reads.len())
    }

    /// What is written before the run: the operands, and the result's former content if it is used.
    pub(crate) fn operands(&self, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = rng(seed);
        let mut operands: Vec<_> = self.reads.iter().map(|operand| operand.values(&mut rng)).collect();
        if self.in_place {
            operands.push(random(&mut rng, self.out));
        }
        operands
    }

    /// The result on a device.
    pub(crate) fn run(&self, device: &dyn Device, operands: &[Vec<f32>]) -> Vec<f32> {
        self.try_run(device, operands).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The result of the CPU's kernel of the same name, in `f64`.
    pub(crate) fn twin(&self, operands: &[Vec<f32>]) -> Vec<f64> {
        let compute = || -> Result<Vec<f64>, DeviceError> {
            let mut executable = Cpu::<f64>::new().compile_typed(&self.plan())?;
            for (i, values) in operands.iter().enumerate() {
                let values: Vec<_> = values.iter().map(|&v| f64::from(v)).collect();
                executable.write_typed(Var::from_index(i), &values)?;
            }
            executable.run(1)?;
            executable.read_typed(self.result())
        };
        compute().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn try_run(&self, device: &dyn Device, operands: &[Vec<f32>]) -> Result<Vec<f32>, DeviceError> {
        let mut executable = device.compile(&self.plan())?;
        for (i, values) in operands.iter().enumerate() {
            executable.write(Var::from_index(i), values)?;
        }
        executable.run(1)?;
        executable.read(self.result())
    }
}

/// `Σ a·b`
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

pub(crate) fn magnitudes(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| v.abs()).collect()
}
