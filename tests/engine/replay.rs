//! Replaying a plan allocates nothing, on any thread, with any instruction set.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gia_gpu::{
    device::cpu::{Cpu, Isa, Way},
    plan::{
        Plan,
        kernel::{
            BufferId, ConvKernel, GatherKernel, Instr, Kernel, Leaf, MapKernel, MapReduceKernel,
            MatmulKernel, MatrixView, Program, Source, Step, View, WindowKernel,
        },
    },
    tape::{
        Var,
        op::{Binary, Reduce, Unary},
        spec::{ConvSpec, WindowSpec},
    },
};

use crate::alone::alone;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A plan under construction; every buffer holds a pattern of small numbers at first.
#[derive(Default)]
struct Builder {
    steps: Vec<Step>,
    buffers: Vec<usize>,
}

impl Builder {
    fn buffer(&mut self, len: usize) -> BufferId {
        self.buffers.push(len);
        self.buffers.len() - 1
    }

    fn step(&mut self, kernel: Kernel, reads: &[BufferId], len: usize) -> BufferId {
        let write = self.buffer(len);
        self.steps.push(Step { kernel, reads: reads.to_vec(), write });
        write
    }

    fn plan(self) -> Plan {
        let pattern = |len: usize| Arc::new((0..len).map(|i| (i % 7) as f64 * 0.125).collect());
        let literals = self.buffers.iter().map(|&len| pattern(len)).enumerate().collect();
        Plan { literals, ..Plan::by_hand(self.steps, self.buffers) }
    }
}

fn leaf(source: Source, dims: &[usize]) -> Leaf {
    Leaf { source, view: View::contiguous(dims) }
}

/// Every kernel, at a size that one thread runs and at a size that is spread over several.
fn every_kernel() -> Plan {
    let mut builder = Builder::default();
    for size in [6, 30] {
        let planes = 24;
        let spec = ConvSpec {
            batch: 1,
            channels: planes,
            outputs: planes,
            size: [size; 2],
            kernel: [3; 2],
            stride: [2; 2],
            padding: [1; 2],
            dilation: [1; 2],
            groups: 3,
        };
        let kernel = ConvKernel { spec, trials: 2, shared: [false, true] };
        let (x_len, g_len) = (2 * spec.input_len(), 2 * spec.output_len());
        let (x, w) = (builder.buffer(x_len), builder.buffer(spec.weight_len()));
        let g = builder.step(Kernel::Conv2d(kernel), &[x, w], g_len);
        builder.step(Kernel::Conv2dGradInput(kernel), &[g, w], x_len);
        let own = ConvKernel { shared: [false; 2], ..kernel };
        builder.step(Kernel::Conv2dGradWeight(own), &[x, g], 2 * spec.weight_len());

        let pool = WindowSpec { size: [size; 2], kernel: [3; 2], stride: [2; 2], padding: [1; 2] };
        let window = WindowKernel { spec: pool, planes: 2 * planes };
        let index = builder.step(Kernel::WindowArgmax(window), &[x], g_len);
        let best = builder.step(Kernel::WindowGather(window), &[x, index], g_len);
        builder.step(Kernel::WindowScatter(window), &[best, index], x_len);
        let sums = builder.step(Kernel::WindowSum(window), &[x], g_len);
        builder.step(Kernel::WindowSpread(window), &[sums], x_len);

        let rows = GatherKernel { rows: 7, width: x_len / 7, count: size };
        let indices = builder.buffer(size);
        let gathered = builder.step(Kernel::Gather(rows), &[x, indices], size * rows.width);
        builder.step(Kernel::ScatterAdd(rows), &[gathered, indices], 7 * rows.width);

        for (m, n) in [(planes, planes), (1, planes), (planes, 1)] {
            let k = 5 * planes;
            let a = MatrixView { offset: 0, trial: 0, row: k, col: 1 };
            let b = MatrixView { offset: 0, trial: 0, row: 1, col: k };
            let (left, right) = (builder.buffer(m * k), builder.buffer(n * k));
            let kernel = Kernel::Matmul(MatmulKernel { trials: 2, m, n, k, a, b });
            builder.step(kernel, &[left, right], 2 * m * n);
        }

        let dims = vec![2 * planes, size * size];
        let program = Program {
            leaves: vec![leaf(Source::Read(0), &dims), leaf(Source::Output, &dims)],
            code: vec![
                Instr::Load(0),
                Instr::Load(1),
                Instr::Unary(Unary::Tanh, 0),
                Instr::Const(0.5),
                Instr::Binary(Binary::Mul, 1, 3),
                Instr::Binary(Binary::Add, 2, 4),
            ],
        };
        let state = builder.step(Kernel::Map(MapKernel { dims: dims.clone(), program }), &[x], x_len);
        for (outer, reversed) in [(0, false), (1, false), (1, true)] {
            let mut view = View::contiguous(&dims);
            if reversed {
                view.strides = vec![1, dims[0] as isize];
            }
            let leaves = vec![Leaf { source: Source::Read(0), view }];
            let program = Program { leaves, code: vec![Instr::Load(0), Instr::Unary(Unary::Exp, 0)] };
            let kernel = MapReduceKernel { dims: dims.clone(), outer, reduce: Reduce::Sum, program };
            builder.step(Kernel::MapReduce(kernel), &[state], if outer == 0 { 1 } else { dims[0] });
        }
    }
    builder.plan()
}

