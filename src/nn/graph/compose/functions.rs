//! Functions that several formats name and that are made of others.

use crate::nn::graph::{
    assemble::Assembly,
    constants::HIDDEN,
    extent::Extent,
    op::{Convolution, Op, Pair, Pointwise, Window},
};

/// Of SELU (Klambauer 2017), as PyTorch has them.
const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

impl Assembly {
    pub(crate) fn map(&mut self, function: Pointwise, x: usize) -> Result<usize, String> {
        self.push(Op::Pointwise(function), &[x])
    }

    /// factor·x + term
    pub(crate) fn affine(&mut self, x: usize, factor: f64, term: f64) -> Result<usize, String> {
        self.map(Pointwise::Affine { factor, term }, x)
    }

    pub(crate) fn pair(&mut self, pair: Pair, a: usize, b: usize) -> Result<usize, String> {
        self.push(Op::Pair(pair), &[a, b])
    }

    /// x where x > 0, else slope·x, with one slope for all or one a channel.
    pub(crate) fn prelu(&mut self, x: usize, slope: usize) -> Result<usize, String> {
        let (rank, mut sizes) = (self.shape(x).len(), self.shape(slope).to_vec());
        let slope = match sizes[..] {
            [_] if rank > 2 => {
                sizes.resize(rank - 1, Extent::Fixed(1));
                self.push(Op::Reshape(sizes), &[slope])?
            }
            _ => slope,
        };
        let zero = self.number(0.0)?;
        let (positive, negative) = (self.pair(Pair::Max, x, zero)?, self.pair(Pair::Min, zero, x)?);
        let scaled = self.pair(Pair::Mul, negative, slope)?;
        self.pair(Pair::Add, positive, scaled)
    }

    /// max(x, 0) + min(0, α·(exp(x/α) − 1))
    pub(crate) fn celu(&mut self, x: usize, alpha: f64) -> Result<usize, String> {
        if alpha == 0.0 {
            return Err("celu of α = 0".into());
        }
        let scaled = self.affine(x, 1.0 / alpha, 0.0)?;
        self.map(Pointwise::Elu { alpha: 1.0, scale: alpha }, scaled)
    }

    pub(crate) fn selu(&mut self, x: usize) -> Result<usize, String> {
        self.map(Pointwise::Elu { alpha: SELU.0, scale: SELU.1 }, x)
    }

    /// ln(1 + exp(β·x))/β
    pub(crate) fn softplus(&mut self, x: usize, beta: f64) -> Result<usize, String> {
        if beta == 0.0 {
            return Err("softplus of β = 0".into());
        }
        let scaled = self.affine(x, beta, 0.0)?;
        let y = self.map(Pointwise::Softplus, scaled)?;
        self.affine(y, 1.0 / beta, 0.0)
    }

    /// x·tanh(softplus(x))
    pub(crate) fn mish(&mut self, x: usize) -> Result<usize, String> {
        let y = self.map(Pointwise::Softplus, x)?;
        let gate = self.map(Pointwise::Tanh, y)?;
        self.pair(Pair::Mul, x, gate)
    }

    /// Half of an axis times the sigmoid of the other half.
    pub(crate) fn glu(&mut self, x: usize, axis: usize) -> Result<usize, String> {
        let size = self.shape(x).get(axis).and_then(|e| e.fixed()).unwrap_or(0);
        if size == 0 || !size.is_multiple_of(2) {
            return Err(format!("halves of an axis of {size}"));
        }
        let halves = self.split(x, axis, &[size / 2; 2])?;
        let gate = self.map(Pointwise::Sigmoid, halves[1])?;
        self.pair(Pair::Mul, halves[0], gate)
    }

    /// x where x > at, else a number.
    pub(crate) fn threshold(&mut self, x: usize, at: f64, value: f64) -> Result<usize, String> {
        let (at, value) = (self.number(at)?, self.number(value)?);
        let low = self.pair(Pair::Less, at, x)?;
        self.push(Op::Select, &[low, x, value])
    }

    /// x beyond ±λ, else 0
    pub(crate) fn hardshrink(&mut self, x: usize, lambda: f64) -> Result<usize, String> {
        let (lambda, zero) = (self.number(lambda)?, self.number(0.0)?);
        let size = self.map(Pointwise::Abs, x)?;
        let beyond = self.pair(Pair::Less, lambda, size)?;
        self.push(Op::Select, &[beyond, x, zero])
    }

