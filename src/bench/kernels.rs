//! Each kernel at the shapes of real attacks, against the device's peaks.
//!
//! What memory holds up is measured on tensors larger than the caches, so that a share of the memory's peak is one.

use std::collections::HashMap;

use serde::Serialize;

use super::{BenchError, Peaks, Spread, sample};
use crate::{
    device::Device,
    plan::{
        Plan,
        kernel::{
            ConvKernel, Instr, Kernel, Leaf, MapKernel, MapReduceKernel, MatmulKernel, MatrixView, Program,
            Source, Step, View, WindowKernel,
        },
    },
    tape::{
        Var,
        op::{Binary, Reduce, Unary},
        spec::{ConvSpec, WindowSpec},
    },
};

/// Elements of a tensor larger than the caches: 64 MiB.
const LARGE: usize = 16 << 20;
/// The side of a square one.
const SIDE: usize = 4096;

/// One kernel with its operands.
pub struct Case {
    pub shape: String,
    kernel: Kernel,
    /// Elements of each operand.
    reads: Vec<usize>,
    written: usize,
}

/// What holds a kernel up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    Arithmetic,
    Memory,
}

/// What a kernel came to.
#[derive(Clone, Debug, Serialize)]
pub struct KernelMeasured {
    /// As its files are called.
    pub kernel: &'static str,
    pub shape: String,
    pub seconds: Spread,
    /// Floating-point operations of the plain algorithm; a faster one may do with less, and exceed the peak.
    pub flops: u64,
    /// Bytes of its operands and result, each counted once.
    pub bytes: u64,
    pub flops_per_second: f64,
    pub bytes_per_second: f64,
    /// The peak that it would run into first.
    pub bound: Bound,
    /// Of that peak; 1 is all of it.
    pub share: f64,
}

impl Case {
    fn step(&self) -> Step {
        let reads = self.reads.len();
        Step { kernel: self.kernel.clone(), reads: (0..reads).collect(), write: reads }
    }

