//! The same bits from any number of threads, at every level.

use gia_gpu::{
    device::cpu::{Cpu, Number},
    plan::kernel::{
        ConvKernel, GatherKernel, Instr, Kernel, Leaf, MapKernel, MapReduceKernel, MatmulKernel, MatrixView,
        Program, Source, View, WindowKernel,
    },
    tape::{
        Var,
        op::{Binary, Reduce, Unary},
        spec::{ConvSpec, WindowSpec},
    },
};

use super::support::{Random, at_every_level, plan};

fn product(dims: &[usize], transposed: bool) -> Program {
    let mut view = View::contiguous(dims);
    if transposed {
        view.strides = vec![1, dims[0] as isize];
    }
    let leaf = |read| Leaf { source: Source::Read(read), view: view.clone() };
    let code =
        vec![Instr::Load(0), Instr::Load(1), Instr::Unary(Unary::Tanh, 1), Instr::Binary(Binary::Mul, 0, 2)];
    Program { leaves: vec![leaf(0), leaf(1)], code }
}

/// Kernels that are large enough to be spread over threads, with their operands' and result's lengths.
fn large_kernels() -> Vec<(Kernel, Vec<usize>, usize)> {
    let mut kernels = Vec::new();
    let dims = vec![300, 1001];
    let len = 300 * 1001;
    let map = MapKernel { dims: dims.clone(), program: product(&dims, false) };
    kernels.push((Kernel::Map(map), vec![len; 2], len));
    for outer in 0..2 {
        for transposed in [false, true] {
            let program = product(&dims, transposed);
            let kernel = MapReduceKernel { dims: dims.clone(), outer, reduce: Reduce::Sum, program };
            kernels.push((Kernel::MapReduce(kernel), vec![len; 2], if outer == 0 { 1 } else { 300 }));
        }
    }
    for [trials, m, n, k] in [[1, 200, 190, 310], [3, 70, 80, 90], [1, 8, 900, 300]] {
        let a = MatrixView { offset: 0, trial: m * k, row: k, col: 1 };
        let b = MatrixView { offset: 0, trial: k * n, row: n, col: 1 };
        let kernel = MatmulKernel { trials, m, n, k, a, b };
        kernels.push((Kernel::Matmul(kernel), vec![trials * m * k, trials * k * n], trials * m * n));
    }
    for (batch, trials, groups) in [(1, 1, 1), (3, 2, 1), (1, 1, 2)] {
        let spec = ConvSpec {
            batch,
            channels: 18,
            outputs: 26,
            size: [15, 17],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups,
        };
        let kernel = ConvKernel { spec, trials, shared: [false, true] };
        let [x, g] = [spec.input_len(), spec.output_len()].map(|len| trials * len);
        let w = spec.weight_len();
        kernels.push((Kernel::Conv2d(kernel), vec![x, w], g));
        kernels.push((Kernel::Conv2dGradInput(kernel), vec![g, w], x));
        let unshared = ConvKernel { shared: [false; 2], ..kernel };
        kernels.push((Kernel::Conv2dGradWeight(unshared), vec![x, g], trials * w));
    }
    let spec = WindowSpec { size: [40, 41], kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let window = WindowKernel { spec, planes: 64 };
    let (input, output) = (64 * 40 * 41, 64 * 20 * 21);
    kernels.push((Kernel::WindowArgmax(window), vec![input], output));
    kernels.push((Kernel::WindowGather(window), vec![input, output], output));
    kernels.push((Kernel::WindowScatter(window), vec![output, output], input));
    kernels.push((Kernel::WindowSum(window), vec![input], output));
    kernels.push((Kernel::WindowSpread(window), vec![output], input));
    let gather = GatherKernel { rows: 50, width: 64, count: 3000 };
    kernels.push((Kernel::Gather(gather), vec![50 * 64, 3000], 3000 * 64));
    kernels.push((Kernel::ScatterAdd(gather), vec![3000 * 64, 3000], 50 * 64));
    kernels
}

/// The bits of the kernel's result on so many threads.
fn bits_on<R: Number>(
    threads: usize,
    cpu: Cpu<R>,
    kernel: &Kernel,
    inputs: &[Vec<f64>],
    written: usize,
) -> Vec<u64> {
    let lens: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let plan = plan(kernel.clone(), &lens, written);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let mut executable = cpu.compile_typed(&plan).expect("the plan is sound");
        for (i, input) in inputs.iter().enumerate() {
            let typed: Vec<R> = input.iter().map(|&v| R::of(v)).collect();
            executable.write_typed(Var::from_index(i), &typed).expect("the lengths agree");
        }
        executable.run(2).expect("the plan runs");
        let out = executable.read_typed(Var::from_index(inputs.len())).expect("the output is bound");
        out.into_iter().map(|v| v.into_f64().to_bits()).collect()
    })
}

fn check<R: Number>(cpu: Cpu<R>, kernel: &Kernel, inputs: &[Vec<f64>], written: usize) {
    let one = bits_on(1, cpu, kernel, inputs, written);
    for threads in [2, 3, 5] {
        let many = bits_on(threads, cpu, kernel, inputs, written);
        assert!(one == many, "{cpu:?}, {kernel:?} on {threads} threads");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut random = Random::new(13);
    for (kernel, reads, written) in large_kernels() {
        // Second operands also serve as indices: scale them up to whole numbers in range.
        let indexed = matches!(
            kernel,
            Kernel::WindowGather(_) | Kernel::WindowScatter(_) | Kernel::Gather(_) | Kernel::ScatterAdd(_)
        );
        let inputs: Vec<Vec<f64>> = (reads.iter().enumerate())
            .map(|(i, &len)| {
                let values = random.values(len).into_iter();
                values.map(|v| if indexed && i == 1 { (v.abs() * 9.0).floor() } else { v }).collect()
            })
            .collect();
        at_every_level(|isa| {
            check(Cpu::<f32>::new().with_isa(isa), &kernel, &inputs, written);
            check(Cpu::<f64>::new().with_isa(isa), &kernel, &inputs, written);
        });
    }
}
