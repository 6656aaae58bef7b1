//! What moves numbers: shapes, slices, joins, sums over axes.

use super::{Arguments, Assembly, Item, Operation, Translated, of_self, one};
use crate::nn::graph::pt2::call::axis;
use crate::nn::graph::{
    compose::{masks::Compare, moves::Outside},
    constants::HIDDEN,
    extent::{Asked, BATCH, Extent, flattened, reshape},
    op::Op,
    pt2::signature::BOOL,
};

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let name = operation.name.as_str();
    let rank = |to: &Assembly| -> Result<usize, String> { Ok(to.shape(a.tensor("self")?).len()) };
    match name {
        "to" | "_to_copy" if a.dtype() == Some(BOOL) && !to.is_boolean(a.tensor("self")?) => {
            let zero = to.number(0.0)?;
            one(to.compare(Compare::NotEqual, [a.tensor("self")?, zero])?)
        }
        // Of a constant there is no gradient to cut.
        "detach" | "detach_copy" if to.known(a.tensor("self")?).is_some() => one(a.tensor("self")?),
        "clone" | "contiguous" | "alias" | "to" | "_to_copy" | "type_as" | "lift_fresh_copy" => {
            one(a.tensor("self")?)
        }
        "view" | "reshape" | "_unsafe_view" | "view_copy" => {
            let asked = a.sizes(if a.has("size") { "size" } else { "shape" })?;
            let to_shape = reshape(to.shape(a.tensor("self")?), &asked, to.exported)?;
            of_self(Op::Reshape(to_shape), a, to)
        }
        "view_as" | "reshape_as" | "expand_as" => {
            let shape = to.shape(a.tensor("other")?).to_vec();
            of_self(if name == "expand_as" { Op::Expand(shape) } else { Op::Reshape(shape) }, a, to)
        }
        "flatten" => {
            let x = a.tensor("self")?;
            let shape = to.shape(x).to_vec();
            let [from, until] = [a.axis("start_dim", shape.len(), 0)?, a.axis("end_dim", shape.len(), -1)?];
            if from > until {
                return Err(format!("from axis {from} to axis {until}"));
            }
            let joined = flattened(&shape[from..=until])?;
            let flat = [&shape[..from], &[joined], &shape[until + 1..]].concat();
            one(to.push(Op::Reshape(flat), &[x])?)
        }
        "unflatten" => {
            let x = a.tensor("self")?;
            let shape = to.shape(x).to_vec();
            let at = a.axis("dim", shape.len(), 0)?;
            let mut sizes = a.sizes("sizes")?;
            if let (Some(whole), Some(rest)) =
                (shape[at].fixed(), sizes.iter().position(|&asked| asked == Asked::Rest))
            {
                let others: usize =
                    sizes.iter().filter_map(|s| s.known()).map(|e| e.count()).fold(1, usize::saturating_mul);
                sizes[rest] = Asked::Number(whole / others.max(1));
            }
            let asked = [known(&shape[..at]), sizes, known(&shape[at + 1..])].concat();
            let shape = reshape(&shape, &asked, to.exported)?;
            one(to.push(Op::Reshape(shape), &[x])?)
        }
        "squeeze" => {
            let axes = match operation.overload.as_str() {
                "dim" => vec![a.axis("dim", rank(to)?, 0)?],
                _ => a.axes("dim", rank(to)?)?,
            };
            one(to.squeeze(a.tensor("self")?, &axes)?)
        }
        "unsqueeze" => {
            let x = a.tensor("self")?;
            let at = a.axis("dim", rank(to)? + 1, 0)?;
            let mut shape = to.shape(x).to_vec();
            shape.insert(at, Extent::Fixed(1));
            one(to.push(Op::Reshape(shape), &[x])?)
        }
        "permute" => {
            let axes = a.axes("dims", rank(to)?)?;
            of_self(Op::Permute(axes), a, to)
        }
        "transpose" | "t" => {
            let rank = rank(to)?;
            let mut axes: Vec<usize> = (0..rank).collect();
            if name == "transpose" {
                let [first, second] = if a.has("axis0") { ["axis0", "axis1"] } else { ["dim0", "dim1"] };
                axes.swap(a.axis(first, rank, 0)?, a.axis(second, rank, 1)?);
            } else {
                axes.reverse();
            }
            of_self(Op::Permute(axes), a, to)
        }
        "mT" | "adjoint" => {
            let rank = rank(to)?;
            let mut axes: Vec<usize> = (0..rank).collect();
            axes.swap(rank.checked_sub(2).ok_or("it is no matrix")?, rank - 1);
            of_self(Op::Permute(axes), a, to)
        }
        "movedim" => {
            let rank = rank(to)?;
            let (from, until) = (a.axes("source", rank)?, a.axes("destination", rank)?);
            let mut order: Vec<Option<usize>> = vec![None; rank];
            for (&source, &place) in from.iter().zip(&until) {
                order[place] = Some(source);
            }
            let mut rest = (0..rank).filter(|d| !from.contains(d));
            let axes = order.into_iter().map(|place| place.or_else(|| rest.next()));
            let axes: Vec<usize> = axes.collect::<Option<_>>().ok_or("axes that do not fit each other")?;
            of_self(Op::Permute(axes), a, to)
        }
        "ravel" => {
            let x = a.tensor("self")?;
            let joined = flattened(to.shape(x))?;
            one(to.push(Op::Reshape(vec![joined]), &[x])?)
        }
        "expand" => expand(a, to),
        "slice" | "narrow" | "select" => slice(name, a, to),
        "chunk" | "split" | "split_with_sizes" | "unbind" => parts(name, a, to),
        "cat" | "stack" => {
            let mut inputs = a.tensors("tensors")?;
            let first = *inputs.first().ok_or("it joins nothing")?;
            let rank = to.shape(first).len();
            if name == "cat" {
                let axis = a.axis("dim", rank, 0)?;
                return one(to.concat(inputs, axis)?);
            }
            let axis = a.axis("dim", rank + 1, 0)?;
            for input in &mut inputs {
                let mut shape = to.shape(*input).to_vec();
                if axis > shape.len() {
                    return Err("its parts differ in their axes".into());
                }
                shape.insert(axis, Extent::Fixed(1));
                *input = to.push(Op::Reshape(shape), &[*input])?;
            }
            one(to.concat(inputs, axis)?)
        }
        "constant_pad_nd" | "pad" => pad(a, to),
        name if outside(name).is_some() => padded(outside(name), a, to),
        "roll" => roll(a, to),
        "flip" => {
            let axes = a.axes("dims", rank(to)?)?;
            of_self(Op::Flip { axes }, a, to)
        }
        "mean" | "sum" => {
            let axes = a.axes("dim", rank(to)?)?;
            let op =
                if name == "mean" { Op::Mean { axes: axes.clone() } } else { Op::Sum { axes: axes.clone() } };
            let reduced = to.push(op, &[a.tensor("self")?])?;
            if a.bool("keepdim", false)? {
                return one(reduced);
            }
            one(to.squeeze(reduced, &axes)?)
        }
        _ => Ok(None),
    }
}

