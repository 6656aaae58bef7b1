//! The meaning of a tape, node by node: every definition as plain loops in `f64`, nothing shared with the planner.

use std::collections::HashMap;

use gia_gpu::tape::{
    Node, Tape, Var,
    op::{Binary, Op, Reduce, Unary},
    spec::{ConvSpec, WindowSpec},
};

/// Values of all nodes, row-major, given those of the inputs.
pub(crate) fn evaluate(tape: &Tape, inputs: &HashMap<Var, Vec<f64>>) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::with_capacity(tape.nodes().len());
    for (i, node) in tape.nodes().iter().enumerate() {
        let value = match &node.op {
            Op::Input => inputs[&Var::from_index(i)].clone(),
            _ => {
                let operands: Vec<&[f64]> = node.inputs.iter().map(|v| &values[v.index()][..]).collect();
                let shapes: Vec<&[usize]> = node.inputs.iter().map(|&v| tape.shape(v)).collect();
                compute(node, &operands, &shapes)
            }
        };
        assert_eq!(value.len(), node.shape.iter().product::<usize>(), "node {i}: {:?}", node.op);
        values.push(value);
    }
    values
}

fn compute(node: &Node, x: &[&[f64]], shapes: &[&[usize]]) -> Vec<f64> {
    let shape = &node.shape;
    // Element by element: what the result holds at these coordinates.
    let each = |f: &dyn Fn(&[usize]) -> f64| -> Vec<f64> { points(shape).iter().map(|c| f(c)).collect() };
    match &node.op {
        Op::Input => unreachable!("an input has no definition"),
        Op::Literal(data) => data.0.to_vec(),
        Op::Scalar(value) => vec![value.0],
        Op::Unary(f) => x[0].iter().map(|&v| unary(*f, v)).collect(),
        Op::Binary(f) => x[0].iter().zip(x[1]).map(|(&a, &b)| binary(*f, a, b)).collect(),
        Op::Select => (0..x[0].len()).map(|i| if x[0][i] != 0.0 { x[1][i] } else { x[2][i] }).collect(),
        Op::Reshape => x[0].to_vec(),
        Op::Permute(axes) => each(&|c| {
            let mut from = vec![0; c.len()];
            axes.iter().zip(c).for_each(|(&a, &i)| from[a] = i);
            x[0][address(&from, shapes[0])]
        }),
        Op::Broadcast => each(&|c| {
            let from: Vec<_> = c.iter().zip(shapes[0]).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            x[0][address(&from, shapes[0])]
        }),
        Op::Slice(start) => each(&|c| {
            let from: Vec<_> = c.iter().zip(start).map(|(i, s)| i + s).collect();
            x[0][address(&from, shapes[0])]
        }),
        Op::Pad(before) => each(&|c| {
            let from: Vec<_> = c.iter().zip(before).map(|(&i, &b)| i.wrapping_sub(b)).collect();
            let inside = from.iter().zip(shapes[0]).all(|(i, n)| i < n);
            if inside { x[0][address(&from, shapes[0])] } else { 0.0 }
        }),
        Op::Flip(marks) => each(&|c| {
            let from: Vec<_> =
                (0..c.len()).map(|d| if marks[d] { shape[d] - 1 - c[d] } else { c[d] }).collect();
            x[0][address(&from, shapes[0])]
        }),
        Op::Reduce(reduce, axes) => {
            let start = if *reduce == Reduce::Sum { 0.0 } else { f64::NEG_INFINITY };
            let mut out = vec![start; shape.iter().product()];
            for (c, &v) in points(shapes[0]).iter().zip(x[0]) {
                let kept: Vec<_> = (0..c.len()).map(|d| if axes.contains(&d) { 0 } else { c[d] }).collect();
                let slot = &mut out[address(&kept, shape)];
                *slot = if *reduce == Reduce::Sum { *slot + v } else { slot.max(v) };
            }
            out
        }
        Op::Matmul => {
            let k = shapes[0][2];
            each(&|c| {
                let term = |i| {
                    x[0][address(&[c[0], c[1], i], shapes[0])] * x[1][address(&[c[0], i, c[2]], shapes[1])]
                };
                (0..k).map(term).sum()
            })
        }
        Op::Conv2d(s) => trilinear(s, shape, |[x_at, w_at, _]| x[0][x_at] * x[1][w_at], 2),
        Op::Conv2dGradInput(s) => trilinear(s, shape, |[_, w_at, g_at]| x[0][g_at] * x[1][w_at], 0),
        Op::Conv2dGradWeight(s) => trilinear(s, shape, |[x_at, _, g_at]| x[0][x_at] * x[1][g_at], 1),
        Op::WindowArgmax(s) => {
            let mut best = vec![(f64::NEG_INFINITY, 0.0); shape.iter().product()];
            windows(s, shapes[0], |large, small, tap| {
                if x[0][large] > best[small].0 {
                    best[small] = (x[0][large], tap as f64);
                }
            });
            best.into_iter().map(|b| b.1).collect()
        }
        Op::WindowGather(s) => {
            let mut out = vec![0.0; shape.iter().product()];
            windows(s, shapes[0], |large, small, tap| {
                if x[1][small] == tap as f64 {
                    out[small] = x[0][large];
                }
            });
            out
        }
        Op::WindowScatter(s) => {
            let mut out = vec![0.0; shape.iter().product()];
            windows(s, shape, |large, small, tap| {
                if x[1][small] == tap as f64 {
                    out[large] += x[0][small];
                }
            });
            out
        }
        Op::WindowSum(s) => {
            let mut out = vec![0.0; shape.iter().product()];
            windows(s, shapes[0], |large, small, _| out[small] += x[0][large]);
            out
        }
        Op::WindowSpread(s) => {
            let mut out = vec![0.0; shape.iter().product()];
            windows(s, shape, |large, small, _| out[large] += x[0][small]);
            out
        }
        Op::Gather => each(&|c| {
            let row = x[1][c[0]];
            let inside = row >= 0.0 && row < shapes[0][0] as f64;
            if inside { x[0][address(&[row as usize, c[1]], shapes[0])] } else { 0.0 }
        }),
        Op::ScatterAdd => {
            let mut out = vec![0.0; shape.iter().product()];
            for (c, &v) in points(shapes[0]).iter().zip(x[0]) {
                let row = x[1][c[0]];
                if row >= 0.0 && row < shape[0] as f64 {
                    out[address(&[row as usize, c[1]], shape)] += v;
                }
            }
            out
        }
    }
}

