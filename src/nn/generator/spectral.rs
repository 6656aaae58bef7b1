//! Spectral norm (Miyato 2018): a convolution whose weight, as a matrix with a row an output, is divided by its largest
//! singular value, as far as one step of the power iteration at each use of it has come: σ = uᵀWv.
//!
//! u and v are constants to differentiation. PyTorch moves them in the forward pass, before it uses them; here they are
//! tensors of their own, `weight_u` and `weight_v`, that [`settled`] and [`moved`] bring to where that pass has them.

use crate::{
    nn::{
        Declaration, Init, Network,
        layers::{Conv, Start},
    },
    tape::{Tape, Var, spec::ConvSpec},
};

/// Keeps a division by a length of 0 finite, as PyTorch does.
const EPSILON: f64 = 1e-12;

const WEIGHT: &str = ".weight_orig";
const U: &str = ".weight_u";
const V: &str = ".weight_v";

impl Network<'_> {
    /// PyTorch's `spectral_norm(Conv2d)`: `(T,B,C,H,W) → (T,B,O,OH,OW)`.
    pub(super) fn spectral_conv2d(&mut self, name: &str, x: Var, conv: Conv) -> Var {
        let [_, batch, channels, h, w] = self.tape.shape(x)[..] else { panic!("conv2d wants (T,B,C,H,W)") };
        let spec = ConvSpec {
            batch,
            channels,
            outputs: conv.outputs,
            size: [h, w],
            kernel: [conv.kernel; 2],
            stride: [conv.stride; 2],
            padding: [conv.padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let (rows, columns) = (conv.outputs, spec.patch_len());
        let start = Start::both(Init::fan_in(columns));
        let shape = &spec.weight_shape(1)[1..];
        let weight = self.parameter(&format!("{name}{WEIGHT}"), shape, start.weight);
        let bias = start.bias.map(|init| self.parameter(&format!("{name}.bias"), &[rows], init));
        let u = self.buffer(&format!("{name}{U}"), &[rows], Init::Normal(1.0));
        let v = self.buffer(&format!("{name}{V}"), &[columns], Init::Normal(1.0));
        let t = &mut *self.tape;
        let matrix = t.reshape(weight, &[self.trials, rows, columns]);
        let u = t.reshape(u, &[self.trials, 1, rows]);
        let v = t.reshape(v, &[self.trials, columns, 1]);
        let row = t.matmul(u, matrix);
        let largest = t.matmul(row, v);
        let largest = t.reshape(largest, &[self.trials, 1, 1, 1, 1]);
        let weight = t.div(weight, largest);
        self.convolve(x, weight, bias, spec)
    }
}

/// Whether a tensor is moved by the power iteration.
pub fn is_moved(declaration: &Declaration) -> bool {
    !declaration.trainable && [U, V].iter().any(|end| declaration.name.ends_with(end))
}

/// Where the weight and the vectors of each spectral norm stand among all tensors: `[weight, u, v]`.
fn places(declarations: &[Declaration]) -> Vec<[usize; 3]> {
    let find = |name: String| declarations.iter().position(|d| d.name == name);
    let layers = declarations.iter().filter_map(|d| d.name.strip_suffix(U));
    let all = layers.map(|layer| {
        let [weight, u, v] = [WEIGHT, U, V].map(|end| find(format!("{layer}{end}")));
        Some([weight?, u?, v?])
    });
    all.flatten().collect()
}

/// Next values of the tensors that [`is_moved`] says, in their order, given the values `(T,…)` of all: one step of the power
/// iteration.
pub fn moved(tape: &mut Tape, declarations: &[Declaration], values: &[Var]) -> Vec<Var> {
    let mut next = values.to_vec();
    for [weight, u, v] in places(declarations) {
        let [trials, rows] = [tape.shape(values[u])[0], tape.shape(values[u])[1]];
        let columns = tape.shape(values[v])[1];
        let matrix = tape.reshape(values[weight], &[trials, rows, columns]);
        let across = tape.reshape(values[u], &[trials, 1, rows]);
        let across = tape.matmul(across, matrix);
        let across = unit(tape, across);
        let column = tape.reshape(across, &[trials, columns, 1]);
        let down = tape.matmul(matrix, column);
        let down = unit(tape, down);
        next[u] = tape.reshape(down, &[trials, rows]);
        next[v] = tape.reshape(across, &[trials, columns]);
    }
    let moved = declarations.iter().zip(next).filter(|(d, _)| is_moved(d));
    moved.map(|(_, value)| value).collect()
}

/// x/‖x‖ of each trial, `(T,…)`.
fn unit(tape: &mut Tape, x: Var) -> Var {
    let square = tape.mul(x, x);
    let axes: Vec<usize> = (1..tape.shape(x).len()).collect();
    let sum = tape.sum(square, &axes);
    let length = tape.sqrt(sum);
    let least = tape.scalar(EPSILON);
    let length = tape.max(length, least);
    tape.div(x, length)
}

/// Tensors as they were drawn, with u and v one step of the power iteration further.
pub fn settled(declarations: &[Declaration], mut values: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    for [weight, u, v] in places(declarations) {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (matrix, columns) = (wide(&values[weight]), values[v].len());
        let start = direction(wide(&values[u]));
        let mut across = vec![0.0; columns];
        for (row, share) in matrix.chunks(columns).zip(start) {
            across.iter_mut().zip(row).for_each(|(sum, w)| *sum += share * w);
        }
        let across = direction(across);
        let down = matrix.chunks(columns).map(|row| row.iter().zip(&across).map(|(w, x)| w * x).sum());
        let down = direction(down.collect());
        values[u] = down.into_iter().map(|v| v as f32).collect();
        values[v] = across.into_iter().map(|v| v as f32).collect();
    }
    values
}

fn direction(mut x: Vec<f64>) -> Vec<f64> {
    let length = x.iter().map(|v| v * v).sum::<f64>().sqrt().max(EPSILON);
    x.iter_mut().for_each(|v| *v /= length);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device::{Device, cpu::Cpu},
        nn::{
            drawn,
            generator::{Decoder, Generator, declarations},
        },
        plan::Plan,
        random,
    };

    /// The host's step at the start and the device's afterwards are the same step.
    #[test]
    fn the_step_on_the_tape_is_the_hosts() {
        let decoder = Decoder::new(1, [3, 8, 8]).of_width(4);
        assert_eq!(decoder.stages(), 3);
        let declarations = declarations(&decoder);
        let raw = drawn(&declarations, &mut random::generator(1, "test"));
        let expected = settled(&declarations, settled(&declarations, raw.clone()));
        let mut tape = Tape::new();
        let inputs: Vec<Var> =
            declarations.iter().map(|d| tape.input(&[&[1], &d.shape[..]].concat())).collect();
        let next = moved(&mut tape, &declarations, &inputs);
        let mut exe = Cpu::<f32>::new().compile(&Plan::new(&tape, &next, &[])).unwrap();
        for (&input, values) in inputs.iter().zip(settled(&declarations, raw)) {
            // Only weights and vectors are read.
            let _ = exe.write(input, &values);
        }
        exe.run(1).unwrap();
        let expected = declarations.iter().zip(expected).filter(|(d, _)| is_moved(d));
        let expected: Vec<(&Declaration, Vec<f32>)> = expected.collect();
        assert_eq!((next.len(), expected.len()), (8, 8));
        for (var, (declaration, expected)) in next.into_iter().zip(expected) {
            let found = exe.read(var).unwrap();
            let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-5, "{}: {off}", declaration.name);
        }
    }
}