    /// As the kernel's files are called.
    pub fn name(&self) -> &'static str {
        self.step().name()
    }

    pub fn measure(
        &self,
        device: &dyn Device,
        peaks: &Peaks,
        seconds: f64,
    ) -> Result<KernelMeasured, BenchError> {
        let step = self.step();
        let (flops, bytes) = (step.flops(), step.bytes());
        let mut buffers = [&self.reads[..], &[self.written]].concat();
        // An element to wait on: the result is large.
        let wait = Var::from_index(buffers.len());
        buffers.push(1);
        let bound: HashMap<Var, (usize, usize)> =
            buffers.iter().enumerate().map(|(id, &len)| (Var::from_index(id), (id, len))).collect();
        let plan = Plan { steps: vec![step], buffers, bound, ..Plan::default() };
        let mut executable = device.compile(&plan)?;
        for (id, &len) in self.reads.iter().enumerate() {
            let values: Vec<f32> = (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
            executable.write(Var::from_index(id), &values)?;
        }
        let spread = sample(seconds, |replays| -> Result<(), BenchError> {
            executable.run(replays)?;
            executable.read(wait)?;
            Ok(())
        })?;
        let at_best = [flops as f64 / peaks.flops_per_second, bytes as f64 / peaks.bytes_per_second];
        let bound = if at_best[0] > at_best[1] { Bound::Arithmetic } else { Bound::Memory };
        Ok(KernelMeasured {
            kernel: self.name(),
            shape: self.shape.clone(),
            flops,
            bytes,
            flops_per_second: flops as f64 / spread.median,
            bytes_per_second: bytes as f64 / spread.median,
            bound,
            share: at_best[0].max(at_best[1]) / spread.median,
            seconds: spread,
        })
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = matmuls();
    cases.extend(convolutions());
    cases.extend(maps());
    cases.extend(windows());
    cases
}

fn matmuls() -> Vec<Case> {
    let case = |[trials, m, k, n]: [usize; 4]| {
        let a = MatrixView { offset: 0, trial: m * k, row: k, col: 1 };
        let b = MatrixView { offset: 0, trial: k * n, row: n, col: 1 };
        Case {
            shape: format!("T={trials} {m}×{k}×{n}"),
            kernel: Kernel::Matmul(MatmulKernel { trials, m, n, k, a, b }),
            reads: vec![trials * m * k, trials * k * n],
            written: trials * m * n,
        }
    };
    [[1, 1024, 1024, 1024], [64, 12, 300, 256], [1, 1, 3072, 1024]].map(case).into()
}

/// Of ConvNet64, ResNet-18, ResNet-20 and LeNet-Zhu.
fn convolutions() -> Vec<Case> {
    let shapes = [
        [1, 1, 256, 256, 32, 3, 1],
        [1, 4, 64, 64, 32, 3, 1],
        [1, 4, 256, 512, 8, 3, 2],
        [16, 1, 16, 16, 32, 3, 1],
        [64, 1, 12, 12, 16, 5, 2],
    ];
    let specs = shapes.map(|[trials, batch, channels, outputs, size, kernel, stride]| {
        let spec = ConvSpec {
            batch,
            channels,
            outputs,
            size: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let shape =
            format!("T={trials} B={batch} {channels}→{outputs} {kernel}×{kernel}/{stride} on {size}×{size}");
        (shape, trials, spec)
    });
    let mut cases = vec![];
    for (shape, trials, spec) in specs {
        // The weights are all trials' in the forward pass; each has a gradient of its own.
        let shared = ConvKernel { spec, trials, shared: [false, true] };
        let own = ConvKernel { shared: [false; 2], ..shared };
        let (x, w, g) = (trials * spec.input_len(), spec.weight_len(), trials * spec.output_len());
        let kernels = [
            (Kernel::Conv2d(shared), vec![x, w], g),
            (Kernel::Conv2dGradInput(shared), vec![g, w], x),
            (Kernel::Conv2dGradWeight(own), vec![x, g], trials * w),
        ];
        cases.extend(kernels.map(|(kernel, reads, written)| Case {
            shape: shape.clone(),
            kernel,
            reads,
            written,
        }));
    }
    cases
}

fn maps() -> Vec<Case> {
    let leaf = |read, view| Leaf { source: Source::Read(read), view };
    // a·b + c, then perhaps a function of it.
    let fused = |function: Option<Unary>| {
        let mut code = vec![
            Instr::Load(0),
            Instr::Load(1),
            Instr::Load(2),
            Instr::Binary(Binary::Mul, 0, 1),
            Instr::Binary(Binary::Add, 3, 2),
        ];
        code.extend(function.map(|function| Instr::Unary(function, 4)));
        Program { leaves: (0..3).map(|read| leaf(read, View::contiguous(&[LARGE]))).collect(), code }
    };
    let square = |view| Program {
        leaves: vec![leaf(0, view)],
        code: vec![Instr::Load(0), Instr::Binary(Binary::Mul, 0, 0)],
    };
    let (dims, plain) = (vec![SIDE; 2], View::contiguous(&[SIDE; 2]));
    let transposed = View { strides: vec![1, SIDE as isize], ..plain.clone() };
    let map = |shape: &str, dims: &[usize], program: Program| Case {
        shape: format!("{shape}, {LARGE} elements"),
        reads: vec![LARGE; program.leaves.len()],
        kernel: Kernel::Map(MapKernel { dims: dims.to_vec(), program }),
        written: LARGE,
    };
    let sum = |shape: &str, dims: &[usize], outer: usize, program: Program| Case {
        shape: format!("{shape}, {LARGE} elements"),
        reads: vec![LARGE; program.leaves.len()],
        kernel: Kernel::MapReduce(MapReduceKernel {
            dims: dims.to_vec(),
            outer,
            reduce: Reduce::Sum,
            program,
        }),
        written: dims[..outer].iter().product(),
    };
    vec![
        map("a·b+c", &[LARGE], fused(None)),
        map("σ(a·b+c)", &[LARGE], fused(Some(Unary::Sigmoid))),
        map("transposed a²", &dims, square(transposed.clone())),
        sum("Σ a·b+c", &[LARGE], 0, fused(None)),
        sum("Σ a² along rows", &dims, 1, square(plain)),
        sum("Σ a² along columns", &dims, 1, square(transposed)),
    ]
}

fn windows() -> Vec<Case> {
    let (side, kernel, stride) = (32, 2, 2);
    let spec = WindowSpec { size: [side; 2], kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2] };
    let planes = LARGE / (side * side);
    let window = WindowKernel { spec, planes };
    let output = planes * spec.output_size().iter().product::<usize>();
    let kernels = [
        (Kernel::WindowArgmax(window), vec![LARGE], output),
        (Kernel::WindowGather(window), vec![LARGE, output], output),
        (Kernel::WindowScatter(window), vec![output, output], LARGE),
        (Kernel::WindowSum(window), vec![LARGE], output),
        (Kernel::WindowSpread(window), vec![output], LARGE),
    ];
    let shape = format!("{kernel}×{kernel}/{stride} on {planes} planes of {side}×{side}");
    kernels.map(|(kernel, reads, written)| Case { shape: shape.clone(), kernel, reads, written }).into()
}
