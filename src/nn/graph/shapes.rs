//! Shapes of results, with the batch as a factor. What would mix pictures, or does not fit, is refused here, so that what
//! is built on the tape always fits.

use super::{
    extent::{self, Extent, broadcast, show},
    op::{Op, Window},
};
use crate::tape::spec::{ConvSpec, WindowSpec};

type Shape = Vec<Extent>;

/// Operands; `None` where one that may be missing is.
pub struct Operands<'a>(pub Vec<Option<&'a [Extent]>>);

impl<'a> Operands<'a> {
    fn get(&self, i: usize) -> Option<&'a [Extent]> {
        self.0.get(i).copied().flatten()
    }

    fn need(&self, i: usize) -> Result<&'a [Extent], String> {
        self.get(i).ok_or_else(|| format!("operand {i} is missing"))
    }

    /// An operand of these sizes, if it is there.
    fn expect(&self, i: usize, shape: &[usize]) -> Result<(), String> {
        let wanted: Shape = shape.iter().map(|&n| Extent::Fixed(n)).collect();
        match self.get(i) {
            Some(found) if found != wanted => {
                Err(format!("operand {i} is {}, expected {}", show(found), show(&wanted)))
            }
            _ => Ok(()),
        }
    }
}

/// The shape of an operation's result.
///
/// # Errors
/// What does not fit, without the node's place.
pub fn infer(op: &Op, operands: &Operands) -> Result<Shape, String> {
    let x = || operands.need(0);
    match op {
        Op::Picture | Op::Parameter(_) => Err("has no operands to tell its shape".into()),
        Op::Constant(constant) => Ok(constant.shape.iter().map(|&n| Extent::Fixed(n)).collect()),
        Op::Pointwise(_) => Ok(x()?.to_vec()),
        Op::Pair(_) => broadcast(x()?, operands.need(1)?),
        Op::Conv2d(sizes) => {
            let ((batch, [c, h, w]), [o, cg, kh, kw]) = (images(x()?)?, fixed(operands.need(1)?)?);
            let spec = ConvSpec {
                batch: 1,
                channels: c,
                outputs: o,
                size: [h, w],
                kernel: [kh, kw],
                stride: sizes.stride,
                padding: sizes.padding,
                dilation: sizes.dilation,
                groups: sizes.groups,
            };
            let groups = sizes.groups;
            if groups == 0 || !c.is_multiple_of(groups) || !o.is_multiple_of(groups) || c / groups != cg {
                return Err(format!(
                    "a weight of {} in {groups} groups does not fit {c} channels",
                    show(operands.need(1)?)
                ));
            }
            let all = [spec.kernel, spec.stride, spec.padding, spec.dilation];
            small(all.iter().flatten())?;
            positive([spec.kernel, spec.stride, spec.dilation].iter().flatten())?;
            operands.expect(2, &[o])?;
            sized(batch, o, spec.output_size())
        }
        Op::Linear => {
            let ([k, d], x) = (fixed(operands.need(1)?)?, x()?);
            let Some((&last, rest)) = x.split_last() else { return Err("it has no axis".into()) };
            if last != Extent::Fixed(d) {
                return Err(format!("a weight of ({k}, {d}) does not fit {}", show(x)));
            }
            operands.expect(2, &[k])?;
            Ok([rest, &[Extent::Fixed(k)]].concat())
        }
        Op::Matmul => matmul(x()?, operands.need(1)?),
        Op::BatchNorm { .. } => {
            let c = channels(x()?)?;
            (1..5).try_for_each(|i| operands.expect(i, &[c]))?;
            [3, 4].into_iter().try_for_each(|i| operands.need(i).map(|_| ()))?;
            if x()?.len() > 4 {
                return Err(format!(
                    "batch norm of {}, expected (B, C), (B, C, L) or (B, C, H, W)",
                    show(x()?)
                ));
            }
            Ok(x()?.to_vec())
        }
        Op::LayerNorm { axes, .. } => {
            let x = x()?;
            let from = x.len().checked_sub(*axes).filter(|_| *axes > 0);
            let from = from.ok_or_else(|| format!("{axes} axes of {}", show(x)))?;
            let sizes: Option<Vec<usize>> = x[from..].iter().map(|e| e.fixed()).collect();
            let sizes = sizes.ok_or("it would mix the pictures of a batch")?;
            operands.expect(1, &sizes)?;
            operands.expect(2, &sizes)?;
            Ok(x.to_vec())
        }
        Op::GroupNorm { groups, .. } => {
            let c = channels(x()?)?;
            if *groups == 0 || !c.is_multiple_of(*groups) {
                return Err(format!("{groups} groups of {c} channels"));
            }
            if x()?[1..].iter().any(|e| e.fixed().is_none()) {
                return Err("it would mix the pictures of a batch".into());
            }
            operands.expect(1, &[c])?;
            operands.expect(2, &[c])?;
            Ok(x()?.to_vec())
        }
        Op::MaxPool(window) | Op::AveragePool { window, .. } => {
            let (batch, [c, h, w]) = images(x()?)?;
            let sides = windows([h, w], window)?;
            tabled(sides[0], sides[1])?;
            sized(batch, c, sides)
        }
        Op::AdaptiveAveragePool(sides) => {
            let (batch, [c, ..]) = images(x()?)?;
            if sides.iter().any(|&side| side > MOST_SIDE) {
                return Err(format!("sides of {sides:?}, expected at most {MOST_SIDE}"));
            }
            sized(batch, c, *sides)
        }
        Op::Softmax { axis } => {
            fixed_axis(x()?, *axis)?;
            Ok(x()?.to_vec())
        }
        Op::Attention { causal, .. } => attention(operands, *causal),
        Op::Mean { axes } | Op::Sum { axes } => {
            let mut shape = x()?.to_vec();
            for &axis in axes {
                fixed_axis(&shape, axis)?;
                shape[axis] = Extent::Fixed(1);
            }
            Ok(shape)
        }
        Op::Reshape(to) => {
            let (found, wanted) = (extent::elements(x()?), extent::elements(to));
            let batch = |shape: &[Extent]| shape.iter().filter(|e| e.fixed().is_none()).count();
            match found == wanted && found.is_some() && batch(x()?) == batch(to) {
                true => Ok(to.clone()),
                false => Err(format!("{} cannot be reshaped to {}", show(x()?), show(to))),
            }
        }
        Op::Permute(axes) => {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            match sorted.iter().copied().eq(0..x()?.len()) {
                true => axes.iter().map(|&a| Ok(x()?[a])).collect(),
                false => Err(format!("axes {axes:?} of {}", show(x()?))),
            }
        }
        Op::Expand(to) => match broadcast(x()?, to)? {
            shape if shape == *to => Ok(shape),
            _ => Err(format!("{} cannot be expanded to {}", show(x()?), show(to))),
        },
        Op::Slice { axis, start, len } => {
            let size = fixed_axis(x()?, *axis)?;
            if *len == 0 || start.checked_add(*len).is_none_or(|end| end > size) {
                return Err(format!("{len} from {start} of an axis of {size}"));
            }
            let mut shape = x()?.to_vec();
            shape[*axis] = Extent::Fixed(*len);
            Ok(shape)
        }
        Op::Concat { axis } => concat(operands, *axis),
        Op::Pad { before, after, .. } => pad(x()?, before, after),
        Op::Flip { axes } => {
            axes.iter().try_for_each(|&axis| fixed_axis(x()?, axis).map(|_| ()))?;
            Ok(x()?.to_vec())
        }
    }
}