fn known(shape: &[Extent]) -> Vec<Asked> {
    shape.iter().map(|&e| Asked::Known(e)).collect()
}

/// To a number that is the batch of the export, an axis of size 1 in front grows with the batch.
fn expand(a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor("self")?;
    let (shape, asked) = (to.shape(x).to_vec(), a.sizes("size")?);
    let missing = asked.len().checked_sub(shape.len()).ok_or("it has fewer sizes than the tensor axes")?;
    let wanted = asked.iter().enumerate().map(|(d, asked)| {
        let own = d.checked_sub(missing).map(|d| shape[d]);
        match (*asked, own) {
            (Asked::Rest, Some(own)) => Ok(own),
            (Asked::Rest, None) => Err("a size of -1 for an axis that it has not".to_string()),
            (Asked::Number(n), Some(own)) if own != Extent::Fixed(1) && own.at(to.exported) == n => Ok(own),
            (Asked::Number(n), None | Some(Extent::Fixed(1))) if d == 0 && n == to.exported => Ok(BATCH),
            (asked, _) => asked.known().ok_or_else(String::new),
        }
    });
    let wanted = wanted.collect::<Result<_, _>>()?;
    one(to.push(Op::Expand(wanted), &[x])?)
}

fn slice(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor("self")?;
    let at = a.axis("dim", to.shape(x).len(), 0)?;
    one(match name {
        "select" => to.select(x, at, a.required("index")?)?,
        "narrow" => {
            let start = a.required("start")?;
            to.slice(x, at, [start, start.saturating_add(a.required("length")?), 1])?
        }
        _ => {
            let [start, end, step] = [
                a.int("start")?.unwrap_or(0),
                a.int("end")?.unwrap_or(i64::MAX),
                a.int("step")?.unwrap_or(1),
            ];
            to.slice(x, at, [start, end, step])?
        }
    })
}

