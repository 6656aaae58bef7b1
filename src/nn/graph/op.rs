//! The operations of a graph: what importers translate into, and what is built on the tape. All are composites of the
//! tape's closed set (`build/`).

use std::sync::Arc;

use super::extent::Extent;

/// Functions of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pointwise {
    Abs,
    Erf,
    Exp,
    Log,
    Neg,
    Sqrt,
    Rsqrt,
    Relu,
    Sigmoid,
    Tanh,
    /// x·σ(x)
    Silu,
    /// x·Φ(x)
    Gelu,
    GeluTanh,
    /// min(max(x, low), high), whose slope is 0 at both ends: ReLU6
    Hardtanh {
        low: f64,
        high: f64,
    },
    /// The same with slope 1 at both ends
    Clamp {
        low: f64,
        high: f64,
    },
    /// x·clamp(x + 3, 0, 6)/6
    Hardswish,
    /// clamp(x + 3, 0, 6)/6
    Hardsigmoid,
    /// x where x > 0, else slope·x
    LeakyRelu {
        slope: f64,
    },
    /// scale·x where x > 0, else scale·α·(exp(x) − 1)
    Elu {
        alpha: f64,
        scale: f64,
    },
    Power(i32),
    /// factor·x + term
    Affine {
        factor: f64,
        term: f64,
    },
    /// −1, 0 or 1, whose slope is 0
    Sign,
    /// ln σ(x)
    LogSigmoid,
    /// ln(1 + eˣ) = −ln σ(−x), and x above 20
    Softplus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    /// 1 where a < b, else 0; its slope is 0
    Less,
    /// 1 where a = b, else 0; its slope is 0
    Equal,
}

/// Sizes of a pooling's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
}

impl Window {
    /// Whether windows end where the picture `(B,C,H,W)` with its padding does, so that rounding up or down is the same.
    pub(crate) fn divides(&self, shape: &[Extent]) -> bool {
        (0..2).all(|d| match shape.get(2 + d) {
            Some(Extent::Fixed(n)) if self.stride[d] > 0 => n
                .saturating_add(self.padding[d].saturating_mul(2))
                .saturating_sub(self.kernel[d])
                .is_multiple_of(self.stride[d]),
            _ => false,
        })
    }
}

/// Sizes of a convolution that its operands do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Convolution {
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// Row-major numbers of a file that are no parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub shape: Vec<usize>,
    pub data: Arc<Vec<f64>>,
}

/// Operands in brackets may be missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    /// `(B,C,H,W)`
    Picture,
    /// The parameter or buffer at this place of the graph's list.
    Parameter(usize),
    Constant(Constant),
    Pointwise(Pointwise),
    /// With NumPy's broadcasting.
    Pair(Pair),
    /// `mask, a, b`: a where the mask is not 0, else b; with NumPy's broadcasting.
    Select,
    /// `x (B,C,H,W), w (O,C/g,kh,kw), [b (O)]`
    Conv2d(Convolution),
    /// `x (…,D), w (K,D), [b (K)] → (…,K)`
    Linear,
    /// `(…,M,K) × (…,K,N) → (…,M,N)`
    Matmul,
    /// `x (B,C,…), [γ (C)], [β (C)], μ (C), σ² (C)`; with the batch's statistics in train mode.
    BatchNorm {
        name: String,
        epsilon: f64,
        /// Share of the batch's statistics in the running ones.
        momentum: f64,
    },
    /// Over the last axes: `x, [γ], [β]`
    LayerNorm {
        axes: usize,
        epsilon: f64,
    },
    /// `x (B,C,…), [γ (C)], [β (C)]`; a group a channel is instance norm.
    GroupNorm {
        groups: usize,
        epsilon: f64,
    },
    MaxPool(Window),
    /// `padded`: zeros of the padding count.
    AveragePool {
        window: Window,
        padded: bool,
    },
    AdaptiveAveragePool([usize; 2]),
    Softmax {
        axis: usize,
    },
    LogSoftmax {
        axis: usize,
    },
    /// The largest over these axes, which stay with size 1; its gradient goes to all that are as large in equal parts.
    Largest {
        axes: Vec<usize>,
    },
    /// `q (…,L,d), k (…,S,d), v (…,S,e), [mask]`: softmax(scale·q·kᵀ + mask)·v
    Attention {
        scale: f64,
        causal: bool,
    },
    Mean {
        axes: Vec<usize>,
    },
    Sum {
        axes: Vec<usize>,
    },
    Reshape(Vec<Extent>),
    Permute(Vec<usize>),
    Expand(Vec<Extent>),
    Slice {
        axis: usize,
        start: usize,
        len: usize,
    },
    Concat {
        axis: usize,
    },
    /// These positions of one axis, in this order.
    Take {
        axis: usize,
        positions: Arc<Vec<usize>>,
    },
    /// Numbers before and after each axis.
    Pad {
        before: Vec<usize>,
        after: Vec<usize>,
        value: f64,
    },
    Flip {
        axes: Vec<usize>,
    },
}

impl Op {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        if let Op::Constant(_) = self {
            return "constant".into();
        }
        let text = format!("{self:?}");
        text.split([' ', '(', '{']).next().unwrap_or_default().to_lowercase()
    }
}
