//! Layers with weights, normalisation and pooling.

use super::{
    attributes::Arguments,
    translate::{Translated, one},
};
use crate::nn::graph::{
    assemble::Assembly,
    op::{Convolution, Op, Window},
};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    match name {
        "Conv" => convolution(a, to),
        "Gemm" => gemm(a, to),
        "MatMul" => {
            let operands = [a.tensor(0, to)?, a.tensor(1, to)?];
            one(to.product(operands[0], operands[1], None)?)
        }
        "Einsum" => {
            let equation = a.attribute_string("equation").unwrap_or_default();
            if a.count() != 2 {
                return Err(format!("equation '{equation}' of {} tensors, expected 2", a.count()));
            }
            let operands = [a.tensor(0, to)?, a.tensor(1, to)?];
            one(to.einsum(&equation, operands)?)
        }
        "BatchNormalization" => batch_norm(a, to),
        "LayerNormalization" => {
            let x = a.tensor(0, to)?;
            let rank = to.shape(x).len();
            let from = axis(a.attribute_int("axis", -1), rank)?;
            let inputs = vec![Some(x), Some(a.tensor(1, to)?), a.optional(2, to)?];
            let op = Op::LayerNorm { axes: rank - from, epsilon: a.attribute_float("epsilon", 1e-5)? };
            one(to.push_with(op, inputs)?)
        }
        "InstanceNormalization" => {
            let x = a.tensor(0, to)?;
            let groups = to.shape(x).get(1).and_then(|e| e.fixed()).unwrap_or(0);
            group_norm(x, groups, a, to)
        }
        "GroupNormalization" => {
            let x = a.tensor(0, to)?;
            group_norm(x, usize::try_from(a.attribute_int("num_groups", 0)).unwrap_or(0), a, to)
        }
        "MaxPool" => {
            let x = a.tensor(0, to)?;
            let window = sides(a)?;
            one(to.max_pool(x, window, a.attribute_int("ceil_mode", 0) != 0)?)
        }
        "AveragePool" if a.attribute_ints("kernel_shape").is_some_and(|kernel| kernel.len() == 3) => {
            let number = |name: &str, at: usize, default: &[i64]| match a
                .attribute_ints(name)
                .unwrap_or(default)
            {
                list if list.len() == default.len()
                    && list.iter().zip(default).enumerate().all(|(i, (n, d))| i % 3 == 0 || n == d) =>
                {
                    usize::try_from(list[at]).map_err(|_| format!("attribute '{name}': {list:?}"))
                }
                list => Err(format!("attribute '{name}': expected one along channels alone, found {list:?}")),
            };
            let kernel = number("kernel_shape", 0, &[1; 3])?;
            let sizes = [kernel, number("strides", 0, &[1; 3])?, number("pads", 0, &[0; 6])?];
            if number("pads", 3, &[0; 6])? != sizes[2] || a.attribute_int("ceil_mode", 0) != 0 {
                return Err(
                    "attributes 'pads' and 'ceil_mode': expected as much before as after, and 0".into()
                );
            }
            let x = a.tensor(0, to)?;
            one(to.average_of_channels(x, sizes, a.attribute_int("count_include_pad", 0) != 0)?)
        }
        "AveragePool" => {
            let x = a.tensor(0, to)?;
            let window = window(x, a, to)?;
            one(to.push(
                Op::AveragePool { window, padded: a.attribute_int("count_include_pad", 0) != 0 },
                &[x],
            )?)
        }
        "GlobalAveragePool" => {
            let x = a.tensor(0, to)?;
            one(to.push(Op::AdaptiveAveragePool([1, 1]), &[x])?)
        }
        "Softmax" => {
            let x = a.tensor(0, to)?;
            let axis = axis(a.attribute_int("axis", -1), to.shape(x).len())?;
            one(to.push(Op::Softmax { axis }, &[x])?)
        }
        _ => Ok(None),
    }
}

pub(crate) fn axis(found: i64, rank: usize) -> Result<usize, String> {
    let place = if found < 0 { found.saturating_add(rank as i64) } else { found };
    let place = usize::try_from(place).ok().filter(|&place| place < rank);
    place.ok_or_else(|| format!("axis {found} of a tensor of {rank} axes"))
}

/// Paddings on both sides of each axis, `[[before, before], [after, after]]`.
fn paddings(a: &Arguments) -> Result<[[usize; 2]; 2], String> {
    if a.attribute_string("auto_pad").is_some_and(|text| !matches!(text.as_str(), "NOTSET" | "VALID")) {
        return Err("attribute 'auto_pad': expected numbers in 'pads'".into());
    }
    let Some(list) = a.attribute_ints("pads") else { return Ok([[0; 2]; 2]) };
    let sizes: Option<Vec<usize>> = list.iter().map(|&n| usize::try_from(n).ok()).collect();
    match sizes.as_deref() {
        Some(&[top, left, bottom, right]) => Ok([[top, left], [bottom, right]]),
        _ => Err(format!("attribute 'pads': expected four sizes ≥ 0, found {list:?}")),
    }
}

