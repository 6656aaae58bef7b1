//! The closed op set: every derivative rule in `tape/rules.rs` stays inside it.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use ordered_float::OrderedFloat;

use super::spec::{ConvSpec, WindowSpec};

/// Pointwise function of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// −x
    Neg,
    /// eˣ
    Exp,
    /// ln x
    Log,
    /// √x
    Sqrt,
    /// 1/√x
    Rsqrt,
    /// tanh x
    Tanh,
    /// 1/(1 + e⁻ˣ)
    Sigmoid,
    /// The error function, 2/√π·∫₀ˣ e^(−t²) dt.
    Erf,
    /// |x|, with gradient sign(x).
    Abs,
    /// xⁿ for an integer n.
    Powi(i32),
    /// 1 where x > 0, else 0. Its gradient is zero.
    Step,
    /// −1, 0 or 1. Its gradient is zero.
    Sign,
}

/// Pointwise function of two tensors of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a·b
    Mul,
    /// a/b
    Div,
    /// The larger; NaN if either is NaN, so that a broken value is never hidden by a ReLU or a clamp.
    Max,
    /// The smaller; NaN if either is NaN.
    Min,
    /// 1 where a < b, else 0; 0 where either is NaN. Its gradient is zero.
    Less,
    /// 1 where a = b, else 0. Its gradient is zero.
    Equal,
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// Adds them up.
    Sum,
    /// A constant to differentiation: used to stabilise softmax, where its gradient cancels.
    Max,
}

/// What a tape node computes. Shapes are the node's own; operands are `Node::inputs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A device buffer that the host writes; also the home of state that a plan updates.
    Input,
    /// A tensor fixed when the tape is built, row-major.
    Literal(Literal),
    /// A rank-0 constant.
    Scalar(OrderedFloat<f64>),
    /// The same function of every element.
    Unary(Unary),
    /// The same function of every pair of elements.
    Binary(Binary),
    /// `select(mask, a, b)`: a where mask ≠ 0, else b.
    Select,
    /// The same elements in row-major order under the node's shape.
    Reshape,
    /// Output axis `d` is input axis `axes[d]`.
    Permute(Vec<usize>),
    /// Same rank; axes of size 1 grow.
    Broadcast,
    /// Output `[0, len)` on axis `d` is input `[start[d], start[d] + len)`.
    Slice(Vec<usize>),
    /// Zeros before each axis; the zeros after follow from the shape.
    Pad(Vec<usize>),
    /// Reverses the axes marked true.
    Flip(Vec<bool>),
    /// Reduces the listed axes to size 1 (rank is kept).
    Reduce(Reduce, Vec<usize>),
    /// `(T, M, K) × (T, K, N) → (T, M, N)`.
    Matmul,
    /// `x (T,B,C,H,W), w (T,O,C/g,kh,kw) → (T,B,O,OH,OW)`.
    /// Within a plan it may have a second pair of operands, whose convolution is added (`plan/sums.rs`); so may the next.
    Conv2d(ConvSpec),
    /// `g (T,B,O,OH,OW), w → (T,B,C,H,W)`.
    Conv2dGradInput(ConvSpec),
    /// `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C/g,kh,kw)`.
    Conv2dGradWeight(ConvSpec),
    /// Position of the largest element in each window, row-major in the window: `(…,H,W) → (…,OH,OW)`.
    WindowArgmax(WindowSpec),
    /// `x (…,H,W), index (…,OH,OW) → (…,OH,OW)`: the indexed element of each window.
    WindowGather(WindowSpec),
    /// `g (…,OH,OW), index (…,OH,OW) → (…,H,W)`: adjoint of `WindowGather`.
    WindowScatter(WindowSpec),
    /// Sum over each window, padding counted as zero: `(…,H,W) → (…,OH,OW)`.
    WindowSum(WindowSpec),
    /// `g (…,OH,OW) → (…,H,W)`: adjoint of `WindowSum`.
    WindowSpread(WindowSpec),
    /// `table (N,D), index (M) → (M,D)`. An index outside `[0, N)` reads zeros.
    Gather,
    /// `values (M,D), index (M) → (N,D)`: adjoint of `Gather`.
    ScatterAdd,
}

/// Constant data, compared by identity: two literals are equal if they share storage.
#[derive(Clone, Debug)]
pub struct Literal(pub Arc<Vec<f64>>);

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Literal {}

impl Hash for Literal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state)
    }
}
