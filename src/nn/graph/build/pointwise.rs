//! Functions of one number and of two.

use super::Builder;
use crate::{
    nn::{
        gelu::{gelu, gelu_tanh},
        graph::op::{Pair, Pointwise},
    },
    tape::{Tape, Var},
};

/// Above it PyTorch takes softplus for its operand, which differs by 2e-9 there; so does this.
const SOFTPLUS_IS_LINEAR: f64 = 20.0;

impl Builder<'_, '_> {
    pub(super) fn pointwise(&mut self, function: Pointwise, x: Var) -> Var {
        let t = &mut *self.net.tape;
        match function {
            Pointwise::Abs => t.abs(x),
            Pointwise::Erf => t.erf(x),
            Pointwise::Exp => t.exp(x),
            Pointwise::Log => t.log(x),
            Pointwise::Neg => t.neg(x),
            Pointwise::Sqrt => t.sqrt(x),
            Pointwise::Rsqrt => t.rsqrt(x),
            Pointwise::Relu => t.relu(x),
            Pointwise::Sigmoid => t.sigmoid(x),
            Pointwise::Tanh => t.tanh(x),
            Pointwise::Silu => {
                let gate = t.sigmoid(x);
                t.mul(x, gate)
            }
            Pointwise::Gelu => gelu(t, x),
            Pointwise::GeluTanh => gelu_tanh(t, x),
            Pointwise::Hardtanh { low, high } => hardtanh(t, x, low, high),
            Pointwise::Clamp { low, high } => {
                let [low, high] = [low, high].map(|v| t.scalar(v));
                let above = t.max(low, x);
                t.min(high, above)
            }
            Pointwise::Hardswish => {
                let gate = hard_gate(t, x);
                t.mul(x, gate)
            }
            Pointwise::Hardsigmoid => hard_gate(t, x),
            Pointwise::LeakyRelu { slope } => {
                let zero = t.scalar(0.0);
                // At 0 the slope is that of the negative side, as in PyTorch.
                let [positive, negative] = [t.max(x, zero), t.min(zero, x)];
                let scaled = t.mul_scalar(negative, slope);
                t.add(positive, scaled)
            }
            Pointwise::Elu { alpha, scale } => {
                let zero = t.scalar(0.0);
                // The exponential never sees a large number, whose infinity would spoil the derivative.
                let [positive, negative] = [t.max(x, zero), t.min(zero, x)];
                let exp = t.exp(negative);
                let less = t.add_scalar(exp, -1.0);
                let scaled = t.mul_scalar(less, alpha);
                let sum = t.add(positive, scaled);
                t.mul_scalar(sum, scale)
            }
            Pointwise::Power(n) => t.powi(x, n),
            Pointwise::Sign => t.sign(x),
            Pointwise::LogSigmoid => log_sigmoid(t, x),
            Pointwise::Softplus => {
                let most = t.scalar(SOFTPLUS_IS_LINEAR);
                let turned = t.neg(x);
                let log = log_sigmoid(t, turned);
                let bent = t.neg(log);
                let beyond = t.less(most, x);
                t.select(beyond, x, bent)
            }
            Pointwise::Affine { factor, term } => {
                let product = if factor == 1.0 { x } else { t.mul_scalar(x, factor) };
                if term == 0.0 { product } else { t.add_scalar(product, term) }
            }
        }
    }

    /// Operands with as many axes as the one that has most.
    fn alike<const N: usize>(&mut self, operands: [Var; N]) -> [Var; N] {
        let rank = operands.map(|v| self.net.tape.shape(v).len()).into_iter().max().expect("one at least");
        operands.map(|v| self.with_rank(v, rank - 1))
    }

    pub(super) fn select(&mut self, operands: [Var; 3]) -> Var {
        let [mask, a, b] = self.alike(operands);
        self.net.tape.select(mask, a, b)
    }

    pub(super) fn pair(&mut self, pair: Pair, operands: [Var; 2]) -> Var {
        let [a, b] = self.alike(operands);
        let t = &mut *self.net.tape;
        match pair {
            Pair::Add => t.add(a, b),
            Pair::Sub => t.sub(a, b),
            Pair::Mul => t.mul(a, b),
            Pair::Div => t.div(a, b),
            Pair::Max => t.max(a, b),
            Pair::Min => t.min(a, b),
            Pair::Less => t.less(a, b),
            Pair::Equal => t.equal(a, b),
        }
    }
}

/// −ln(1 + e⁻ˣ) above 0, x − ln(1 + eˣ) elsewhere: the exponential never sees a number above 0, whose infinity would spoil
/// the derivative.
fn log_sigmoid(t: &mut Tape, x: Var) -> Var {
    let zero = t.scalar(0.0);
    let one_more = |t: &mut Tape, x: Var| {
        let exp = t.exp(x);
        let more = t.add_scalar(exp, 1.0);
        t.log(more)
    };
    let above = t.max(x, zero);
    let turned = t.neg(above);
    let log = one_more(t, turned);
    let above = t.neg(log);
    // At 0 the slope is this side's.
    let below = t.min(zero, x);
    let log = one_more(t, below);
    let below = t.sub(below, log);
    let positive = t.less(zero, x);
    t.select(positive, above, below)
}

/// With PyTorch's derivative: 0 at both ends. (At those of a clamp it is 1.)
fn hardtanh(t: &mut Tape, x: Var, low: f64, high: f64) -> Var {
    let [low, high] = [low, high].map(|v| t.scalar(v));
    let above = t.max(x, low);
    t.min(above, high)
}

/// clamp(x + 3, 0, 6)/6
fn hard_gate(t: &mut Tape, x: Var) -> Var {
    let shifted = t.add_scalar(x, 3.0);
    let clamped = hardtanh(t, shifted, 0.0, 6.0);
    t.mul_scalar(clamped, 1.0 / 6.0)
}