    /// x − λ above λ, x + λ below −λ, else 0
    pub(crate) fn softshrink(&mut self, x: usize, lambda: f64) -> Result<usize, String> {
        let inside = self.map(Pointwise::Clamp { low: -lambda, high: lambda }, x)?;
        self.pair(Pair::Sub, x, inside)
    }

    /// xᵖ; of a negative number it is no number unless p is a whole one.
    pub(crate) fn power(&mut self, x: usize, p: f64) -> Result<usize, String> {
        match p {
            0.5 => self.map(Pointwise::Sqrt, x),
            -0.5 => self.map(Pointwise::Rsqrt, x),
            p if p.fract() == 0.0 && p.abs() <= 16.0 => self.map(Pointwise::Power(p as i32), x),
            p if p.is_finite() => {
                let (is_zero, safe) = self.without_zero(x)?;
                let log = self.map(Pointwise::Log, safe)?;
                let scaled = self.affine(log, p, 0.0)?;
                let y = self.map(Pointwise::Exp, scaled)?;
                let at_zero = self.number(if p > 0.0 { 0.0 } else { f64::INFINITY })?;
                self.push(Op::Select, &[is_zero, at_zero, y])
            }
            _ => Err(format!("an exponent of {p}")),
        }
    }

    /// x to the power of another tensor, for x > 0.
    pub(crate) fn power_of(&mut self, x: usize, exponent: usize) -> Result<usize, String> {
        let log = self.map(Pointwise::Log, x)?;
        let scaled = self.pair(Pair::Mul, log, exponent)?;
        self.map(Pointwise::Exp, scaled)
    }

    /// The smallest over axes, which stay with size 1.
    pub(crate) fn smallest(&mut self, x: usize, axes: &[usize]) -> Result<usize, String> {
        let turned = self.map(Pointwise::Neg, x)?;
        let most = self.push(Op::Largest { axes: axes.to_vec() }, &[turned])?;
        self.map(Pointwise::Neg, most)
    }

    /// Where a tensor is 0, and the tensor with 1 there, so that no slope is infinite.
    fn without_zero(&mut self, x: usize) -> Result<(usize, usize), String> {
        let (zero, one) = (self.number(0.0)?, self.number(1.0)?);
        let is_zero = self.pair(Pair::Equal, x, zero)?;
        Ok((is_zero, self.push(Op::Select, &[is_zero, one, x])?))
    }

    /// √x with slope 0 at 0, as norms and deviations have it.
    pub(crate) fn safe_root(&mut self, x: usize) -> Result<usize, String> {
        let (is_zero, safe) = self.without_zero(x)?;
        let root = self.map(Pointwise::Sqrt, safe)?;
        let zero = self.number(0.0)?;
        self.push(Op::Select, &[is_zero, zero, root])
    }

    /// (Σ|x|ᵖ)^(1/p) over axes, which stay with size 1.
    pub(crate) fn norm(&mut self, x: usize, p: f64, axes: &[usize]) -> Result<usize, String> {
        let axes = axes.to_vec();
        if p == 2.0 {
            let square = self.map(Pointwise::Power(2), x)?;
            let sum = self.push(Op::Sum { axes }, &[square])?;
            return self.safe_root(sum);
        }
        let size = self.map(Pointwise::Abs, x)?;
        match p {
            1.0 => self.push(Op::Sum { axes }, &[size]),
            f64::INFINITY => self.push(Op::Largest { axes }, &[size]),
            _ => Err(format!("a norm of order {p}, expected 1, 2 or inf")),
        }
    }

    /// Σ(x − mean)²/(n − correction) over axes, which stay with size 1.
    pub(crate) fn variance(&mut self, x: usize, axes: &[usize], correction: f64) -> Result<usize, String> {
        let axes = axes.to_vec();
        let sizes: Option<Vec<usize>> = axes.iter().map(|&d| self.shape(x).get(d)?.fixed()).collect();
        let count = sizes.ok_or("a variance over the batch mixes pictures")?.iter().product::<usize>() as f64;
        if count - correction <= 0.0 {
            return Err(format!("the variance of {count} numbers with a correction of {correction}"));
        }
        let mean = self.push(Op::Mean { axes: axes.clone() }, &[x])?;
        let centred = self.pair(Pair::Sub, x, mean)?;
        let square = self.map(Pointwise::Power(2), centred)?;
        let spread = self.push(Op::Mean { axes }, &[square])?;
        self.affine(spread, count / (count - correction), 0.0)
    }

