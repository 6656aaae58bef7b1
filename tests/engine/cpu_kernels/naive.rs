//! The definitions, as plainly as they can be written.

use gia_gpu::{
    plan::kernel::{ConvKernel, GatherKernel, Instr, Leaf, MatmulKernel, Program, Source, WindowKernel},
    tape::op::{Binary, Unary},
};

/// Coordinates of point `i` of the index space `dims`.
fn coordinates(dims: &[usize], mut i: usize) -> Vec<usize> {
    let mut at = vec![0; dims.len()];
    for d in (0..dims.len()).rev() {
        at[d] = i % dims[d];
        i /= dims[d];
    }
    at
}

fn load(leaf: &Leaf, at: &[usize], reads: &[&[f64]], output: f64) -> f64 {
    let view = &leaf.view;
    if at.iter().zip(&view.valid).any(|(&c, v)| c < v[0] || c >= v[1]) {
        return 0.0;
    }
    let address = view.offset + at.iter().zip(&view.strides).map(|(&c, &s)| c as isize * s).sum::<isize>();
    match leaf.source {
        Source::Ones => 1.0,
        Source::Output => output,
        Source::Read(read) => reads[read][address as usize],
    }
}

pub(crate) fn unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Tanh => x.tanh(),
        // The form that neither overflows nor cancels.
        Unary::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => libm::erf(x),
        Unary::Abs => x.abs(),
        Unary::Powi(n) => {
            let power: f64 = (0..n.abs()).map(|_| x).product();
            if n < 0 { 1.0 / power } else { power }
        }
        Unary::Step => f64::from(u8::from(x > 0.0)),
        Unary::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
    }
}

pub(crate) fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Max => a.max(b),
        Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Min => a.min(b),
        Binary::Less => f64::from(u8::from(a < b)),
        Binary::Equal => f64::from(u8::from(a == b)),
    }
}

/// The program's value at every point of `dims`.
pub(crate) fn map(program: &Program, dims: &[usize], reads: &[&[f64]], before: &[f64]) -> Vec<f64> {
    let evaluate = |i: usize| {
        let at = coordinates(dims, i);
        let mut values: Vec<f64> = Vec::new();
        for instr in &program.code {
            values.push(match *instr {
                Instr::Load(leaf) => {
                    load(&program.leaves[leaf], &at, reads, before.get(i).copied().unwrap_or(f64::NAN))
                }
                Instr::Const(c) => c,
                Instr::Unary(op, a) => unary(op, values[a]),
                Instr::Binary(op, a, b) => binary(op, values[a], values[b]),
                Instr::Select(mask, a, b) => {
                    if values[mask] != 0.0 {
                        values[a]
                    } else {
                        values[b]
                    }
                }
            });
        }
        *values.last().expect("a program has a result")
    };
    (0..dims.iter().product()).map(evaluate).collect()
}

pub(crate) fn matmul(kernel: &MatmulKernel, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut c = Vec::new();
    for t in 0..kernel.trials {
        for i in 0..kernel.m {
            for j in 0..kernel.n {
                let mut sum = 0.0;
                for k in 0..kernel.k {
                    let av = kernel.a.offset + t * kernel.a.trial + i * kernel.a.row + k * kernel.a.col;
                    let bv = kernel.b.offset + t * kernel.b.trial + k * kernel.b.row + j * kernel.b.col;
                    sum += a[av] * b[bv];
                }
                c.push(sum);
            }
        }
    }
    c
}

/// Calls `term(x, w, out)` with the addresses of every product of the trilinear form ⟨conv(x, w), g⟩.
pub(crate) fn conv_terms(kernel: &ConvKernel, mut term: impl FnMut(usize, usize, usize)) {
    let s = &kernel.spec;
    let [oh, ow] = s.output_size();
    let (channels, outputs) = (s.channels / s.groups, s.outputs / s.groups);
    for t in 0..kernel.trials {
        for b in 0..s.batch {
            for o in 0..s.outputs {
                for (oy, ox) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
                    for c in 0..channels {
                        for (ky, kx) in (0..s.kernel[0]).flat_map(|y| (0..s.kernel[1]).map(move |x| (y, x))) {
                            let y = (oy * s.stride[0] + ky * s.dilation[0]) as isize - s.padding[0] as isize;
                            let x = (ox * s.stride[1] + kx * s.dilation[1]) as isize - s.padding[1] as isize;
                            if y < 0 || x < 0 || y >= s.size[0] as isize || x >= s.size[1] as isize {
                                continue;
                            }
                            let channel = o / outputs * channels + c;
                            let plane = (t * s.batch + b) * s.channels + channel;
                            let x_at = (plane * s.size[0] + y as usize) * s.size[1] + x as usize;
                            let filter = (t * s.outputs + o) * channels + c;
                            let w_at = (filter * s.kernel[0] + ky) * s.kernel[1] + kx;
                            let out_at = (((t * s.batch + b) * s.outputs + o) * oh + oy) * ow + ox;
                            term(x_at, w_at, out_at);
                        }
                    }
                }
            }
        }
    }
}

/// Calls `visit(plane, output position, window index, input element)` for every window element inside the
/// input; the last two addresses count over all planes.
pub(crate) fn window_elements(kernel: &WindowKernel, mut visit: impl FnMut(usize, usize, usize)) {
    let s = &kernel.spec;
    let [oh, ow] = s.output_size();
    for plane in 0..kernel.planes {
        for (oy, ox) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
            for (ky, kx) in (0..s.kernel[0]).flat_map(|y| (0..s.kernel[1]).map(move |x| (y, x))) {
                let y = (oy * s.stride[0] + ky) as isize - s.padding[0] as isize;
                let x = (ox * s.stride[1] + kx) as isize - s.padding[1] as isize;
                if y >= 0 && x >= 0 && y < s.size[0] as isize && x < s.size[1] as isize {
                    let input = (plane * s.size[0] + y as usize) * s.size[1] + x as usize;
                    visit((plane * oh + oy) * ow + ox, ky * s.kernel[1] + kx, input);
                }
            }
        }
    }
}

/// The table row that `index` names.
pub(crate) fn table_row(kernel: &GatherKernel, index: f64) -> Option<usize> {
    (0..kernel.rows).find(|&row| row as f64 == index)
}
