//! What moves numbers.

use super::{
    arithmetic,
    attributes::Arguments,
    layers::axis,
    translate::{Item, Translated, one},
};
use crate::nn::graph::{
    assemble::Assembly,
    compose::moves::Outside,
    extent::{Asked, BATCH, Extent, reshape},
    op::Op,
};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    if let Some(known) = arithmetic::translate(name, a, to)? {
        return Ok(Some(known));
    }
    match name {
        "Reshape" => {
            let x = a.tensor(0, to)?;
            let mut asked = a.sizes(1)?.asked()?;
            // 0 is the size that the axis has.
            for (d, size) in asked.iter_mut().enumerate().filter(|_| a.attribute_int("allowzero", 0) == 0) {
                if let (Asked::Number(0), Some(&own)) = (*size, to.shape(x).get(d)) {
                    *size = Asked::Known(own);
                }
            }
            let shape = reshape(to.shape(x), &asked, to.exported)?;
            one(to.push(Op::Reshape(shape), &[x])?)
        }
        "Flatten" => {
            let x = a.tensor(0, to)?;
            let asked = match axis(a.attribute_int("axis", 1), to.shape(x).len() + 1)? {
                1 => vec![Asked::Known(to.shape(x)[0]), Asked::Rest],
                other => return Err(format!("attribute 'axis': expected 1, found {other}")),
            };
            let shape = reshape(to.shape(x), &asked, to.exported)?;
            one(to.push(Op::Reshape(shape), &[x])?)
        }
        "Transpose" => {
            let x = a.tensor(0, to)?;
            let rank = to.shape(x).len();
            let axes = match a.attribute_ints("perm") {
                None => (0..rank).rev().collect(),
                Some(list) => list.iter().map(|&d| axis(d, rank)).collect::<Result<_, _>>()?,
            };
            one(to.push(Op::Permute(axes), &[x])?)
        }
        "Unsqueeze" => {
            let x = a.tensor(0, to)?;
            let mut shape = to.shape(x).to_vec();
            let added = a.sizes(1)?.numbers()?;
            let rank = shape.len() + added.len();
            let mut added: Vec<usize> = added.into_iter().map(|d| axis(d, rank)).collect::<Result<_, _>>()?;
            added.sort_unstable();
            for d in added {
                if d > shape.len() {
                    return Err(format!("axis {d} of {} axes", shape.len()));
                }
                shape.insert(d, Extent::Fixed(1));
            }
            one(to.push(Op::Reshape(shape), &[x])?)
        }
        "Squeeze" => {
            let x = a.tensor(0, to)?;
            let rank = to.shape(x).len();
            let axes = match a.has(1) {
                false => (0..rank).collect(),
                true => a
                    .sizes(1)?
                    .numbers()?
                    .into_iter()
                    .map(|d| axis(d, rank))
                    .collect::<Result<Vec<_>, _>>()?,
            };
            one(to.squeeze(x, &axes)?)
        }
        "Expand" => expand(a, to),
        "Concat" => {
            let inputs: Vec<usize> = (0..a.count()).map(|i| a.tensor(i, to)).collect::<Result<_, _>>()?;
            let first = *inputs.first().ok_or("it joins nothing")?;
            let axis = axis(a.attribute_int("axis", 0), to.shape(first).len())?;
            one(to.concat(inputs, axis)?)
        }
        "Slice" => {
            let mut x = a.tensor(0, to)?;
            let rank = to.shape(x).len();
            let [starts, ends] = [a.sizes(1)?.numbers()?, a.sizes(2)?.numbers()?];
            let axes = if a.has(3) { a.sizes(3)?.numbers()? } else { (0..starts.len() as i64).collect() };
            let steps = if a.has(4) { a.sizes(4)?.numbers()? } else { vec![1; starts.len()] };
            if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
                return Err("its starts, ends, axes and steps differ in number".into());
            }
            for (i, &d) in axes.iter().enumerate() {
                let at = axis(d, rank)?;
                // All of it from the last to the first.
                x = match (starts[i], ends[i], steps[i]) {
                    (-1, end, -1) if end < -(to.shape(x)[at].count() as i64) => {
                        to.push(Op::Flip { axes: vec![at] }, &[x])?
                    }
                    range => to.slice(x, at, range.into())?,
                };
            }
            one(x)
        }
        "Split" | "SplitToSequence" => split(name, a, to),
        "SequenceAt" => match (a.item(0)?, a.sizes(1)?.one()) {
            (Item::List(parts), Some(i)) => {
                let part = usize::try_from(i).ok().and_then(|i| parts.get(i).copied());
                one(part.ok_or_else(|| format!("part {i} of {}", parts.len()))?)
            }
            _ => Err("a part of what is no list of tensors".into()),
        },
        "Pad" => pad(a, to),
        _ => Ok(None),
    }
}

