//! Shapes of results, with the batch as a factor. What would mix pictures, or does not fit, is refused here, so that what
//! is built on the tape always fits.

mod checks;
mod several;

use self::{
    checks::{MOST_SIDE, channels, fixed, fixed_axis, images, positive, sized, small, tabled, windows},
    several::{attention, concat, matmul, pad},
};
use super::{
    extent::{self, Extent, broadcast, show},
    op::Op,
};
use crate::tape::spec::ConvSpec;

type Shape = Vec<Extent>;

/// Operands; `None` where one that may be missing is.
pub(crate) struct Operands<'a>(pub Vec<Option<&'a [Extent]>>);

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
pub(crate) fn infer(op: &Op, operands: &Operands) -> Result<Shape, String> {
    let x = || operands.need(0);
    match op {
        Op::Picture | Op::Parameter(_) => Err("has no operands to tell its shape".into()),
        Op::Constant(constant) => Ok(constant.shape.iter().map(|&n| Extent::Fixed(n)).collect()),
        Op::Pointwise(_) => Ok(x()?.to_vec()),
        Op::Pair(_) => broadcast(x()?, operands.need(1)?),
        Op::Select => broadcast(x()?, &broadcast(operands.need(1)?, operands.need(2)?)?),
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
        Op::Softmax { axis } | Op::LogSoftmax { axis } => {
            fixed_axis(x()?, *axis)?;
            Ok(x()?.to_vec())
        }
        Op::Attention { causal, .. } => attention(operands, *causal),
        Op::Mean { axes } | Op::Sum { axes } | Op::Largest { axes } => {
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
        Op::Take { axis, positions } => {
            let (mut shape, size) = (x()?.to_vec(), fixed_axis(x()?, *axis)?);
            if let Some(outside) = positions.iter().find(|&&position| position >= size) {
                return Err(format!("position {outside} of an axis of {size}"));
            }
            shape[*axis] = Extent::Fixed(positions.len());
            Ok(shape)
        }
        Op::Pad { before, after, .. } => pad(x()?, before, after),
        Op::Flip { axes } => {
            axes.iter().try_for_each(|&axis| fixed_axis(x()?, axis).map(|_| ()))?;
            Ok(x()?.to_vec())
        }
    }
}
