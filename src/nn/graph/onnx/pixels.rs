//! Positions, repeats, and pictures of other sizes.

use super::{
    attributes::Arguments,
    layers::axis,
    translate::{Item, Translated, one},
};
use crate::nn::graph::{
    assemble::Assembly,
    compose::resize::{Kernel, Places, Resize},
    extent::Extent,
    op::{Constant, Op, Window},
};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    match name {
        "Gather" => {
            let x = a.tensor(0, to)?;
            let at = axis(a.attribute_int("axis", 0), to.shape(x).len())?;
            if let Item::Sizes(chosen) = a.item(1)? {
                match (chosen.one(), chosen.scalar) {
                    (Some(index), true) => return one(to.select(x, at, index)?),
                    (Some(-1), false) => return one(to.slice(x, at, [-1, i64::MAX, 1])?),
                    (Some(index), false) => {
                        return one(to.slice(x, at, [index, index.saturating_add(1), 1])?);
                    }
                    _ => {}
                }
            }
            let positions = a.tensor(1, to)?;
            let positions = to.known(positions).ok_or("positions that depend on data are not known")?;
            one(to.take(x, at, &positions)?)
        }
        // Rows by a list of their positions, which is a column.
        "GatherND" | "ScatterND" => {
            if a.attribute_int("batch_dims", 0) != 0
                || a.attribute_string("reduction").is_some_and(|r| r != "none")
            {
                return Err("attributes 'batch_dims' and 'reduction': expected 0 and none".into());
            }
            let (x, places) = (a.tensor(0, to)?, a.tensor(1, to)?);
            let mut places = to.known(places).ok_or("positions that depend on data are not known")?;
            let depth = places.shape.pop();
            if depth != Some(1) {
                let part = if name == "ScatterND" { Some(a.tensor(2, to)?) } else { None };
                let written = part.and_then(|part| written(&to.known(x)?, &places, &to.known(part)?));
                return one(to.constant(written.ok_or("positions of several axes at once are not known")?)?);
            }
            one(match name {
                "GatherND" => to.take(x, 0, &places)?,
                _ => {
                    let part = a.tensor(2, to)?;
                    to.scatter_rows(x, part, &places)?
                }
            })
        }
        // One position of an axis, as a selection is written back.
        "ScatterElements" => {
            let (x, places, part) = (a.tensor(0, to)?, a.tensor(1, to)?, a.tensor(2, to)?);
            let at = axis(a.attribute_int("axis", 0), to.shape(x).len())?;
            let place = to.value(places).filter(|v| v.fract() == 0.0);
            let one_place = to.shape(part).get(at) == Some(&Extent::Fixed(1));
            let plain = a.attribute_string("reduction").is_none_or(|reduction| reduction == "none");
            let (Some(place), true, true) = (place, one_place, plain) else {
                return Err("positions that differ between elements are not known".into());
            };
            let size = to.size(x, at)? as f64;
            let from_front = if place < 0.0 { place + size } else { place };
            if !(0.0..size).contains(&from_front) {
                return Err(format!("position {place} of an axis of {size}"));
            }
            one(to.scatter(x, part, at, [from_front as usize, 1])?)
        }
        "Tile" => {
            let x = a.tensor(0, to)?;
            let times = a.sizes(1)?.numbers()?;
            let times: Option<Vec<usize>> = times.into_iter().map(|n| usize::try_from(n).ok()).collect();
            let times = times.filter(|times| !times.contains(&0)).ok_or("repeats below 1")?;
            one(to.repeat(x, &times)?)
        }
        "DepthToSpace" | "SpaceToDepth" => {
            let x = a.tensor(0, to)?;
            let r = usize::try_from(a.attribute_int("blocksize", 0)).unwrap_or(0);
            one(match name {
                "DepthToSpace" => {
                    let depth_first = a.attribute_string("mode").is_none_or(|mode| mode != "CRD");
                    to.pixel_shuffle(x, r, depth_first)?
                }
                _ => to.pixel_unshuffle(x, r, true)?,
            })
        }
        "GlobalMaxPool" => {
            let x = a.tensor(0, to)?;
            let kernel = [to.size(x, 2)?, to.size(x, 3)?];
            one(to.push(Op::MaxPool(Window { kernel, stride: kernel, padding: [0; 2] }), &[x])?)
        }
        "Resize" => resize(a, to),
        _ => Ok(None),
    }
}