/// Sizes of 1 grow; in front, to the batch of the export.
fn expand(a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor(0, to)?;
    let (own, mut asked) = (to.shape(x).to_vec(), a.sizes(1)?.asked()?);
    while asked.len() < own.len() {
        asked.insert(0, Asked::Number(1));
    }
    let missing = asked.len() - own.len();
    let wanted = asked.into_iter().enumerate().map(|(d, asked)| {
        let own = d.checked_sub(missing).map(|d| own[d]);
        match (asked, own) {
            (Asked::Number(n), Some(own)) if own != Extent::Fixed(1) && own.at(to.exported) == n => Some(own),
            (Asked::Number(n), None | Some(Extent::Fixed(1))) if d == 0 && n == to.exported => Some(BATCH),
            (Asked::Rest | Asked::Number(1), Some(own)) => Some(own),
            (asked, _) => asked.known(),
        }
    });
    let wanted: Option<Vec<Extent>> = wanted.collect();
    one(to.push(Op::Expand(wanted.ok_or("a size of -1")?), &[x])?)
}

fn split(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor(0, to)?;
    let at = axis(a.attribute_int("axis", 0), to.shape(x).len())?;
    let size = |n: i64| usize::try_from(n).map_err(|_| format!("a part of {n}"));
    let lens = match a.has(1) {
        true => {
            let listed = a.sizes(1)?;
            match (listed.one(), listed.scalar) {
                (Some(each), true) => to.even(x, at, size(each)?)?,
                _ => listed.numbers()?.into_iter().map(size).collect::<Result<_, _>>()?,
            }
        }
        false => {
            let parts = size(a.attribute_int("num_outputs", a.node.output.len() as i64))?.max(1);
            let whole = to.even(x, at, usize::MAX)?.into_iter().sum::<usize>();
            to.even(x, at, whole.div_ceil(parts))?
        }
    };
    let parts = to.split(x, at, &lens)?;
    match name {
        "Split" => Ok(Some(parts.into_iter().map(Item::Node).collect())),
        _ => Ok(Some(vec![Item::List(parts)])),
    }
}

/// Numbers before all axes, then numbers after all axes.
fn pad(a: &Arguments, to: &mut Assembly) -> Translated {
    let outside = match a.attribute_string("mode").as_deref() {
        None | Some("constant") => None,
        Some("reflect") => Some(Outside::Reflect),
        Some("edge") => Some(Outside::Replicate),
        Some("wrap") => Some(Outside::Circular),
        Some(other) => {
            return Err(format!("attribute 'mode': expected constant, reflect, edge or wrap, found {other}"));
        }
    };
    let x = a.tensor(0, to)?;
    let rank = to.shape(x).len();
    let value = match a.has(2) {
        true => a.number(2, to).ok_or("a value that is not known")?,
        false => 0.0,
    };
    let listed = a.sizes(1)?.numbers()?;
    let listed: Option<Vec<usize>> = listed.into_iter().map(|n| usize::try_from(n).ok()).collect();
    let listed = listed.ok_or("paddings below 0")?;
    let axes: Vec<usize> = match a.has(3) {
        true => a.sizes(3)?.numbers()?.into_iter().map(|d| axis(d, rank)).collect::<Result<_, _>>()?,
        false => (0..rank).collect(),
    };
    if listed.len() != 2 * axes.len() {
        return Err(format!("{} paddings for {} axes", listed.len(), axes.len()));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &d) in axes.iter().enumerate() {
        (before[d], after[d]) = (listed[i], listed[axes.len() + i]);
    }
    match outside {
        Some(outside) => one(to.pad_from(x, outside, &before, &after)?),
        None => one(to.push(Op::Pad { before, after, value }, &[x])?),
    }
}