    /// ln Σ exp(x) over axes, which stay with size 1.
    pub(crate) fn log_sum_exp(&mut self, x: usize, axes: &[usize]) -> Result<usize, String> {
        let axes = axes.to_vec();
        let most = self.push(Op::Largest { axes: axes.clone() }, &[x])?;
        let shifted = self.pair(Pair::Sub, x, most)?;
        let exp = self.map(Pointwise::Exp, shifted)?;
        let sum = self.push(Op::Sum { axes }, &[exp])?;
        let log = self.map(Pointwise::Log, sum)?;
        self.pair(Pair::Add, log, most)
    }

    /// x/√(mean(x²) + ε) over the last axes, times a weight.
    pub(crate) fn rms_norm(
        &mut self,
        x: usize,
        axes: usize,
        epsilon: f64,
        weight: Option<usize>,
    ) -> Result<usize, String> {
        let rank = self.shape(x).len();
        let from = rank.checked_sub(axes).ok_or_else(|| format!("{axes} axes of {rank}"))?;
        let square = self.map(Pointwise::Power(2), x)?;
        let mean = self.push(Op::Mean { axes: (from..rank).collect() }, &[square])?;
        let shifted = self.affine(mean, 1.0, epsilon)?;
        let inverse = self.map(Pointwise::Rsqrt, shifted)?;
        let y = self.pair(Pair::Mul, x, inverse)?;
        match weight {
            Some(weight) => self.pair(Pair::Mul, y, weight),
            None => Ok(y),
        }
    }

    /// The largest of each window; rounded up, the last windows reach over the edge, where nothing is larger.
    pub(crate) fn max_pool(&mut self, x: usize, window: Window, up: bool) -> Result<usize, String> {
        let Window { kernel, stride, padding } = window;
        let mut after = vec![0; 4];
        if up && !window.divides(self.shape(x)) && stride.iter().all(|&n| n > 0) {
            for d in 0..2 {
                let padded = self.size(x, 2 + d)?.saturating_add(padding[d].saturating_mul(2));
                let mut last = padded.saturating_sub(kernel[d]).div_ceil(stride[d]);
                // A window that would start beyond the picture is none.
                if last.saturating_mul(stride[d]) >= padded.saturating_sub(padding[d]) {
                    last = last.saturating_sub(1);
                }
                let reach = last.saturating_mul(stride[d]).saturating_add(kernel[d]);
                after[2 + d] = reach.saturating_sub(padded);
            }
        }
        let x = match after[..] == [0; 4] {
            true => x,
            false => self.push(Op::Pad { before: vec![0; 4], after, value: -HIDDEN }, &[x])?,
        };
        self.push(Op::MaxPool(window), &[x])
    }

    /// Means of channels side by side, `(B,1,C,H,W)` by `[count, stride, padding]`: of local response normalisation.
    pub(crate) fn average_of_channels(
        &mut self,
        x: usize,
        [n, stride, padding]: [usize; 3],
        padded: bool,
    ) -> Result<usize, String> {
        let &[batch, one, c, h, w] = self.shape(x) else {
            return Err("an average over three axes of what has not five".into());
        };
        if one != Extent::Fixed(1) {
            return Err("an average over three axes is known for local response normalisation alone".into());
        }
        let pixels = Extent::Fixed(h.count().saturating_mul(w.count()));
        let flat = self.push(Op::Reshape(vec![batch, one, c, pixels]), &[x])?;
        let window = Window { kernel: [n, 1], stride: [stride, 1], padding: [padding, 0] };
        let y = self.push(Op::AveragePool { window, padded }, &[flat])?;
        let channels = self.shape(y)[2];
        self.push(Op::Reshape(vec![batch, one, channels, h, w]), &[y])
    }

    /// `x (B,C,L), w (O,C/g,k)` as pictures of one row.
    pub(crate) fn conv1d(
        &mut self,
        operands: [usize; 2],
        bias: Option<usize>,
        sizes: Convolution,
    ) -> Result<usize, String> {
        let mut rows = vec![];
        for node in operands {
            let mut shape = self.shape(node).to_vec();
            shape.insert(2.min(shape.len()), Extent::Fixed(1));
            rows.push(Some(self.push(Op::Reshape(shape), &[node])?));
        }
        rows.push(bias);
        let y = self.push_with(Op::Conv2d(sizes), rows)?;
        self.squeeze(y, &[2])
    }
}
