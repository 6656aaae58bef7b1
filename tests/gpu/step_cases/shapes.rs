//! The shapes that every kernel is tried on.

use gia_gpu::{
    plan::kernel::{ConvKernel, GatherKernel, Kernel, MatmulKernel, MatrixView, WindowKernel},
    tape::spec::{ConvSpec, WindowSpec},
};

use super::{Case, Operand};

/// Trials, M, N, K, whether a and b are transposed in memory, whether each is shared by all trials.
/// The second starts at element 1, so that an offset is tried, too.
pub(crate) fn matmul(sizes: [usize; 4], transposed: [bool; 2], shared: [bool; 2]) -> Case {
    matmul_at(sizes, transposed, shared, 1)
}

/// The same with the second operand from element `offset` on.
pub(crate) fn matmul_at(
    [trials, m, n, k]: [usize; 4],
    transposed: [bool; 2],
    shared: [bool; 2],
    offset: usize,
) -> Case {
    let view = |rows: usize, cols: usize, which: usize| MatrixView {
        offset: which * offset,
        trial: if shared[which] { 0 } else { rows * cols },
        row: if transposed[which] { 1 } else { cols },
        col: if transposed[which] { rows } else { 1 },
    };
    let len =
        |elements: usize, which: usize| which * offset + elements * if shared[which] { 1 } else { trials };
    Case {
        name: format!(
            "matmul {trials}×{m}×{n}×{k} transposed {transposed:?} shared {shared:?} offset {offset}"
        ),
        kernel: Kernel::Matmul(MatmulKernel { trials, m, n, k, a: view(m, k, 0), b: view(k, n, 1) }),
        reads: vec![Operand::Random(len(m * k, 0)), Operand::Random(len(k * n, 1))],
        out: trials * m * n,
        depth: k,
        in_place: false,
    }
}