/// Bounds every size of a kernel, so that no product of two overflows.
const MOST: usize = 1 << 20;
/// Of an adaptive pooling, which is a product with a matrix of its own.
const MOST_SIDE: usize = 4096;
const MOST_TABLE: usize = 1 << 24;

fn small<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> Result<(), String> {
    match sizes.into_iter().find(|&&n| n > MOST) {
        Some(n) => Err(format!("a size of {n}, expected at most {MOST}")),
        None => Ok(()),
    }
}

/// A table of these sides may be held as a literal: a mask, or how many pixels a window sees.
fn tabled(rows: usize, columns: usize) -> Result<(), String> {
    match rows.checked_mul(columns) {
        Some(0..=MOST_TABLE) => Ok(()),
        _ => Err(format!("a table of {rows} × {columns}, expected at most {MOST_TABLE} numbers")),
    }
}

fn positive<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> Result<(), String> {
    match sizes.into_iter().any(|&n| n == 0) {
        true => Err("a kernel, stride or dilation of 0".into()),
        false => Ok(()),
    }
}

/// All sizes, none of which holds the batch.
fn fixed<const N: usize>(shape: &[Extent]) -> Result<[usize; N], String> {
    let sizes: Option<Vec<usize>> = shape.iter().map(|e| e.fixed()).collect();
    sizes
        .and_then(|sizes| sizes.try_into().ok())
        .ok_or_else(|| format!("an operand is {}, expected {N} axes without the batch", show(shape)))
}

/// The batch, and `[C, H, W]`.
fn images(shape: &[Extent]) -> Result<(Extent, [usize; 3]), String> {
    match *shape {
        [batch, Extent::Fixed(c), Extent::Fixed(h), Extent::Fixed(w)] => Ok((batch, [c, h, w])),
        _ => Err(format!("an operand is {}, expected (B, C, H, W)", show(shape))),
    }
}