fn resize(a: &Arguments, to: &mut Assembly) -> Translated {
    let mut x = a.tensor(0, to)?;
    let text = |name: &str, default: &str| a.attribute_string(name).unwrap_or_else(|| default.into());
    let places = match text("coordinate_transformation_mode", "half_pixel").as_str() {
        "half_pixel" | "pytorch_half_pixel" => Places::Middles,
        "align_corners" => Places::Corners,
        "asymmetric" => Places::Starts,
        other => return Err(format!("attribute 'coordinate_transformation_mode': '{other}' is not known")),
    };
    let kernel = match (text("mode", "nearest").as_str(), text("nearest_mode", "round_prefer_floor").as_str())
    {
        ("linear", _) => Kernel::Linear,
        ("cubic", _) => Kernel::Cubic(a.attribute_float("cubic_coeff_a", -0.75)?),
        ("nearest", "floor") => Kernel::Floor,
        ("nearest", "round_prefer_floor") => Kernel::Nearest { up: false },
        ("nearest", "round_prefer_ceil") => Kernel::Nearest { up: true },
        (mode, nearest) => return Err(format!("attributes 'mode' and 'nearest_mode': {mode} and {nearest}")),
    };
    let antialias = a.attribute_int("antialias", 0) != 0;
    let own = to.shape(x).to_vec();
    let given = match a.has(3) {
        true => Some(a.sizes(3)?),
        false => None,
    };
    let scales = match a.has(2) {
        true => {
            let node = a.tensor(2, to)?;
            let known = to.known(node).ok_or("scales that are not known")?;
            Some(known.data.to_vec()).filter(|list| !list.is_empty())
        }
        false => None,
    };
    let axes: Vec<usize> = match a.attribute_ints("axes") {
        Some(list) => list.iter().map(|&d| axis(d, own.len())).collect::<Result<_, _>>()?,
        None => (0..own.len()).collect(),
    };
    for (i, &d) in axes.iter().enumerate() {
        let scale = scales.as_ref().and_then(|list| list.get(i).copied());
        let Some(from) = own[d].fixed() else {
            // The batch stays as it is.
            match scale {
                Some(scale) if scale != 1.0 => return Err("it would resize the batch".into()),
                _ => continue,
            }
        };
        let size = match (&given, scale) {
            (Some(sizes), _) => match sizes.values.get(i) {
                Some(super::sizes::Size::Number(n)) => usize::try_from(*n).unwrap_or(0),
                _ => return Err("sizes that depend on the batch".into()),
            },
            (None, Some(scale)) => (from as f64 * scale).floor() as usize,
            (None, None) => return Err("neither sizes nor scales".into()),
        };
        let scale = scale.filter(|_| given.is_none());
        if size != from {
            x = to.resize(x, d, size, scale, Resize { kernel, places, antialias })?;
        }
    }
    one(x)
}

/// A constant with single numbers written to places of all its axes.
fn written(whole: &Constant, places: &Constant, part: &Constant) -> Option<Constant> {
    let mut data = whole.data.to_vec();
    if places.data.len() != part.data.len().checked_mul(whole.shape.len())? {
        return None;
    }
    for (place, &value) in places.data.chunks(whole.shape.len().max(1)).zip(part.data.iter()) {
        let mut at = 0;
        for (&found, &size) in place.iter().zip(&whole.shape) {
            let place = if found < 0.0 { found + size as f64 } else { found };
            if !(0.0..size as f64).contains(&place) {
                return None;
            }
            at = at * size + place as usize;
        }
        data[at] = value;
    }
    Some(Constant { shape: whole.shape.clone(), data: data.into() })
}