/// Consecutive parts of one axis.
fn parts(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor("self")?;
    let at = a.axis("dim", to.shape(x).len(), 0)?;
    let positive = |n: i64| usize::try_from(n).ok().filter(|&n| n > 0).ok_or(format!("parts of {n}"));
    let lens = match name {
        "chunk" => {
            let whole = to.even(x, at, usize::MAX)?.into_iter().sum::<usize>();
            to.even(x, at, whole.div_ceil(positive(a.required("chunks")?)?))?
        }
        "unbind" => to.even(x, at, 1)?,
        "split" if a.int("split_size").is_ok_and(|n| n.is_some()) => {
            to.even(x, at, positive(a.required("split_size")?)?)?
        }
        _ => {
            let name = if a.has("split_sizes") { "split_sizes" } else { "split_size" };
            a.ints(name)?.unwrap_or_default().into_iter().map(positive).collect::<Result<_, _>>()?
        }
    };
    let mut parts = to.split(x, at, &lens)?;
    if name == "unbind" {
        for part in &mut parts {
            *part = to.squeeze(*part, &[at])?;
        }
    }
    Ok(Some(parts.into_iter().map(Item::Node).collect()))
}

/// From the last axis on, before and after each.
fn pad(a: &Arguments, to: &mut Assembly) -> Translated {
    let outside = match a.string("mode").unwrap_or("constant") {
        "constant" => None,
        "reflect" => Some(Outside::Reflect),
        "replicate" => Some(Outside::Replicate),
        "circular" => Some(Outside::Circular),
        other => return Err(format!("argument 'mode': {other} is not known")),
    };
    padded(outside, a, to)
}

/// What operations of their own name say.
fn outside(name: &str) -> Option<Outside> {
    Some(match name {
        "reflection_pad1d" | "reflection_pad2d" => Outside::Reflect,
        "replication_pad1d" | "replication_pad2d" => Outside::Replicate,
        _ => return None,
    })
}

fn padded(outside: Option<Outside>, a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor("self")?;
    let rank = to.shape(x).len();
    let sizes = a.ints(if a.has("pad") { "pad" } else { "padding" })?.unwrap_or_default();
    let sizes: Option<Vec<usize>> = sizes.into_iter().map(|n| usize::try_from(n).ok()).collect();
    let sizes = sizes.ok_or("argument 'pad': expected sizes ≥ 0")?;
    if sizes.len() % 2 != 0 || sizes.len() / 2 > rank {
        return Err(format!("argument 'pad': {} sizes for {rank} axes", sizes.len()));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, pair) in sizes.chunks(2).enumerate() {
        (before[rank - 1 - i], after[rank - 1 - i]) = (pair[0], pair[1]);
    }
    if let Some(outside) = outside {
        return one(to.pad_from(x, outside, &before, &after)?);
    }
    let value = a.scalar("value").unwrap_or(0.0).clamp(-HIDDEN, HIDDEN);
    one(to.push(Op::Pad { before, after, value }, &[x])?)
}

/// The last `shift` of an axis come first.
fn roll(a: &Arguments, to: &mut Assembly) -> Translated {
    let mut x = a.tensor("self")?;
    let rank = to.shape(x).len();
    let [shifts, axes] = [a.ints("shifts")?.unwrap_or_default(), a.ints("dims")?.unwrap_or_default()];
    if shifts.len() != axes.len() {
        return Err(format!("{} shifts for {} axes", shifts.len(), axes.len()));
    }
    for (shift, at) in shifts.into_iter().zip(axes) {
        let at = axis(at, rank)?;
        let size = to.shape(x)[at].fixed().ok_or("it would move pictures within the batch")?;
        let moved = shift.rem_euclid(size.max(1) as i64) as usize;
        if moved > 0 {
            let last = to.push(Op::Slice { axis: at, start: size - moved, len: moved }, &[x])?;
            let first = to.push(Op::Slice { axis: at, start: 0, len: size - moved }, &[x])?;
            x = to.push(Op::Concat { axis: at }, &[last, first])?;
        }
    }
    one(x)
}
