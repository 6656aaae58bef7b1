//! What is asked of sizes: bounds, kinds of shapes, and axes that hold no batch.

use super::Shape;
use crate::{
    nn::graph::{
        extent::{Extent, show},
        op::Window,
    },
    tape::spec::WindowSpec,
};

/// Bounds every size of a kernel, so that no product of two overflows.
const MOST: usize = 1 << 20;
/// Of an adaptive pooling, which is a product with a matrix of its own.
pub(super) const MOST_SIDE: usize = 4096;
const MOST_TABLE: usize = 1 << 24;

pub(super) fn small<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> Result<(), String> {
    match sizes.into_iter().find(|&&n| n > MOST) {
        Some(n) => Err(format!("a size of {n}, expected at most {MOST}")),
        None => Ok(()),
    }
}

/// A table of these sides may be held as a literal: a mask, or how many pixels a window sees.
pub(super) fn tabled(rows: usize, columns: usize) -> Result<(), String> {
    match rows.checked_mul(columns) {
        Some(0..=MOST_TABLE) => Ok(()),
        _ => Err(format!("a table of {rows} × {columns}, expected at most {MOST_TABLE} numbers")),
    }
}

pub(super) fn positive<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> Result<(), String> {
    match sizes.into_iter().any(|&n| n == 0) {
        true => Err("a kernel, stride or dilation of 0".into()),
        false => Ok(()),
    }
}

/// All sizes, none of which holds the batch.
pub(super) fn fixed<const N: usize>(shape: &[Extent]) -> Result<[usize; N], String> {
    let sizes: Option<Vec<usize>> = shape.iter().map(|e| e.fixed()).collect();
    sizes
        .and_then(|sizes| sizes.try_into().ok())
        .ok_or_else(|| format!("an operand is {}, expected {N} axes without the batch", show(shape)))
}

/// The batch, and `[C, H, W]`.
pub(super) fn images(shape: &[Extent]) -> Result<(Extent, [usize; 3]), String> {
    match *shape {
        [batch, Extent::Fixed(c), Extent::Fixed(h), Extent::Fixed(w)] => Ok((batch, [c, h, w])),
        _ => Err(format!("an operand is {}, expected (B, C, H, W)", show(shape))),
    }
}

pub(super) fn sized(batch: Extent, channels: usize, [h, w]: [usize; 2]) -> Result<Shape, String> {
    match channels == 0 || h == 0 || w == 0 {
        true => Err("its result is empty: the picture is too small".into()),
        false => Ok(vec![batch, Extent::Fixed(channels), Extent::Fixed(h), Extent::Fixed(w)]),
    }
}

pub(super) fn windows(size: [usize; 2], window: &Window) -> Result<[usize; 2], String> {
    let Window { kernel, stride, padding } = *window;
    small([kernel, stride, padding].iter().flatten())?;
    positive([kernel, stride].iter().flatten())?;
    if (0..2).any(|d| 2 * padding[d] > kernel[d]) {
        return Err(format!("padding {padding:?} is more than half of the kernel {kernel:?}"));
    }
    Ok(WindowSpec { size, kernel, stride, padding }.output_size())
}

/// The size of axis 1 of `(B,C,…)`.
pub(super) fn channels(shape: &[Extent]) -> Result<usize, String> {
    match shape {
        [_, Extent::Fixed(c), ..] => Ok(*c),
        _ => Err(format!("an operand is {}, expected (B, C, …)", show(shape))),
    }
}

/// The size of an axis, over which something is done that must not mix pictures.
pub(super) fn fixed_axis(shape: &[Extent], axis: usize) -> Result<usize, String> {
    match shape.get(axis) {
        Some(Extent::Fixed(n)) => Ok(*n),
        Some(_) => Err(format!("axis {axis} of {} is the batch: it would mix pictures", show(shape))),
        None => Err(format!("axis {axis} of {}", show(shape))),
    }
}
