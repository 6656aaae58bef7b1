//! Products and convolutions, and the layers that normalise.

use super::Builder;
use crate::{
    nn::{
        graph::{Node, op::Convolution},
        norm::BatchNorm,
    },
    tape::{Var, spec::ConvSpec},
};

impl Builder<'_, '_> {
    pub(super) fn convolution(&mut self, sizes: &Convolution, [x, w]: [Var; 2], bias: Option<Var>) -> Var {
        let (x_shape, w_shape) = (self.net.tape.shape(x), self.net.tape.shape(w));
        let spec = ConvSpec {
            batch: x_shape[1],
            channels: x_shape[2],
            outputs: w_shape[1],
            size: [x_shape[3], x_shape[4]],
            kernel: [w_shape[3], w_shape[4]],
            stride: sizes.stride,
            padding: sizes.padding,
            dilation: sizes.dilation,
            groups: sizes.groups,
        };
        self.net.convolve(x, w, bias, spec)
    }

    pub(super) fn linear(&mut self, [x, w]: [Var; 2], bias: Option<Var>) -> Var {
        let shape = self.net.tape.shape(x).to_vec();
        let (&inputs, outer) = shape.split_last().expect("checked");
        let outputs = self.net.tape.shape(w)[1];
        let rows = outer[1..].iter().product();
        let x = self.net.tape.reshape(x, &[outer[0], rows, inputs]);
        let y = self.net.project(x, w, bias);
        self.net.tape.reshape(y, &[outer, &[outputs]].concat())
    }

    /// Axes in front of the last two broadcast.
    pub(super) fn matmul(&mut self, parts: [Var; 2], node: &Node) -> Var {
        let whole = self.sizes(&node.shape);
        let outer = &whole[..whole.len() - 2];
        let [a, b] = parts.map(|part| {
            let part = self.with_rank(part, node.shape.len());
            let shape = self.net.tape.shape(part).to_vec();
            let full = [outer, &shape[shape.len() - 2..]].concat();
            let part = self.net.tape.broadcast_to(part, &full);
            self.rows(part)
        });
        let y = self.net.tape.matmul(a, b);
        self.net.tape.reshape(y, &whole)
    }

    /// `x (B,C)`, `(B,C,L)` or `(B,C,H,W)`, `[γ], [β], μ, σ²`.
    pub(super) fn batch_norm(&mut self, name: &str, numbers: BatchNorm, inputs: &[Option<Var>]) -> Var {
        let running = [inputs[3], inputs[4]].map(|v| v.expect("checked"));
        self.as_images(inputs, |builder, x, affine| {
            builder.net.batch_norm_of(name, x, affine, running, numbers)
        })
    }

    pub(super) fn group_norm(&mut self, groups: usize, epsilon: f64, inputs: &[Option<Var>]) -> Var {
        self.as_images(inputs, |builder, x, affine| builder.net.group_norm_of(x, groups, affine, epsilon))
    }

    /// Seen as `(T,B,C,H,W)`, with γ and β `(T,1,C,1,1)`, or ones and zeros.
    fn as_images(
        &mut self,
        inputs: &[Option<Var>],
        layer: impl FnOnce(&mut Self, Var, [Var; 2]) -> Var,
    ) -> Var {
        let x = inputs[0].expect("checked");
        let shape = self.net.tape.shape(x).to_vec();
        let (front, back) = shape.split_at(3);
        let pixels = back.iter().product::<usize>();
        let image = if back.len() == 2 { shape.clone() } else { [front, &[pixels, 1]].concat() };
        let affine =
            [(1, 1.0), (2, 0.0)].map(|(operand, default)| match inputs.get(operand).copied().flatten() {
                Some(v) => self.net.per_channel(v),
                None => self.net.tape.full(&[1; 5], default),
            });
        let x = self.net.tape.reshape(x, &image);
        let y = layer(self, x, affine);
        self.net.tape.reshape(y, &shape)
    }

    /// Statistics over the last axes.
    pub(super) fn layer_norm(&mut self, axes: usize, epsilon: f64, inputs: &[Option<Var>]) -> Var {
        let x = inputs[0].expect("checked");
        let rank = self.net.tape.shape(x).len();
        let over: Vec<usize> = (rank - axes..rank).collect();
        let t = &mut *self.net.tape;
        let mean = t.mean(x, &over);
        let centred = t.sub(x, mean);
        let square = t.mul(centred, centred);
        let variance = t.mean(square, &over);
        let variance = t.add_scalar(variance, epsilon);
        let inverse = t.rsqrt(variance);
        let mut y = t.mul(centred, inverse);
        if let Some(gamma) = inputs.get(1).copied().flatten() {
            let gamma = self.with_rank(gamma, rank - 1);
            y = self.net.tape.mul(y, gamma);
        }
        if let Some(beta) = inputs.get(2).copied().flatten() {
            let beta = self.with_rank(beta, rank - 1);
            y = self.net.tape.add(y, beta);
        }
        y
    }

    /// Over one axis, stabilised by its maximum.
    pub(super) fn softmax(&mut self, x: Var, axis: usize) -> Var {
        let t = &mut *self.net.tape;
        let max = t.max_over(x, &[axis]);
        let shifted = t.sub(x, max);
        let exp = t.exp(shifted);
        let sum = t.sum(exp, &[axis]);
        t.div(exp, sum)
    }

    /// x − max − ln Σ exp(x − max) over one axis.
    pub(super) fn log_softmax(&mut self, x: Var, axis: usize) -> Var {
        let t = &mut *self.net.tape;
        let max = t.max_over(x, &[axis]);
        let shifted = t.sub(x, max);
        let exp = t.exp(shifted);
        let sum = t.sum(exp, &[axis]);
        let log = t.log(sum);
        t.sub(shifted, log)
    }

    /// The mean of those that are as large as the largest, through which the gradient goes.
    pub(super) fn largest(&mut self, x: Var, axes: &[usize]) -> Var {
        let t = &mut *self.net.tape;
        let max = t.max_over(x, axes);
        let as_large = t.equal(x, max);
        let zero = t.scalar(0.0);
        let kept = t.select(as_large, x, zero);
        let [sum, count] = [kept, as_large].map(|v| t.sum(v, axes));
        t.div(sum, count)
    }
}