pub(crate) fn matmuls() -> Vec<Case> {
    let no = [false, false];
    vec![
        matmul([1, 1, 1, 1], no, no),
        matmul([1, 64, 64, 64], no, no),
        matmul([1, 67, 131, 37], no, no),
        matmul([1, 67, 131, 37], [true, false], no),
        matmul([1, 67, 131, 37], [false, true], no),
        matmul([1, 130, 65, 17], [true, true], no),
        matmul([3, 33, 29, 70], no, [false, true]),
        matmul([3, 33, 29, 70], no, [true, false]),
        matmul([2, 5, 200, 19], [false, true], no),
        matmul([2, 200, 5, 19], [true, false], no),
        matmul([2, 3, 130, 40], no, no),
        matmul([2, 130, 3, 40], no, no),
        // Long contractions, split: over tiles, and as matrix times vector both ways.
        matmul([1, 9, 7, 70_001], no, no),
        matmul([1, 1, 37, 70_001], no, no),
        matmul([1, 1, 37, 70_001], [false, true], no),
        matmul([1, 41, 1, 66_000], no, no),
        matmul([1, 1, 1, 2_100_007], no, no),
        // An outer product, and more workgroups than one dimension of a dispatch takes.
        matmul([2, 131, 67, 1], no, no),
        matmul([65_537, 3, 5, 6], no, [true, false]),
        matmul([1, 5, 7, 0], no, no),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Conv {
    Forward,
    GradInput,
    GradWeight,
}

pub(crate) fn conv(which: Conv, spec: ConvSpec, trials: usize, shared: [bool; 2]) -> Case {
    let [oh, ow] = spec.output_size();
    let kernel = ConvKernel { spec, trials, shared };
    let (kernel, lens, out, depth) = match which {
        Conv::Forward => (
            Kernel::Conv2d(kernel),
            [spec.input_len(), spec.weight_len()],
            spec.output_len(),
            spec.patch_len(),
        ),
        Conv::GradInput => (
            Kernel::Conv2dGradInput(kernel),
            [spec.output_len(), spec.weight_len()],
            spec.input_len(),
            spec.outputs / spec.groups * spec.kernel[0] * spec.kernel[1],
        ),
        Conv::GradWeight => (
            Kernel::Conv2dGradWeight(kernel),
            [spec.input_len(), spec.output_len()],
            spec.weight_len(),
            spec.batch * oh * ow,
        ),
    };
    let read = |i: usize| Operand::Random(lens[i] * if shared[i] { 1 } else { trials });
    Case {
        name: format!("{which:?} {spec:?} trials {trials} shared {shared:?}"),
        kernel,
        reads: vec![read(0), read(1)],
        out: trials * out,
        depth,
        in_place: false,
    }
}

/// Batch, channels, outputs; size; kernel; stride; padding; dilation; groups.
pub(crate) fn spec(
    [batch, channels, outputs]: [usize; 3],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
) -> ConvSpec {
    ConvSpec { batch, channels, outputs, size, kernel, stride, padding, dilation, groups }
}

pub(crate) fn conv_specs() -> Vec<ConvSpec> {
    let one = [1, 1];
    vec![
        spec([1, 1, 1], [1, 1], [1, 1], one, [0, 0], one, 1),
        spec([2, 3, 12], [13, 11], [5, 5], [2, 2], [2, 2], one, 1),
        spec([1, 64, 70], [9, 9], [3, 3], one, [1, 1], one, 1),
        spec([3, 5, 7], [7, 17], [3, 2], [3, 2], [1, 0], [2, 3], 1),
        spec([2, 6, 4], [10, 8], [3, 3], [2, 4], [2, 1], [2, 2], 2),
        spec([2, 24, 24], [6, 7], [3, 3], [2, 1], [1, 1], one, 24),
        spec([2, 8, 40], [8, 8], [1, 1], [2, 2], [0, 0], one, 4),
        // Stride beyond the kernel: some inputs meet no tap.
        spec([1, 4, 6], [11, 12], [2, 3], [4, 5], [1, 0], one, 1),
        // Kernel over the whole image, and patches side by side.
        spec([4, 3, 10], [6, 6], [6, 6], one, [0, 0], one, 1),
        spec([2, 3, 32], [16, 16], [4, 4], [4, 4], [0, 0], one, 1),
        // Depthwise: both strides, kernels beyond the picture, uneven everything, inputs that meet no tap.
        spec([2, 5, 5], [9, 10], [7, 7], one, [3, 3], one, 5),
        spec([1, 6, 6], [12, 11], [3, 3], [2, 2], [1, 1], one, 6),
        spec([3, 20, 20], [2, 3], [7, 7], one, [3, 3], one, 20),
        spec([2, 4, 4], [8, 7], [3, 2], [1, 2], [2, 0], [2, 3], 4),
        spec([1, 4, 4], [11, 12], [2, 3], [4, 5], [1, 0], one, 4),
    ]
}

pub(crate) fn convs(which: Conv) -> Vec<Case> {
    let mut cases = Vec::new();
    for spec in conv_specs() {
        cases.push(conv(which, spec, 1, [false, false]));
        cases.push(conv(which, spec, 3, [false, true]));
        cases.push(conv(which, spec, 2, [true, false]));
    }
    let one = [1, 1];
    match which {
        // Few results of a long contraction, split.
        Conv::Forward => {
            cases.push(conv(which, spec([1, 512, 9], [3, 3], [3, 3], one, one, one, 1), 2, [false, true]))
        }
        Conv::GradInput => {
            cases.push(conv(which, spec([1, 9, 512], [3, 3], [3, 3], one, one, one, 1), 2, [false, true]))
        }
        Conv::GradWeight => {
            cases.push(conv(which, spec([2, 3, 5], [190, 190], [3, 3], one, one, one, 1), 1, [false, false]));
            cases.push(conv(which, spec([2, 4, 4], [190, 190], [3, 3], one, one, one, 4), 1, [false, false]));
            // In so many splits that their sum alone is a long one.
            cases.push(conv(which, spec([2, 3, 32], [128, 96], [3, 3], one, one, one, 1), 1, [false, false]));
        }
    }
    cases
}

/// Contractions for every tile: sizes that are multiples of all tiles, and sizes that are of none; operands
/// by vec4s and by elements.
pub(crate) fn tiled() -> Vec<Case> {
    let (no, one) = ([false, false], [1, 1]);
    let mut cases = vec![
        matmul_at([1, 128, 128, 32], no, no, 0),
        matmul_at([2, 128, 128, 16], [true, true], [false, true], 4),
        matmul([1, 128, 128, 32], [false, true], no),
        // vec4s at an edge, both ways.
        matmul_at([1, 36, 140, 48], no, no, 0),
        matmul_at([1, 140, 36, 21], [true, false], no, 0),
        matmul([1, 67, 131, 37], [true, false], no),
        // Split.
        matmul([1, 9, 14, 2_000], no, no),
    ];
    for which in [Conv::Forward, Conv::GradInput, Conv::GradWeight] {
        cases.extend([
            conv(which, spec([2, 128, 128], [8, 8], [1, 3], one, [0, 1], one, 1), 1, [false, true]),
            conv(which, spec([32, 128, 128], [2, 3], [1, 2], one, [0, 0], one, 1), 1, no),
            conv(which, spec([2, 10, 38], [7, 9], [3, 2], [2, 1], [1, 0], one, 2), 2, [true, false]),
            conv(which, spec([1, 12, 20], [16, 16], one, one, [0, 0], one, 1), 3, [false, true]),
        ]);
    }
    cases
}

pub(crate) fn window_specs() -> Vec<WindowSpec> {
    let spec = |size, kernel, stride, padding| WindowSpec { size, kernel, stride, padding };
    vec![
        spec([1, 1], [1, 1], [1, 1], [0, 0]),
        spec([8, 8], [2, 2], [2, 2], [0, 0]),
        spec([13, 7], [3, 3], [2, 2], [1, 1]),
        spec([9, 11], [4, 3], [1, 2], [2, 1]),
        spec([10, 6], [2, 2], [3, 4], [0, 1]),
        spec([5, 5], [5, 5], [5, 5], [0, 0]),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Window {
    Argmax,
    Gather,
    Scatter,
    Sum,
    Spread,
}

pub(crate) fn window(which: Window, spec: WindowSpec, planes: usize) -> Case {
    let kernel = WindowKernel { spec, planes };
    let [oh, ow] = spec.output_size();
    let [input, output] = [planes * spec.size[0] * spec.size[1], planes * oh * ow];
    let area = spec.kernel[0] * spec.kernel[1];
    let index = Operand::Index { len: output, end: area };
    let (kernel, reads, out, depth) = match which {
        Window::Argmax => (Kernel::WindowArgmax(kernel), vec![Operand::Random(input)], output, 0),
        Window::Gather => (Kernel::WindowGather(kernel), vec![Operand::Random(input), index], output, 0),
        Window::Scatter => (Kernel::WindowScatter(kernel), vec![Operand::Random(output), index], input, area),
        Window::Sum => (Kernel::WindowSum(kernel), vec![Operand::Random(input)], output, area),
        Window::Spread => (Kernel::WindowSpread(kernel), vec![Operand::Random(output)], input, area),
    };
    Case {
        name: format!("{which:?} {spec:?} of {planes} planes"),
        kernel,
        reads,
        out,
        depth,
        in_place: false,
    }
}

pub(crate) fn windows() -> Vec<Case> {
    let mut cases = Vec::new();
    for which in [Window::Argmax, Window::Gather, Window::Scatter, Window::Sum, Window::Spread] {
        for spec in window_specs() {
            cases.push(window(which, spec, 3));
        }
    }
    // Many equal elements: the first counts.
    for spec in window_specs() {
        let case = window(Window::Argmax, spec, 3);
        let few = Operand::Index { len: case.reads[0].len(), end: 1 };
        cases.push(Case { reads: vec![few], ..case });
    }
    cases
}

pub(crate) fn gather(rows: usize, width: usize, count: usize) -> Case {
    Case {
        name: format!("gather {count} of {rows} rows of {width}"),
        kernel: Kernel::Gather(GatherKernel { rows, width, count }),
        reads: vec![Operand::Random(rows * width), Operand::Index { len: count, end: rows }],
        out: count * width,
        depth: 0,
        in_place: false,
    }
}

pub(crate) fn scatter_add(rows: usize, width: usize, count: usize) -> Case {
    Case {
        name: format!("scatter_add {count} into {rows} rows of {width}"),
        kernel: Kernel::ScatterAdd(GatherKernel { rows, width, count }),
        reads: vec![Operand::Random(count * width), Operand::Index { len: count, end: rows }],
        out: rows * width,
        depth: count,
        in_place: false,
    }
}

pub(crate) fn gathers() -> Vec<Case> {
    let sizes = [[1, 1, 1], [7, 5, 13], [100, 64, 3], [3, 2, 70_001], [11, 1, 1000]];
    sizes.iter().flat_map(|&[r, w, c]| [gather(r, w, c), scatter_add(r, w, c)]).collect()
}
