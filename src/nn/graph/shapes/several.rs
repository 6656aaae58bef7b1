//! Shapes of products, joins and paddings.

use super::{
    Operands, Shape,
    checks::{fixed_axis, small, tabled},
};
use crate::nn::graph::extent::{Extent, broadcast, show};

pub(super) fn matmul(a: &[Extent], b: &[Extent]) -> Result<Shape, String> {
    let misfit = || format!("{} × {}", show(a), show(b));
    let ([outer_a @ .., m, k], [outer_b @ .., l, n]) = (a, b) else { return Err(misfit()) };
    let mixes = k.fixed().is_none() || (m.fixed().is_none() && n.fixed().is_none());
    match k == l {
        true if mixes => Err(format!("{} mixes the pictures of a batch", misfit())),
        true => Ok([broadcast(outer_a, outer_b)?, vec![*m, *n]].concat()),
        false => Err(misfit()),
    }
}

pub(super) fn attention(operands: &Operands, causal: bool) -> Result<Shape, String> {
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

pub(super) fn concat(operands: &Operands, axis: usize) -> Result<Shape, String> {
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

pub(super) fn pad(x: &[Extent], before: &[usize], after: &[usize]) -> Result<Shape, String> {
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
