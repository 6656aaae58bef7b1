//! Speed of the CPU device's kernels, in f32, at the sizes of real attacks: arithmetic throughput of the
//! contractions (elements are multiply-adds) and memory traffic of a fused map.
//!
//! Set `RAYON_NUM_THREADS=1` for one thread.

use std::collections::HashMap;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable},
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

/// A compiled plan of one step over the given buffers, filled with numbers.
fn executable(kernel: Kernel, reads: &[usize], written: usize) -> CpuExecutable<f32> {
    let buffers: Vec<usize> = reads.iter().copied().chain([written]).collect();
    let bound: HashMap<Var, (usize, usize)> =
        buffers.iter().enumerate().map(|(i, &len)| (Var::from_index(i), (i, len))).collect();
    let step = Step { kernel, reads: (0..reads.len()).collect(), write: reads.len() };
    let plan = Plan { steps: vec![step], buffers, bound, ..Plan::default() };
    let mut executable = Cpu::new().compile_typed(&plan).expect("the plan is sound");
    for (i, &len) in reads.iter().enumerate() {
        let values: Vec<f32> = (0..len).map(|j| (j * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
        executable.write_typed(Var::from_index(i), &values).expect("the lengths agree");
    }
    executable
}

fn measure(c: &mut Criterion, group: &str, name: &str, throughput: Throughput, mut run: CpuExecutable<f32>) {
    let mut group = c.benchmark_group(group);
    group.throughput(throughput);
    group.bench_function(name, |bencher| bencher.iter(|| run.run(1).expect("the plan runs")));
}

fn matmuls(c: &mut Criterion) {
    for [trials, m, k, n] in [
        [1, 256, 2304, 1024],
        [1, 256, 1152, 1024],
        [1, 128, 576, 1024],
        [1, 512, 4608, 16],
        [1, 12, 300, 64],
        [1, 12, 300, 256],
        [64, 1, 768, 100],
        [12, 50, 64, 50],
        [1, 1, 3072, 1024],
    ] {
        let a = MatrixView { offset: 0, trial: m * k, row: k, col: 1 };
        let b = MatrixView { offset: 0, trial: k * n, row: n, col: 1 };
        let kernel = Kernel::Matmul(MatmulKernel { trials, m, n, k, a, b });
        let work = Throughput::Elements((trials * m * n * k) as u64);
        let executable = executable(kernel, &[trials * m * k, trials * k * n], trials * m * n);
        measure(c, "matmul", &format!("{trials}x{m}x{k}x{n}"), work, executable);
    }
}

fn convolutions(c: &mut Criterion) {
    // Trials, batch, channels, outputs, size, kernel, stride, padding.
    for [trials, batch, channels, outputs, size, kernel, stride, padding] in [
        [1, 1, 256, 256, 32, 3, 1, 1],
        [1, 1, 128, 256, 32, 3, 1, 1],
        [1, 1, 64, 128, 32, 3, 1, 1],
        [1, 4, 128, 256, 32, 3, 1, 1],
        [1, 1, 512, 512, 4, 3, 1, 1],
        [1, 8, 64, 64, 32, 3, 1, 1],
        [1, 1, 3, 12, 32, 5, 2, 2],
        [1, 1, 12, 12, 16, 5, 2, 2],
        [1, 1, 12, 12, 8, 5, 1, 2],
        [1, 8, 12, 12, 8, 5, 1, 2],
        [64, 1, 12, 12, 8, 5, 1, 2],
    ] {
        let spec = ConvSpec {
            batch,
            channels,
            outputs,
            size: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let shared = ConvKernel { spec, trials, shared: [false, true] };
        let [x, g] = [spec.input_len(), spec.output_len()].map(|len| trials * len);
        let w = spec.weight_len();
        let name = format!("{trials}x{batch} {channels}→{outputs} {kernel}×{kernel}/{stride} {size}²");
        let work = || Throughput::Elements(trials as u64 * spec.flops() / 2);
        measure(c, "conv2d", &name, work(), executable(Kernel::Conv2d(shared), &[x, w], g));
        let grad_input = executable(Kernel::Conv2dGradInput(shared), &[g, w], x);
        measure(c, "conv2d_grad_input", &name, work(), grad_input);
        let own = ConvKernel { shared: [false; 2], ..shared };
        let grad_weight = executable(Kernel::Conv2dGradWeight(own), &[x, g], trials * w);
        measure(c, "conv2d_grad_weight", &name, work(), grad_weight);
    }
}

/// `a·b + c`, then perhaps a function of it.
fn program(dims: &[usize], function: Option<Unary>) -> Program {
    let leaf = |read| Leaf { source: Source::Read(read), view: View::contiguous(dims) };
    let mut code = vec![
        Instr::Load(0),
        Instr::Load(1),
        Instr::Load(2),
        Instr::Binary(Binary::Mul, 0, 1),
        Instr::Binary(Binary::Add, 3, 2),
    ];
    code.extend(function.map(|function| Instr::Unary(function, 4)));
    Program { leaves: vec![leaf(0), leaf(1), leaf(2)], code }
}

fn maps(c: &mut Criterion) {
    for n in [3072, 262_144, 8 << 20] {
        for function in [None, Some(Unary::Exp), Some(Unary::Tanh), Some(Unary::Sigmoid), Some(Unary::Erf)] {
            let name = format!("a·b+c {} {n}", function.map_or(String::new(), |f| format!("{f:?}")));
            let bytes = Throughput::Bytes(16 * n as u64);
            let kernel = Kernel::Map(MapKernel { dims: vec![n], program: program(&[n], function) });
            measure(c, "map", &name, bytes, executable(kernel, &[n; 3], n));
        }
        let kernel =
            MapReduceKernel { dims: vec![n], outer: 0, reduce: Reduce::Sum, program: program(&[n], None) };
        let bytes = Throughput::Bytes(12 * n as u64);
        measure(
            c,
            "map_reduce",
            &format!("Σ a·b+c {n}"),
            bytes,
            executable(Kernel::MapReduce(kernel), &[n; 3], 1),
        );
    }
}

/// Reductions down columns and over short rows, and a transposed read.
fn layouts(c: &mut Criterion) {
    for (rows, cols) in [(64, 3072), (1024, 1024), (100_000, 10)] {
        let n = rows * cols;
        let transposed =
            |dims: &[usize]| View { strides: vec![1, dims[0] as isize], ..View::contiguous(dims) };
        let square = |view: View| Program {
            leaves: vec![Leaf { source: Source::Read(0), view }],
            code: vec![Instr::Load(0), Instr::Binary(Binary::Mul, 0, 0)],
        };
        let bytes = || Throughput::Bytes(4 * n as u64);
        let sum = |dims: Vec<usize>, view| MapReduceKernel {
            outer: 1,
            reduce: Reduce::Sum,
            program: square(view),
            dims,
        };
        let kernel = sum(vec![cols, rows], transposed(&[cols, rows]));
        let run = executable(Kernel::MapReduce(kernel), &[n], cols);
        measure(c, "map_reduce", &format!("columns of {rows}×{cols}"), bytes(), run);
        let kernel = sum(vec![rows, cols], View::contiguous(&[rows, cols]));
        let run = executable(Kernel::MapReduce(kernel), &[n], rows);
        measure(c, "map_reduce", &format!("rows of {rows}×{cols}"), bytes(), run);
        let dims = vec![rows, cols];
        let kernel = MapKernel { program: square(transposed(&dims)), dims };
        let bytes = Throughput::Bytes(8 * n as u64);
        measure(
            c,
            "map",
            &format!("transpose {rows}×{cols}"),
            bytes,
            executable(Kernel::Map(kernel), &[n], n),
        );
    }
}

fn windows(c: &mut Criterion) {
    for (size, kernel, stride, padding) in [(32, 2, 2, 0), (32, 3, 2, 1), (8, 8, 8, 0)] {
        let spec =
            WindowSpec { size: [size; 2], kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] };
        let window = WindowKernel { spec, planes: 64 };
        let [oh, ow] = spec.output_size();
        let (input, output) = (64 * size * size, 64 * oh * ow);
        let bytes = || Throughput::Bytes(4 * (input + output) as u64);
        let name = format!("64 planes {size}² {kernel}×{kernel}/{stride}");
        for (group, kernel, reads, written) in [
            ("window_argmax", Kernel::WindowArgmax(window), vec![input], output),
            ("window_gather", Kernel::WindowGather(window), vec![input, output], output),
            ("window_scatter", Kernel::WindowScatter(window), vec![output, output], input),
            ("window_sum", Kernel::WindowSum(window), vec![input], output),
            ("window_spread", Kernel::WindowSpread(window), vec![output], input),
        ] {
            measure(c, group, &name, bytes(), executable(kernel, &reads, written));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(std::time::Duration::from_millis(200)).measurement_time(std::time::Duration::from_secs(1)).sample_size(20);
    targets = matmuls, convolutions, maps, layouts, windows
}
criterion_main!(benches);
