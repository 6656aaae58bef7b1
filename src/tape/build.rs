//! Builder methods for leaves, shape, reductions, contractions and indexed operations.

use std::sync::Arc;

use super::{
    Tape, Var,
    op::{Literal, Op, Reduce},
    spec::{ConvSpec, WindowSpec},
};

impl Tape {
    /// A buffer that the host writes or that a plan updates.
    pub fn input(&mut self, shape: &[usize]) -> Var {
        self.push(Op::Input, vec![], shape.to_vec())
    }

    /// A constant tensor, row-major.
    pub fn literal(&mut self, shape: &[usize], data: Vec<f64>) -> Var {
        self.literal_of(shape, Arc::new(data))
    }

    /// The same of numbers that several tapes share.
    pub fn literal_of(&mut self, shape: &[usize], data: Arc<Vec<f64>>) -> Var {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "literal of shape {shape:?}");
        self.push(Op::Literal(Literal(data)), vec![], shape.to_vec())
    }

    /// A rank-0 constant.
    pub fn scalar(&mut self, value: f64) -> Var {
        self.push(Op::Scalar(value.into()), vec![], vec![])
    }

    /// A tensor of one value.
    pub fn full(&mut self, shape: &[usize], value: f64) -> Var {
        let value = self.scalar(value);
        self.broadcast_to(value, shape)
    }

    /// The same elements in row-major order under another shape; `x` itself where the shapes are equal.
    pub fn reshape(&mut self, x: Var, shape: &[usize]) -> Var {
        let (from, len) = (self.shape(x).to_vec(), self.len_of(x));
        assert_eq!(len, shape.iter().product::<usize>(), "reshape {from:?} to {shape:?}");
        if from == shape { x } else { self.push(Op::Reshape, vec![x], shape.to_vec()) }
    }

    /// Output axis `d` is input axis `axes[d]`.
    pub fn permute(&mut self, x: Var, axes: &[usize]) -> Var {
        let from = self.shape(x);
        assert_eq!(axes.len(), from.len(), "permute {from:?} by {axes:?}");
        let shape = axes.iter().map(|&a| from[a]).collect();
        if axes.iter().enumerate().all(|(i, &a)| i == a) {
            return x;
        }
        self.push(Op::Permute(axes.to_vec()), vec![x], shape)
    }

    /// Swaps the last two axes.
    pub fn transpose(&mut self, x: Var) -> Var {
        let rank = self.shape(x).len();
        let mut axes: Vec<_> = (0..rank).collect();
        axes.swap(rank - 2, rank - 1);
        self.permute(x, &axes)
    }

    /// NumPy's broadcasting: missing leading axes are added, axes of size 1 grow.
    pub fn broadcast_to(&mut self, x: Var, shape: &[usize]) -> Var {
        let from = self.shape(x).to_vec();
        assert!(from.len() <= shape.len(), "broadcast {from:?} to {shape:?}");
        let mut aligned = vec![1; shape.len() - from.len()];
        aligned.extend(&from);
        assert!(
            aligned.iter().zip(shape).all(|(&m, &n)| m == n || m == 1),
            "broadcast {from:?} to {shape:?}"
        );
        let x = self.reshape(x, &aligned);
        if aligned == shape { x } else { self.push(Op::Broadcast, vec![x], shape.to_vec()) }
    }

    /// `[start[d], start[d] + shape[d])` of each axis.
    pub fn slice(&mut self, x: Var, start: &[usize], shape: &[usize]) -> Var {
        let from = self.shape(x).to_vec();
        assert!(
            (0..from.len()).all(|d| start[d] + shape[d] <= from[d]),
            "slice {start:?} + {shape:?} of {from:?}"
        );
        if from == shape { x } else { self.push(Op::Slice(start.to_vec()), vec![x], shape.to_vec()) }
    }

    /// `[start, start + len)` of one axis.
    pub fn narrow(&mut self, x: Var, axis: usize, start: usize, len: usize) -> Var {
        let mut shape = self.shape(x).to_vec();
        let mut starts = vec![0; shape.len()];
        (starts[axis], shape[axis]) = (start, len);
        self.slice(x, &starts, &shape)
    }

    /// Zeros around `x`: `before[d]` in front, and as many behind as make the result `shape`.
    pub fn pad(&mut self, x: Var, before: &[usize], shape: &[usize]) -> Var {
        let from = self.shape(x).to_vec();
        assert!(
            (0..from.len()).all(|d| before[d] + from[d] <= shape[d]),
            "pad {from:?} by {before:?} to {shape:?}"
        );
        if from == shape { x } else { self.push(Op::Pad(before.to_vec()), vec![x], shape.to_vec()) }
    }

    /// Joins along one axis: a sum of padded parts, so that its derivative is a slice.
    pub fn concat(&mut self, parts: &[Var], axis: usize) -> Var {
        let mut shape = self.shape(parts[0]).to_vec();
        shape[axis] = parts.iter().map(|&p| self.shape(p)[axis]).sum();
        let mut before = vec![0; shape.len()];
        let mut joined: Option<Var> = None;
        for &part in parts {
            let padded = self.pad(part, &before, &shape);
            before[axis] += self.shape(part)[axis];
            joined = Some(joined.map_or(padded, |j| self.add(j, padded)));
        }
        joined.expect("concat of nothing")
    }

    /// Reverses the given axes.
    pub fn flip(&mut self, x: Var, axes: &[usize]) -> Var {
        let shape = self.shape(x).to_vec();
        let marks = (0..shape.len()).map(|d| axes.contains(&d)).collect();
        self.push(Op::Flip(marks), vec![x], shape)
    }

    /// Sum over `axes`, which stay with size 1.
    pub fn sum(&mut self, x: Var, axes: &[usize]) -> Var {
        self.reduce(Reduce::Sum, x, axes)
    }

    /// Maximum over `axes`, which stay with size 1. A constant to differentiation.
    pub fn max_over(&mut self, x: Var, axes: &[usize]) -> Var {
        self.reduce(Reduce::Max, x, axes)
    }

    /// Mean over the listed axes, which stay with size 1.
    pub fn mean(&mut self, x: Var, axes: &[usize]) -> Var {
        let count: usize = axes.iter().map(|&a| self.shape(x)[a]).product();
        let sum = self.sum(x, axes);
        self.mul_scalar(sum, 1.0 / count as f64)
    }

    /// Sum of all axes but the first: `(T,…) → (T)`.
    pub fn sum_per_trial(&mut self, x: Var) -> Var {
        let axes: Vec<_> = (1..self.shape(x).len()).collect();
        let trials = self.shape(x)[0];
        let sum = self.sum(x, &axes);
        self.reshape(sum, &[trials])
    }

    fn reduce(&mut self, reduce: Reduce, x: Var, axes: &[usize]) -> Var {
        let mut shape = self.shape(x).to_vec();
        let mut axes: Vec<_> = axes.iter().copied().filter(|&a| shape[a] != 1).collect();
        axes.sort_unstable();
        axes.iter().for_each(|&a| shape[a] = 1);
        if axes.is_empty() { x } else { self.push(Op::Reduce(reduce, axes), vec![x], shape) }
    }

    /// `(T,M,K) × (T,K,N) → (T,M,N)`.
    pub fn matmul(&mut self, a: Var, b: Var) -> Var {
        let (sa, sb) = (self.shape(a).to_vec(), self.shape(b).to_vec());
        assert!(
            sa.len() == 3 && sb.len() == 3 && sa[0] == sb[0] && sa[2] == sb[1],
            "matmul of {sa:?} and {sb:?}"
        );
        self.push(Op::Matmul, vec![a, b], vec![sa[0], sa[1], sb[2]])
    }

    /// `x (T,B,C,H,W), w (T,O,C/groups,kh,kw) → (T,B,O,OH,OW)`.
    pub fn conv2d(&mut self, x: Var, w: Var, spec: ConvSpec) -> Var {
        let trials = self.shape(x)[0];
        self.expect(x, &spec.input_shape(trials), w, &spec.weight_shape(trials));
        self.push(Op::Conv2d(spec), vec![x, w], spec.output_shape(trials))
    }

    /// `g (T,B,O,OH,OW), w → (T,B,C,H,W)`.
    pub fn conv2d_grad_input(&mut self, g: Var, w: Var, spec: ConvSpec) -> Var {
        let trials = self.shape(g)[0];
        self.expect(g, &spec.output_shape(trials), w, &spec.weight_shape(trials));
        self.push(Op::Conv2dGradInput(spec), vec![g, w], spec.input_shape(trials))
    }

    /// `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C/groups,kh,kw)`.
    pub fn conv2d_grad_weight(&mut self, x: Var, g: Var, spec: ConvSpec) -> Var {
        let trials = self.shape(x)[0];
        self.expect(x, &spec.input_shape(trials), g, &spec.output_shape(trials));
        self.push(Op::Conv2dGradWeight(spec), vec![x, g], spec.weight_shape(trials))
    }

    fn expect(&self, a: Var, shape_a: &[usize], b: Var, shape_b: &[usize]) {
        assert_eq!(self.shape(a), shape_a, "first operand of a convolution");
        assert_eq!(self.shape(b), shape_b, "second operand of a convolution");
    }

    /// Position of the largest element of each window, `(…,H,W) → (…,OH,OW)`; zero gradient.
    pub fn window_argmax(&mut self, x: Var, spec: WindowSpec) -> Var {
        let shape = self.resized(x, spec.size, spec.output_size());
        self.push(Op::WindowArgmax(spec), vec![x], shape)
    }

    /// The indexed element of each window: `x (…,H,W), index (…,OH,OW) → (…,OH,OW)`.
    pub fn window_gather(&mut self, x: Var, index: Var, spec: WindowSpec) -> Var {
        let shape = self.resized(x, spec.size, spec.output_size());
        self.push(Op::WindowGather(spec), vec![x, index], shape)
    }

    /// Adjoint of [`Tape::window_gather`]: `g (…,OH,OW), index (…,OH,OW) → (…,H,W)`.
    pub fn window_scatter(&mut self, g: Var, index: Var, spec: WindowSpec) -> Var {
        let shape = self.resized(g, spec.output_size(), spec.size);
        self.push(Op::WindowScatter(spec), vec![g, index], shape)
    }

    /// Sum over each window, `(…,H,W) → (…,OH,OW)`.
    pub fn window_sum(&mut self, x: Var, spec: WindowSpec) -> Var {
        let shape = self.resized(x, spec.size, spec.output_size());
        self.push(Op::WindowSum(spec), vec![x], shape)
    }

    /// Adjoint of [`Tape::window_sum`]: `(…,OH,OW) → (…,H,W)`.
    pub fn window_spread(&mut self, g: Var, spec: WindowSpec) -> Var {
        let shape = self.resized(g, spec.output_size(), spec.size);
        self.push(Op::WindowSpread(spec), vec![g], shape)
    }

    fn resized(&self, x: Var, from: [usize; 2], to: [usize; 2]) -> Vec<usize> {
        let mut shape = self.shape(x).to_vec();
        let rank = shape.len();
        assert_eq!(shape[rank - 2..], from, "operand of a pooling window");
        shape[rank - 2..].copy_from_slice(&to);
        shape
    }

    /// Rows of a table: `table (N,D), index (M) → (M,D)`.
    pub fn gather(&mut self, table: Var, index: Var) -> Var {
        let shape = vec![self.shape(index)[0], self.shape(table)[1]];
        self.push(Op::Gather, vec![table, index], shape)
    }

    /// Adjoint of [`Tape::gather`] for a table of `rows`: `values (M,D), index (M) → (rows,D)`.
    pub fn scatter_add(&mut self, values: Var, index: Var, rows: usize) -> Var {
        let shape = vec![rows, self.shape(values)[1]];
        self.push(Op::ScatterAdd, vec![values, index], shape)
    }
}