fn convolution(a: &Arguments, to: &mut Assembly) -> Translated {
    let (mut x, w) = (a.tensor(0, to)?, a.tensor(1, to)?);
    if to.shape(x).len() == 3 {
        return convolution_1d([x, w], a, to);
    }
    let [before, after] = paddings(a)?;
    let padding = if before == after { before } else { [0; 2] };
    if before != after {
        let four = |[h, w]: [usize; 2]| vec![0, 0, h, w];
        x = to.push(Op::Pad { before: four(before), after: four(after), value: 0.0 }, &[x])?;
    }
    let sizes = Convolution {
        stride: a.attribute_pair("strides", [1; 2])?,
        padding,
        dilation: a.attribute_pair("dilations", [1; 2])?,
        groups: usize::try_from(a.attribute_int("group", 1)).unwrap_or(0),
    };
    // A bias of zeros is what stands for none.
    let bias = a.optional(2, to)?.filter(|&bias| !to.is_number(bias, 0.0));
    one(to.push_with(Op::Conv2d(sizes), vec![Some(x), Some(w), bias])?)
}

/// Of a sequence: a picture of one row.
fn convolution_1d([x, w]: [usize; 2], a: &Arguments, to: &mut Assembly) -> Translated {
    let one_of = |name: &str, default: usize| match a.attribute_ints(name) {
        None => Ok(default),
        Some(list) => {
            let first = list.first().and_then(|&n| usize::try_from(n).ok());
            first
                .filter(|_| list.iter().all(|n| *n == list[0]))
                .ok_or_else(|| format!("attribute '{name}': {list:?}"))
        }
    };
    let padding = one_of("pads", 0)?;
    let sizes = Convolution {
        stride: [1, one_of("strides", 1)?],
        padding: [0, padding],
        dilation: [1, one_of("dilations", 1)?],
        groups: usize::try_from(a.attribute_int("group", 1)).unwrap_or(0),
    };
    let bias = a.optional(2, to)?.filter(|&bias| !to.is_number(bias, 0.0));
    one(to.conv1d([x, w], bias, sizes)?)
}

fn gemm(a: &Arguments, to: &mut Assembly) -> Translated {
    if a.attribute_float("alpha", 1.0)? != 1.0
        || (a.has(2) && a.attribute_float("beta", 1.0)? != 1.0)
        || a.attribute_int("transA", 0) != 0
    {
        return Err("attributes alpha, beta and transA: expected 1, 1 and 0".into());
    }
    let (x, w, bias) = (a.tensor(0, to)?, a.tensor(1, to)?, a.optional(2, to)?);
    match a.attribute_int("transB", 0) {
        0 => one(to.product(x, w, bias)?),
        _ => one(to.push_with(Op::Linear, vec![Some(x), Some(w), bias])?),
    }
}

fn batch_norm(a: &Arguments, to: &mut Assembly) -> Translated {
    let inputs: Vec<Option<usize>> = (0..5).map(|i| a.tensor(i, to).map(Some)).collect::<Result<_, _>>()?;
    let [Some(mean), Some(variance)] = inputs[3..5] else { unreachable!("five of them") };
    let statistic = |node: usize| match to.op(node) {
        Op::Parameter(at) if !to.tensors[*at].trainable => Some(to.tensors[*at].name.clone()),
        _ => None,
    };
    let (Some(name), Some(_)) = (statistic(mean), statistic(variance)) else {
        return Err("batch norm's running statistics are no tensors of their own".into());
    };
    let name = name.strip_suffix(".running_mean").unwrap_or(&name).to_string();
    // Here it is the share of the old ones.
    let momentum = 1.0 - a.attribute_float("momentum", 0.9)?;
    let momentum = (momentum * 1e6).round() / 1e6;
    if !(0.0..=1.0).contains(&momentum) {
        return Err(format!("attribute 'momentum': expected 0 to 1, found {}", 1.0 - momentum));
    }
    let op = Op::BatchNorm { name, epsilon: a.attribute_float("epsilon", 1e-5)?, momentum };
    one(to.push_with(op, inputs)?)
}

fn group_norm(x: usize, groups: usize, a: &Arguments, to: &mut Assembly) -> Translated {
    let affine = [(1, 1.0), (2, 0.0)].map(|(i, nothing)| {
        // Ones and zeros stand for none.
        a.optional(i, to).map(|node| node.filter(|&node| !to.is_number(node, nothing)))
    });
    let [scale, bias] = affine;
    let op = Op::GroupNorm { groups, epsilon: a.attribute_float("epsilon", 1e-5)? };
    one(to.push_with(op, vec![Some(x), scale?, bias?])?)
}

/// Sizes of an average's windows; rounding up is allowed where it changes nothing.
fn window(x: usize, a: &Arguments, to: &Assembly) -> Result<Window, String> {
    let window = sides(a)?;
    match a.attribute_int("ceil_mode", 0) != 0 && !window.divides(to.shape(x)) {
        false => Ok(window),
        true => Err("attribute 'ceil_mode': expected 0, for it changes the size here".into()),
    }
}

fn sides(a: &Arguments) -> Result<Window, String> {
    if a.attribute_pair("dilations", [1; 2])? != [1; 2] {
        return Err("attribute 'dilations': expected 1".into());
    }
    let [before, after] = paddings(a)?;
    if before != after {
        return Err("attribute 'pads': expected as much before as after".into());
    }
    let kernel = a.attribute_pair("kernel_shape", [0; 2])?;
    Ok(Window { kernel, stride: a.attribute_pair("strides", [1; 2])?, padding: before })
}
