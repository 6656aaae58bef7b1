//! Builder methods for pointwise operations, with NumPy's broadcasting.

use super::{
    Tape, Var,
    op::{Binary, Op, Unary},
};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        impl Tape { $( $(#[$doc])* pub fn $name(&mut self, x: Var) -> Var { self.unary($op, x) } )* }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        impl Tape { $( $(#[$doc])* pub fn $name(&mut self, a: Var, b: Var) -> Var { self.binary($op, a, b) } )* }
    };
}

unary! {
    /// −x
    neg => Unary::Neg;
    /// eˣ
    exp => Unary::Exp;
    /// ln x
    log => Unary::Log;
    /// √x
    sqrt => Unary::Sqrt;
    /// 1/√x
    rsqrt => Unary::Rsqrt;
    /// tanh x
    tanh => Unary::Tanh;
    /// 1/(1 + e⁻ˣ)
    sigmoid => Unary::Sigmoid;
    /// The error function, 2/√π·∫₀ˣ e^(−t²) dt.
    erf => Unary::Erf;
    /// |x|, with gradient sign(x).
    abs => Unary::Abs;
    /// 1 where x > 0, else 0; zero gradient.
    step => Unary::Step;
    /// −1, 0 or 1; zero gradient.
    sign => Unary::Sign;
}

binary! {
    /// a + b
    add => Binary::Add;
    /// a − b
    sub => Binary::Sub;
    /// a·b
    mul => Binary::Mul;
    /// a/b
    div => Binary::Div;
    /// The larger of both; NaN if either is NaN.
    max => Binary::Max;
    /// The smaller of both; NaN if either is NaN.
    min => Binary::Min;
    /// 1 where a < b, else 0; zero gradient.
    less => Binary::Less;
    /// 1 where a = b, else 0; zero gradient.
    equal => Binary::Equal;
}

impl Tape {
    /// xⁿ for an integer n.
    pub fn powi(&mut self, x: Var, n: i32) -> Var {
        self.unary(Unary::Powi(n), x)
    }

    pub(crate) fn unary(&mut self, op: Unary, x: Var) -> Var {
        let shape = self.shape(x).to_vec();
        self.push(Op::Unary(op), vec![x], shape)
    }

    pub(crate) fn binary(&mut self, op: Binary, a: Var, b: Var) -> Var {
        let shape = broadcast_shape(self.shape(a), self.shape(b));
        let (a, b) = (self.broadcast_to(a, &shape), self.broadcast_to(b, &shape));
        self.push(Op::Binary(op), vec![a, b], shape)
    }

    /// `a` where `mask` ≠ 0, else `b`. All three broadcast.
    pub fn select(&mut self, mask: Var, a: Var, b: Var) -> Var {
        let shape = broadcast_shape(self.shape(a), self.shape(b));
        let shape = broadcast_shape(self.shape(mask), &shape);
        let inputs = [mask, a, b].map(|v| self.broadcast_to(v, &shape));
        self.push(Op::Select, inputs.to_vec(), shape)
    }

    /// x + c
    pub fn add_scalar(&mut self, x: Var, c: f64) -> Var {
        let c = self.scalar(c);
        self.add(x, c)
    }

    /// c·x
    pub fn mul_scalar(&mut self, x: Var, c: f64) -> Var {
        let c = self.scalar(c);
        self.mul(x, c)
    }

    /// max(x, 0), with PyTorch's derivative 0 at 0.
    pub fn relu(&mut self, x: Var) -> Var {
        let zero = self.scalar(0.0);
        self.max(x, zero)
    }
}

fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], d: usize| if d + s.len() < rank { 1 } else { s[d + s.len() - rank] };
    (0..rank)
        .map(|d| match (at(a, d), at(b, d)) {
            (m, n) if m == n => m,
            (1, n) => n,
            (m, 1) => m,
            _ => panic!("shapes {a:?} and {b:?} do not broadcast"),
        })
        .collect()
}
