//! The derivative table: one rule an op, written in the same ops.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::{
    Tape, Var,
    op::{Binary, Op, Reduce, Unary},
};

impl Tape {
    /// ⟨g, ∂node/∂input⟩ for one operand of `node`; `None` where the derivative is zero.
    pub(super) fn derivative(&mut self, node: Var, operand: usize, g: Var) -> Option<Var> {
        let op = self.node(node).op.clone();
        let inputs = self.node(node).inputs.clone();
        let x = inputs[operand];
        let shape = self.shape(x).to_vec();
        Some(match op {
            Op::Input | Op::Literal(_) | Op::Scalar(_) => return None,
            Op::Unary(f) => return self.unary_derivative(f, x, node, g),
            Op::Binary(f) => return self.binary_derivative(f, &inputs, operand, node, g),
            Op::Select => {
                let zero = self.scalar(0.0);
                match operand {
                    0 => return None,
                    1 => self.select(inputs[0], g, zero),
                    _ => self.select(inputs[0], zero, g),
                }
            }
            Op::Reshape => self.reshape(g, &shape),
            Op::Permute(axes) => {
                let mut inverse = vec![0; axes.len()];
                axes.iter().enumerate().for_each(|(d, &a)| inverse[a] = d);
                self.permute(g, &inverse)
            }
            Op::Broadcast => {
                let grown: Vec<_> = (0..shape.len()).filter(|&d| shape[d] != self.shape(g)[d]).collect();
                self.sum(g, &grown)
            }
            Op::Slice(start) => self.pad(g, &start, &shape),
            Op::Pad(before) => self.slice(g, &before, &shape),
            Op::Flip(marks) => {
                let axes: Vec<_> = (0..marks.len()).filter(|&d| marks[d]).collect();
                self.flip(g, &axes)
            }
            Op::Reduce(Reduce::Sum, _) => self.broadcast_to(g, &shape),
            Op::Reduce(Reduce::Max, _) => return None,
            Op::Matmul => {
                let other = self.transpose(inputs[1 - operand]);
                if operand == 0 { self.matmul(g, other) } else { self.matmul(other, g) }
            }
            // The three convolutions are the partial derivatives of ⟨conv(x, w), g⟩.
            Op::Conv2d(s) => match operand {
                0 => self.conv2d_grad_input(g, inputs[1], s),
                _ => self.conv2d_grad_weight(inputs[0], g, s),
            },
            Op::Conv2dGradInput(s) => match operand {
                0 => self.conv2d(g, inputs[1], s),
                _ => self.conv2d_grad_weight(g, inputs[0], s),
            },
            Op::Conv2dGradWeight(s) => match operand {
                0 => self.conv2d_grad_input(inputs[1], g, s),
                _ => self.conv2d(inputs[0], g, s),
            },
            Op::WindowArgmax(_) => return None,
            Op::WindowGather(s) if operand == 0 => self.window_scatter(g, inputs[1], s),
            Op::WindowScatter(s) if operand == 0 => self.window_gather(g, inputs[1], s),
            Op::WindowSum(s) => self.window_spread(g, s),
            Op::WindowSpread(s) => self.window_sum(g, s),
            Op::Gather if operand == 0 => self.scatter_add(g, inputs[1], shape[0]),
            Op::ScatterAdd if operand == 0 => self.gather(g, inputs[1]),
            Op::WindowGather(_) | Op::WindowScatter(_) | Op::Gather | Op::ScatterAdd => return None,
        })
    }

    fn unary_derivative(&mut self, f: Unary, x: Var, y: Var, g: Var) -> Option<Var> {
        let slope = match f {
            Unary::Neg => return Some(self.neg(g)),
            Unary::Exp => y,
            Unary::Log => return Some(self.div(g, x)),
            Unary::Sqrt => {
                let inverse = self.rsqrt(x);
                self.mul_scalar(inverse, 0.5)
            }
            Unary::Rsqrt => {
                let cube = self.powi(y, 3);
                self.mul_scalar(cube, -0.5)
            }
            Unary::Tanh => {
                let (square, one) = (self.mul(y, y), self.scalar(1.0));
                self.sub(one, square)
            }
            Unary::Sigmoid => {
                let one = self.scalar(1.0);
                let rest = self.sub(one, y);
                self.mul(y, rest)
            }
            Unary::Erf => {
                let square = self.mul(x, x);
                let exponent = self.neg(square);
                let bell = self.exp(exponent);
                self.mul_scalar(bell, FRAC_2_SQRT_PI)
            }
            Unary::Abs => self.sign(x),
            Unary::Powi(0) => return None,
            Unary::Powi(1) => return Some(g),
            Unary::Powi(n) => {
                let power = self.powi(x, n - 1);
                self.mul_scalar(power, n as f64)
            }
            Unary::Step | Unary::Sign => return None,
        };
        Some(self.mul(g, slope))
    }

    fn binary_derivative(&mut self, f: Binary, xs: &[Var], operand: usize, y: Var, g: Var) -> Option<Var> {
        let b = xs[1];
        Some(match (f, operand) {
            (Binary::Add, _) | (Binary::Sub, 0) => g,
            (Binary::Sub, _) => self.neg(g),
            (Binary::Mul, _) => self.mul(g, xs[1 - operand]),
            (Binary::Div, 0) => self.div(g, b),
            (Binary::Div, _) => {
                let quotient = self.div(y, b);
                let product = self.mul(g, quotient);
                self.neg(product)
            }
            // a > b exactly where max(a, b) > b: so a ReLU's mask comes from its output, which is stored
            // anyway. A tie goes to the second operand: relu'(0) = 0 as in PyTorch.
            (Binary::Max | Binary::Min, _) => {
                let mask = if f == Binary::Max { self.less(b, y) } else { self.less(y, b) };
                let zero = self.scalar(0.0);
                if operand == 0 { self.select(mask, g, zero) } else { self.select(mask, zero, g) }
            }
            (Binary::Less | Binary::Equal, _) => return None,
        })
    }
}
