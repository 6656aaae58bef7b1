//! The arithmetic of shapes: operations on integers that are known.

use super::{
    attributes::Arguments,
    sizes::{Size, Sizes},
    tensors,
    translate::{Item, Translated, one},
};
use crate::nn::graph::{
    assemble::Assembly,
    extent::{Asked, Extent},
    op::{Constant, Op},
};

fn sizes(sizes: Sizes) -> Translated {
    Ok(Some(vec![Item::Sizes(sizes)]))
}

/// The operations whose result is such integers; `None` of another one.
pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    match name {
        "Shape" => {
            let x = a.tensor(0, to)?;
            let rank = to.shape(x).len() as i64;
            let place = |n: i64| (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize;
            let (start, end) = (place(a.attribute_int("start", 0)), place(a.attribute_int("end", rank)));
            return sizes(Sizes::of_shape(to.shape(x).get(start..end).unwrap_or_default()));
        }
        "Size" => {
            let x = a.tensor(0, to)?;
            let fixed = to.shape(x).iter().map(|e| e.fixed()).try_fold(1usize, |all, n| all.checked_mul(n?));
            let count = fixed.ok_or("a number of elements that depends on the batch")?;
            return sizes(Sizes::scalar(Size::Number(count as i64)));
        }
        "ReduceProd" if matches!(a.item(0)?, Item::Sizes(_)) => {
            let numbers = a.sizes(0)?.numbers()?;
            let product = numbers.into_iter().try_fold(1i64, i64::checked_mul).ok_or("a number too large")?;
            return sizes(Sizes::scalar(Size::Number(product)));
        }
        "Range" => {
            // Whole numbers, which may be written as floats.
            let whole = |n: &f64| n.fract() == 0.0 && n.abs() < 1e9;
            let [start, end, step] = [0, 1, 2].map(|i| a.number(i, to).filter(whole).map(|n| n as i64));
            let (Some(start), Some(end), Some(step)) = (start, end, step) else {
                return Err("a range of numbers that are not known".into());
            };
            let count = if step > 0 { end.saturating_sub(start).max(0) / step } else { 0 };
            if !(1..=4096).contains(&count) {
                return Err(format!("a range from {start} to {end} by {step}"));
            }
            let values = (0..).map(|i| start + i * step).take_while(|&n| n < end).map(Size::Number).collect();
            return sizes(Sizes::list(values)?);
        }
        "ConstantOfShape" => {
            let value = a.constant().and_then(|attribute| attribute.t.as_ref());
            let number = match value {
                None => 0.0,
                Some(tensor) => *tensors::numbers(tensor, |v| v)?.first().ok_or("no value")?,
            };
            let shape = a.sizes(0)?;
            if value.is_some_and(|tensor| !tensors::is_float(tensor))
                && let Some(len) = shape.one().and_then(|n| usize::try_from(n).ok()).filter(|&n| n <= 4096)
            {
                return sizes(Sizes::list(vec![Size::Number(number as i64); len])?);
            }
            let scalar = to.constant(Constant { shape: vec![], data: vec![number].into() })?;
            let known: Option<Vec<Extent>> = shape.asked()?.into_iter().map(Asked::known).collect();
            return one(to.push(Op::Expand(known.ok_or("a size of -1")?), &[scalar])?);
        }
        "Where" => {
            let [mask, x, y] = [a.sizes(0), a.sizes(1), a.sizes(2)];
            let (mask, x, y) = (mask?.numbers()?, x?, y?);
            let at =
                |list: &Sizes, i: usize| list.values.get(if list.values.len() == 1 { 0 } else { i }).copied();
            let chosen = mask.iter().enumerate().map(|(i, &mask)| at(if mask != 0 { &x } else { &y }, i));
            return sizes(Sizes::list(chosen.collect::<Option<_>>().ok_or("lists of several lengths")?)?);
        }
        _ => {}
    }
    let known =
        |i: usize| a.item(i).ok().and_then(|item| if let Item::Sizes(s) = item { Some(s) } else { None });
    let Some(first) = known(0) else { return Ok(None) };
    if let Some(columns) = first.columns {
        return match name {
            "Reshape" => reshape(first, a),
            "Transpose" if a.attribute_ints("perm").is_none_or(|perm| perm == [1, 0]) => {
                sizes(first.transposed(columns))
            }
            "Slice"
                if [a.sizes(1)?.one(), a.sizes(3)?.one(), a.sizes(4)?.one()]
                    == [Some(-1), Some(0), Some(-1)] =>
            {
                sizes(first.upside_down(columns))
            }
            "Cast" | "Identity" => sizes(first),
            // What is no padding is a tensor.
            _ => Ok(None),
        };
    }
    match name {
        "Unsqueeze" if first.scalar => sizes(Sizes { scalar: false, ..first }),
        "Squeeze" if first.values.len() == 1 => sizes(Sizes { scalar: true, ..first }),
        "Reshape" => reshape(first, a),
        // A size of 1 for itself.
        "Expand" if a.sizes(1)?.values.len() <= 1 => {
            let len = a.sizes(1)?.one().and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1);
            match first.values.len() {
                1 if len <= 4096 => sizes(Sizes::list(vec![first.values[0]; len])?),
                _ => sizes(first),
            }
        }
        "Concat" => {
            let mut values = vec![];
            for i in 0..a.count() {
                values.extend(a.sizes(i)?.values);
            }
            sizes(Sizes::list(values)?)
        }
        "Gather" => {
            let chosen = a.sizes(1)?;
            let len = first.values.len() as i64;
            let pick = |i: i64| {
                let at = usize::try_from(if i < 0 { i.saturating_add(len) } else { i }).ok();
                at.and_then(|at| first.values.get(at).copied())
            };
            let values: Option<Vec<Size>> = chosen.numbers()?.into_iter().map(pick).collect();
            let values = values.ok_or("a position outside")?;
            sizes(Sizes { values, scalar: chosen.scalar, columns: None })
        }
        "Slice" => {
            let [start, end] = [a.sizes(1)?, a.sizes(2)?].map(|s| s.one());
            let step = if a.has(4) { a.sizes(4)?.one() } else { Some(1) };
            let len = first.values.len() as i64;
            let place = |n: i64| (if n < 0 { n.saturating_add(len) } else { n }).clamp(0, len) as usize;
            match (start, end, step) {
                (Some(start), Some(end), Some(step @ 1..)) => {
                    let part = first.values.get(place(start)..place(end)).unwrap_or_default();
                    sizes(Sizes::list(part.iter().step_by(step as usize).copied().collect())?)
                }
                // Backwards, as pads are turned round.
                (Some(-1), Some(_), Some(-1)) => {
                    sizes(Sizes::list(first.values.into_iter().rev().collect())?)
                }
                _ => Err("a part of a list of integers".into()),
            }
        }
        _ => Ok(None),
    }
}

/// As a scalar, a list or a matrix; with more axes it is a tensor.
fn reshape(first: Sizes, a: &Arguments) -> Translated {
    let (wanted, len) = (a.sizes(1)?.numbers()?, first.values.len());
    match wanted[..] {
        [] => sizes(Sizes { scalar: true, columns: None, ..first }),
        [_] => sizes(Sizes { scalar: false, columns: None, ..first }),
        [rows, columns] => {
            let columns = match (usize::try_from(rows), usize::try_from(columns)) {
                (_, Ok(columns)) => columns,
                (Ok(rows), _) if rows > 0 => len / rows,
                _ => 0,
            };
            sizes(first.matrix(columns).ok_or_else(|| format!("{len} integers as {wanted:?}"))?)
        }
        _ => Ok(None),
    }
}
