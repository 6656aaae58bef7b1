//! Positions, repeats, and pictures of other sizes.

use super::{Arguments, Assembly, Operation, Translated, of_self, one};
use crate::nn::graph::{
    compose::resize::{Kernel, Places, Resize},
    op::{Constant, Op, Window},
};

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let name = operation.name.as_str();
    match name {
        "index" => {
            let x = a.tensor("self")?;
            let given = a.optional_tensors("indices")?;
            let mut given = given.into_iter().enumerate().filter_map(|(axis, node)| Some((axis, node?)));
            let (Some((axis, node)), None) = (given.next(), given.next()) else {
                return Err("positions of several axes at once are not known".into());
            };
            one(to.take(x, axis, &positions(node, to)?)?)
        }
        "index_select" => {
            let x = a.tensor("self")?;
            let axis = a.axis("dim", to.shape(x).len(), 0)?;
            let positions = positions(a.tensor("index")?, to)?;
            one(to.take(x, axis, &positions)?)
        }
        "embedding" => {
            let positions = positions(a.tensor("indices")?, to)?;
            one(to.take(a.tensor("weight")?, 0, &positions)?)
        }
        "slice_scatter" | "select_scatter" => {
            let (x, mut part) = (a.tensor("self")?, a.tensor("src")?);
            let axis = a.axis("dim", to.shape(x).len(), 0)?;
            if name == "select_scatter" {
                let mut shape = to.shape(part).to_vec();
                shape.insert(axis.min(shape.len()), 1.into());
                part = to.push(Op::Reshape(shape), &[part])?;
                let (size, index) = (to.size(x, axis)? as i64, a.required("index")?);
                let place = if index < 0 { index.saturating_add(size) } else { index };
                let place =
                    usize::try_from(place).map_err(|_| format!("position {index} of an axis of {size}"))?;
                return one(to.scatter(x, part, axis, [place, 1])?);
            }
            let step = usize::try_from(a.int("step")?.unwrap_or(1)).unwrap_or(0);
            if to.shape(part) == to.shape(x) {
                return one(part);
            }
            let size = to.size(x, axis)? as i64;
            let start = a.int("start")?.unwrap_or(0);
            let start = if start < 0 { start.saturating_add(size) } else { start }.clamp(0, size);
            one(to.scatter(x, part, axis, [start as usize, step])?)
        }
        "copy" => {
            let shape = to.shape(a.tensor("self")?).to_vec();
            let from = a.tensor("src")?;
            one(if to.shape(from) == shape { from } else { to.push(Op::Expand(shape), &[from])? })
        }
        "fill" | "zero" => {
            let shape = to.shape(a.tensor("self")?).to_vec();
            let number = if name == "zero" { to.number(0.0)? } else { a.number_or_tensor("value", to)? };
            one(to.push(Op::Expand(shape), &[number])?)
        }
        "repeat" | "tile" => {
            let times = a.ints(if name == "tile" { "dims" } else { "repeats" })?.unwrap_or_default();
            let times: Option<Vec<usize>> = times.into_iter().map(|n| usize::try_from(n).ok()).collect();
            let mut times = times.filter(|times| !times.contains(&0)).ok_or("repeats below 1")?;
            let x = a.tensor("self")?;
            while times.len() < to.shape(x).len() {
                times.insert(0, 1);
            }
            one(to.repeat(x, &times)?)
        }
        "repeat_interleave" => {
            let x = a.tensor("self")?;
            let axis = a.axis("dim", to.shape(x).len(), 0)?;
            let n =
                usize::try_from(a.required("repeats")?).ok().filter(|&n| n > 0).ok_or("repeats below 1")?;
            if !a.has("dim") {
                return Err("argument 'dim': expected an axis".into());
            }
            one(to.repeat_each(x, axis, n)?)
        }
        "pixel_shuffle" | "pixel_unshuffle" | "channel_shuffle" | "native_channel_shuffle" => {
            let x = a.tensor("self")?;
            let number = |name| Ok::<_, String>(usize::try_from(a.required(name)?).unwrap_or(0));
            one(match name {
                "pixel_shuffle" => to.pixel_shuffle(x, number("upscale_factor")?, false)?,
                "pixel_unshuffle" => to.pixel_unshuffle(x, number("downscale_factor")?, false)?,
                _ => to.channel_shuffle(x, number("groups")?)?,
            })
        }
        "adaptive_max_pool2d" => {
            let sides = a.pair("output_size", [0; 2])?;
            let x = a.tensor("self")?;
            let [h, w] = [to.size(x, 2)?, to.size(x, 3)?];
            if [h, w].iter().zip(&sides).any(|(n, side)| *side == 0 || n % side != 0) {
                return Err(format!(
                    "an adaptive maximum of {h} × {w} to {sides:?}: expected parts of equal size"
                ));
            }
            let kernel = [h / sides[0], w / sides[1]];
            of_self(Op::MaxPool(Window { kernel, stride: kernel, padding: [0; 2] }), a, to)
        }
        _ if name.starts_with("upsample_") || name.starts_with("_upsample_") => resize(name, a, to),
        _ => Ok(None),
    }
}

/// Whole numbers that follow from constants.
fn positions(node: usize, to: &Assembly) -> Result<Constant, String> {
    if to.is_boolean(node) {
        return Err("positions by true and false give shapes that depend on data".into());
    }
    to.known(node).ok_or_else(|| "positions that depend on data are not known".into())
}

fn resize(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let antialias = name.ends_with("_aa");
    let corners = a.bool("align_corners", false)?;
    let middles = if corners { Places::Corners } else { Places::Middles };
    let (kernel, places) = match name.trim_start_matches('_').trim_end_matches("_aa") {
        "upsample_nearest2d" => (Kernel::Floor, Places::Starts),
        "upsample_nearest_exact2d" => (Kernel::Nearest { up: true }, Places::Middles),
        "upsample_bilinear2d" => (Kernel::Linear, middles),
        "upsample_bicubic2d" => (Kernel::Cubic(-0.75), middles),
        _ => return Ok(None),
    };
    let mut x = a.tensor(if a.has("input") { "input" } else { "self" })?;
    let scales: Vec<Option<f64>> = match a.floats("scale_factors")? {
        Some(list) => list.into_iter().map(Some).collect(),
        None => vec![a.scalar("scales_h"), a.scalar("scales_w")],
    };
    let sizes: Vec<usize> = match a.ints("output_size")? {
        Some(list) => list.into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect(),
        None => {
            let size = |d: usize| {
                let scale = scales.get(d).copied().flatten().ok_or("neither sizes nor scales")?;
                Ok((to.size(x, 2 + d)? as f64 * scale).floor() as usize)
            };
            (0..2).map(size).collect::<Result<_, String>>()?
        }
    };
    for d in 0..2 {
        let size = *sizes.get(d).ok_or("argument 'output_size': expected two sizes")?;
        x = to.resize(
            x,
            2 + d,
            size,
            scales.get(d).copied().flatten(),
            Resize { kernel, places, antialias },
        )?;
    }
    one(x)
}