/// The three convolutions of a shape that every way fits, at a size that one thread runs and at a size that most ways spread
/// over several.
fn convolutions() -> Plan {
    let mut builder = Builder::default();
    for batch in [1, 5] {
        let spec = ConvSpec {
            batch,
            channels: 4,
            outputs: 8,
            size: [16; 2],
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let kernel = ConvKernel { spec, trials: 1, shared: [false; 2] };
        let (x, w) = (builder.buffer(spec.input_len()), builder.buffer(spec.weight_len()));
        let g = builder.step(Kernel::Conv2d(kernel), &[x, w], spec.output_len());
        builder.step(Kernel::Conv2dGradInput(kernel), &[g, w], spec.input_len());
        builder.step(Kernel::Conv2dGradWeight(kernel), &[x, g], spec.weight_len());
    }
    builder.plan()
}

/// Replays the plan a thousand times at once, and one by one, and expects no allocation and the same bits.
fn check(cpu: Cpu<f32>, plan: &Plan) {
    let compile = || cpu.compile_typed(plan).expect("the plan is sound");
    let (mut at_once, mut one_by_one) = (compile(), compile());
    // Threads set themselves up when they first work.
    at_once.run(1).expect("the plan runs");
    one_by_one.run(1).expect("the plan runs");

    let before = ALLOCATIONS.load(Ordering::Relaxed);
    at_once.run(1000).expect("the plan runs");
    for _ in 0..1000 {
        one_by_one.run(1).expect("the plan runs");
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "{cpu:?}");

    for i in 0..plan.buffers.len() {
        let var = Var::from_index(i);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let left = bits(at_once.read_typed(var).expect("every buffer is bound"));
        let right = bits(one_by_one.read_typed(var).expect("every buffer is bound"));
        assert!(left == right, "{cpu:?}, buffer {i}");
    }
}

// Allocations are counted over all threads, of which other tests have some.
#[test]
fn a_thousand_replays_of_every_kernel_allocate_nothing_and_equal_a_thousand_single_runs_at_every_level() {
    alone(|| {
        let (every_kernel, convolutions) = (every_kernel(), convolutions());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool");
        pool.install(|| {
            for isa in Isa::available() {
                let cpu = Cpu::<f32>::new().with_isa(isa);
                check(cpu, &every_kernel);
                for way in [Way::Patches, Way::Outputs, Way::Direct, Way::Winograd] {
                    check(cpu.with_way(way), &convolutions);
                }
            }
        });
    });
}