fn sized(batch: Extent, channels: usize, [h, w]: [usize; 2]) -> Result<Shape, String> {
    match channels == 0 || h == 0 || w == 0 {
        true => Err("its result is empty: the picture is too small".into()),
        false => Ok(vec![batch, Extent::Fixed(channels), Extent::Fixed(h), Extent::Fixed(w)]),
    }
}

fn windows(size: [usize; 2], window: &Window) -> Result<[usize; 2], String> {
    let Window { kernel, stride, padding } = *window;
    small([kernel, stride, padding].iter().flatten())?;
    positive([kernel, stride].iter().flatten())?;
    if (0..2).any(|d| 2 * padding[d] > kernel[d]) {
        return Err(format!("padding {padding:?} is more than half of the kernel {kernel:?}"));
    }
    Ok(WindowSpec { size, kernel, stride, padding }.output_size())
}

/// The size of axis 1 of `(B,C,…)`.
fn channels(shape: &[Extent]) -> Result<usize, String> {
    match shape {
        [_, Extent::Fixed(c), ..] => Ok(*c),
        _ => Err(format!("an operand is {}, expected (B, C, …)", show(shape))),
    }
}

/// The size of an axis, over which something is done that must not mix pictures.
fn fixed_axis(shape: &[Extent], axis: usize) -> Result<usize, String> {
    match shape.get(axis) {
        Some(Extent::Fixed(n)) => Ok(*n),
        Some(_) => Err(format!("axis {axis} of {} is the batch: it would mix pictures", show(shape))),
        None => Err(format!("axis {axis} of {}", show(shape))),
    }
}

fn matmul(a: &[Extent], b: &[Extent]) -> Result<Shape, String> {
    let misfit = || format!("{} × {}", show(a), show(b));
    let ([outer_a @ .., m, k], [outer_b @ .., l, n]) = (a, b) else { return Err(misfit()) };
    let mixes = k.fixed().is_none() || (m.fixed().is_none() && n.fixed().is_none());
    match k == l {
        true if mixes => Err(format!("{} mixes the pictures of a batch", misfit())),
        true => Ok([broadcast(outer_a, outer_b)?, vec![*m, *n]].concat()),
        false => Err(misfit()),
    }
}

fn attention(operands: &Operands, causal: bool) -> Result<Shape, String> {
    let [q, k, v] = [operands.need(0)?, operands.need(1)?, operands.need(2)?];
    let misfit = || format!("queries {}, keys {} and values {}", show(q), show(k), show(v));
    let ([outer @ .., l, d], [outer_k @ .., s, d_k], [outer_v @ .., s_v, e]) = (q, k, v) else {
        return Err(misfit());
    };
    let inner = [l, d, s, e];
    if outer != outer_k
        || outer != outer_v
        || d != d_k
        || s != s_v
        || inner.iter().any(|n| n.fixed().is_none())
    {
        return Err(misfit());
    }
    if causal && l != s {
        return Err(format!("{}: causal attention of a sequence to another", misfit()));
    }
    tabled(l.count(), s.count())?;
    let scores = [outer, &[*l, *s]].concat();
    match operands.get(3) {
        Some(mask) if broadcast(mask, &scores)? != scores => {
            Err(format!("a mask of {} for scores of {}", show(mask), show(&scores)))
        }
        _ => Ok([outer, &[*l, *e]].concat()),
    }
}

fn concat(operands: &Operands, axis: usize) -> Result<Shape, String> {
    let mut shape = operands.need(0)?.to_vec();
    let mut total = 0usize;
    for i in 0..operands.0.len() {
        let part = operands.need(i)?;
        total = total.saturating_add(fixed_axis(part, axis)?);
        let fits = part.len() == shape.len() && (0..shape.len()).all(|d| d == axis || part[d] == shape[d]);
        if !fits {
            return Err(format!("{} and {} are joined along axis {axis}", show(&shape), show(part)));
        }
    }
    shape[axis] = Extent::Fixed(total);
    Ok(shape)
}

fn pad(x: &[Extent], before: &[usize], after: &[usize]) -> Result<Shape, String> {
    if before.len() != x.len() || after.len() != x.len() {
        return Err(format!("{} and {} paddings of {}", before.len(), after.len(), show(x)));
    }
    small(before.iter().chain(after))?;
    let padded = |d: usize| match (x[d], before[d] + after[d]) {
        (extent, 0) => Ok(extent),
        (_, more) => Ok(Extent::Fixed(fixed_axis(x, d)? + more)),
    };
    (0..x.len()).map(padded).collect()
}