/// All coordinates of a shape, in row-major order.
fn points(shape: &[usize]) -> Vec<Vec<usize>> {
    let count = shape.iter().product::<usize>();
    let coordinates = |mut i: usize| {
        let mut c = vec![0; shape.len()];
        for d in (0..shape.len()).rev() {
            (c[d], i) = (i % shape[d], i / shape[d]);
        }
        c
    };
    (0..count).map(coordinates).collect()
}

fn address(c: &[usize], shape: &[usize]) -> usize {
    c.iter().zip(shape).fold(0, |a, (&i, &n)| a * n + i)
}

/// Sums `term` over ⟨conv(x, w), g⟩ into the operand number `into` of (x, w, g): one of the three convolutions.
fn trilinear(s: &ConvSpec, shape: &[usize], term: impl Fn([usize; 3]) -> f64, into: usize) -> Vec<f64> {
    let (trials, [oh, ow]) = (shape[0], s.output_size());
    let (xs, ws, gs) = (s.input_shape(trials), s.weight_shape(trials), s.output_shape(trials));
    let per_group = [s.channels / s.groups, s.outputs / s.groups];
    let mut out = vec![0.0; shape.iter().product()];
    for p in points(&[trials, s.batch, s.outputs, oh, ow, per_group[0], s.kernel[0], s.kernel[1]]) {
        let [t, b, o, y, x, c, i, j] = p[..] else { unreachable!() };
        let row = (y * s.stride[0] + i * s.dilation[0]).wrapping_sub(s.padding[0]);
        let col = (x * s.stride[1] + j * s.dilation[1]).wrapping_sub(s.padding[1]);
        if row < s.size[0] && col < s.size[1] {
            let channel = o / per_group[1] * per_group[0] + c;
            let at = [
                address(&[t, b, channel, row, col], &xs),
                address(&[t, o, c, i, j], &ws),
                address(&[t, b, o, y, x], &gs),
            ];
            out[at[into]] += term(at);
        }
    }
    out
}

/// Visits every tap inside the input: address in `(…,H,W)`, address in `(…,OH,OW)`, tap in the window.
fn windows(s: &WindowSpec, large: &[usize], mut visit: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = s.output_size();
    let planes: usize = large[..large.len() - 2].iter().product();
    for p in points(&[planes, oh, ow, s.kernel[0], s.kernel[1]]) {
        let [plane, y, x, i, j] = p[..] else { unreachable!() };
        let row = (y * s.stride[0] + i).wrapping_sub(s.padding[0]);
        let col = (x * s.stride[1] + j).wrapping_sub(s.padding[1]);
        if row < s.size[0] && col < s.size[1] {
            let at = address(&[plane, row, col], &[planes, s.size[0], s.size[1]]);
            visit(at, address(&[plane, y, x], &[planes, oh, ow]), i * s.kernel[1] + j);
        }
    }
}

fn unary(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => x.sqrt().recip(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => libm::erf(x),
        Unary::Abs => x.abs(),
        Unary::Powi(n) => x.powi(n),
        Unary::Step => f64::from(x > 0.0),
        Unary::Sign if x == 0.0 => 0.0,
        Unary::Sign => x.signum(),
    }
}

fn binary(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
        Binary::Less => f64::from(a < b),
        Binary::Equal => f64::from(a == b),
    }
}
