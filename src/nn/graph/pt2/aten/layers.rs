//! Layers with weights, normalisation, pooling, attention.

use super::{Arguments, Assembly, Operation, Translated, of_self, one};
use crate::nn::graph::{
    constants::HIDDEN,
    op::{Convolution, Op, Pair, Pointwise, Window},
};

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let name = operation.name.as_str();
    match name {
        "conv2d" | "convolution" => convolution(a, to),
        "conv1d" => convolution_1d(a, to),
        "linear" => {
            let inputs = vec![Some(a.tensor("input")?), Some(a.tensor("weight")?), a.optional("bias")?];
            one(to.push_with(Op::Linear, inputs)?)
        }
        "mm" | "bmm" => one(to.product(a.tensor("self")?, a.tensor("mat2")?, None)?),
        "matmul" => one(to.product(a.tensor("self")?, a.tensor("other")?, None)?),
        "addmm" => {
            if a.float("alpha", 1.0)? != 1.0 || a.float("beta", 1.0)? != 1.0 {
                return Err("arguments 'alpha' and 'beta': expected 1".into());
            }
            one(to.product(a.tensor("mat1")?, a.tensor("mat2")?, Some(a.tensor("self")?))?)
        }
        "einsum" => {
            let equation = a.string("equation").ok_or("argument 'equation': expected a text")?;
            match a.tensors("tensors")?[..] {
                [x, y] => one(to.einsum(equation, [x, y])?),
                ref other => Err(format!("equation '{equation}' of {} tensors, expected 2", other.len())),
            }
        }
        "baddbmm" => {
            let product = to.product(a.tensor("batch1")?, a.tensor("batch2")?, None)?;
            let scaled = to.affine(product, a.float("alpha", 1.0)?, 0.0)?;
            let added = to.affine(a.tensor("self")?, a.float("beta", 1.0)?, 0.0)?;
            one(to.pair(Pair::Add, scaled, added)?)
        }
        "batch_norm"
        | "native_batch_norm"
        | "_native_batch_norm_legit"
        | "_native_batch_norm_legit_functional"
        | "_native_batch_norm_legit_no_training"
        | "_batch_norm_with_update"
        | "_batch_norm_with_update_functional" => batch_norm(a, to),
        "layer_norm" | "native_layer_norm" => {
            let axes = a.sizes("normalized_shape")?.len();
            let inputs = vec![Some(a.tensor("input")?), a.optional("weight")?, a.optional("bias")?];
            one(to.push_with(Op::LayerNorm { axes, epsilon: a.float("eps", 1e-5)? }, inputs)?)
        }
        "group_norm" | "native_group_norm" => {
            let groups = a.required(if name == "group_norm" { "num_groups" } else { "group" })?;
            group_norm(usize::try_from(groups).unwrap_or(0), a, to)
        }
        "instance_norm" => {
            if a.has("running_mean") || !a.bool("use_input_stats", true)? {
                return Err("instance norm with running statistics: use track_running_stats=False".into());
            }
            let channels = to.shape(a.tensor("input")?).get(1).and_then(|e| e.fixed()).unwrap_or(0);
            group_norm(channels, a, to)
        }
        "max_pool2d" | "max_pool2d_with_indices" => {
            if a.pair("dilation", [1; 2])? != [1; 2] {
                return Err("argument 'dilation': expected 1".into());
            }
            let x = a.tensor("self")?;
            let window = sides(a)?;
            one(to.max_pool(x, window, a.bool("ceil_mode", false)?)?)
        }
        "avg_pool2d" => {
            if a.has("divisor_override") {
                return Err("argument 'divisor_override': expected none".into());
            }
            let window = window(a, to)?;
            of_self(Op::AveragePool { window, padded: a.bool("count_include_pad", true)? }, a, to)
        }
        "avg_pool3d" => neighbours(a, to),
        "adaptive_avg_pool2d" | "_adaptive_avg_pool2d" => {
            let sides = a.pair("output_size", [0; 2])?;
            of_self(Op::AdaptiveAveragePool(sides), a, to)
        }
        "softmax" | "_softmax" => {
            let x = a.tensor("self")?;
            let axis = a.axis("dim", to.shape(x).len(), -1)?;
            one(to.push(Op::Softmax { axis }, &[x])?)
        }
        "scaled_dot_product_attention" => attention(a, to),
        _ => Ok(None),
    }
}

fn convolution(a: &Arguments, to: &mut Assembly) -> Translated {
    if a.bool("transposed", false)? {
        return Err("a transposed convolution is not known".into());
    }
    let (x, w) = (a.tensor("input")?, a.tensor("weight")?);
    let [stride, dilation] = [a.pair("stride", [1; 2])?, a.pair("dilation", [1; 2])?];
    let groups = usize::try_from(a.int("groups")?.unwrap_or(1)).unwrap_or(0);
    let kernel = to.shape(w).get(2..4).map(|k| [k[0].count(), k[1].count()]).unwrap_or([1; 2]);
    let (x, padding) = match a.string("padding") {
        None => (x, a.pair("padding", [0; 2])?),
        Some("valid") => (x, [0; 2]),
        // As much on both sides, and where the sum is odd one more behind.
        Some("same") => {
            let total = [0, 1].map(|d| dilation[d].saturating_mul(kernel[d].saturating_sub(1)));
            match total.iter().all(|n| n % 2 == 0) {
                true => (x, total.map(|n| n / 2)),
                false => {
                    let (before, after) = (total.map(|n| n / 2), total.map(|n| n - n / 2));
                    let pad = Op::Pad {
                        before: vec![0, 0, before[0], before[1]],
                        after: vec![0, 0, after[0], after[1]],
                        value: 0.0,
                    };
                    (to.push(pad, &[x])?, [0; 2])
                }
            }
        }
        Some(other) => return Err(format!("argument 'padding': expected same or valid, found {other}")),
    };
    let sizes = Convolution { stride, padding, dilation, groups };
    one(to.push_with(Op::Conv2d(sizes), vec![Some(x), Some(w), a.optional("bias")?])?)
}

/// An average over channels side by side, `(B,1,C,H,W)` with a kernel of `(n,1,1)`: local response normalisation.
fn neighbours(a: &Arguments, to: &mut Assembly) -> Translated {
    let first = |name: &str, rest: usize, default: usize| match a.ints(name)?.as_deref() {
        None | Some([]) => Ok(default),
        Some(&[n, h, w]) if [h, w] == [rest as i64; 2] => Ok(usize::try_from(n).unwrap_or(0)),
        Some(other) => Err(format!("argument '{name}': expected one along channels alone, found {other:?}")),
    };
    let n = first("kernel_size", 1, 0)?;
    let (stride, padding) = (first("stride", 1, n)?, first("padding", 0, 0)?);
    if a.bool("ceil_mode", false)? || a.has("divisor_override") {
        return Err("arguments 'ceil_mode' and 'divisor_override': expected false and none".into());
    }
    let x = a.tensor("self")?;
    one(to.average_of_channels(x, [n, stride, padding], a.bool("count_include_pad", true)?)?)
}

/// Of a sequence: a picture of one row.
fn convolution_1d(a: &Arguments, to: &mut Assembly) -> Translated {
    let (x, w) = (a.tensor("input")?, a.tensor("weight")?);
    let number = |name: &str, default: i64| -> Result<usize, String> {
        let found = a.ints(name)?.and_then(|list| list.first().copied()).unwrap_or(default);
        usize::try_from(found).map_err(|_| format!("argument '{name}': expected a size ≥ 0, found {found}"))
    };
    let [stride, dilation] = [number("stride", 1)?, number("dilation", 1)?];
    let kernel = to.shape(w).get(2).map_or(1, |k| k.count());
    let reach = dilation.saturating_mul(kernel.saturating_sub(1));
    let padding = match a.string("padding") {
        None => number("padding", 0)?,
        Some("valid") => 0,
        Some("same") if reach.is_multiple_of(2) => reach / 2,
        Some(other) => return Err(format!("argument 'padding': {other} for a kernel of {kernel}")),
    };
    let groups = usize::try_from(a.int("groups")?.unwrap_or(1)).unwrap_or(0);
    let sizes = Convolution { stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups };
    one(to.conv1d([x, w], a.optional("bias")?, sizes)?)
}

fn batch_norm(a: &Arguments, to: &mut Assembly) -> Translated {
    let [mean, variance] = [a.optional("running_mean")?, a.optional("running_var")?];
    let (Some(mean), Some(variance)) = (mean, variance) else {
        return Err("batch norm without running statistics (track_running_stats=False) is not known".into());
    };
    let of_mean = match to.op(mean) {
        Op::Parameter(at) => to.tensors[*at].name.clone(),
        _ => return Err("batch norm's running mean is no buffer of its own".into()),
    };
    let name = of_mean.strip_suffix(".running_mean").unwrap_or(&of_mean).to_string();
    let inputs = vec![
        Some(a.tensor("input")?),
        a.optional("weight")?,
        a.optional("bias")?,
        Some(mean),
        Some(variance),
    ];
    let momentum = a.float("momentum", 0.1)?;
    if !(0.0..=1.0).contains(&momentum) {
        return Err(format!("argument 'momentum': expected 0 to 1, found {momentum}"));
    }
    one(to.push_with(Op::BatchNorm { name, epsilon: a.float("eps", 1e-5)?, momentum }, inputs)?)
}

fn group_norm(groups: usize, a: &Arguments, to: &mut Assembly) -> Translated {
    let inputs = vec![Some(a.tensor("input")?), a.optional("weight")?, a.optional("bias")?];
    one(to.push_with(Op::GroupNorm { groups, epsilon: a.float("eps", 1e-5)? }, inputs)?)
}

/// Sizes of a pooling; rounding up is allowed where it changes nothing.
fn window(a: &Arguments, to: &Assembly) -> Result<Window, String> {
    let window = sides(a)?;
    match a.bool("ceil_mode", false)? && !window.divides(to.shape(a.tensor("self")?)) {
        false => Ok(window),
        true => Err("argument 'ceil_mode': expected false, for it changes the size here".into()),
    }
}

fn sides(a: &Arguments) -> Result<Window, String> {
    let kernel = a.pair("kernel_size", [0; 2])?;
    Ok(Window { kernel, stride: a.pair("stride", kernel)?, padding: a.pair("padding", [0; 2])? })
}

fn attention(a: &Arguments, to: &mut Assembly) -> Translated {
    if a.bool("enable_gqa", false)? {
        return Err("argument 'enable_gqa': expected false".into());
    }
    let q = a.tensor("query")?;
    let width = to.shape(q).last().and_then(|e| e.fixed()).ok_or("its queries have no width")?;
    let scale = a.float("scale", 1.0 / (width as f64).sqrt())?;
    let mut mask = a.optional("attn_mask")?;
    if let Some(allowed) = mask.filter(|&mask| to.is_boolean(mask)) {
        // True lets a token see another: 0 is added, else what hides it.
        let hidden = Pointwise::Affine { factor: HIDDEN, term: -HIDDEN };
        mask = match to.is_number(allowed, 1.0) {
            true => None,
            false => Some(to.push(Op::Pointwise(hidden), &[allowed])?),
        };
    }
    let inputs = vec![Some(q), Some(a.tensor("key")?), Some(a.tensor("value")?), mask];
    let op = Op::Attention { scale, causal: a.bool("is_causal", false)? };
    one(to.push_with(op, inputs.into_iter().filter(Option::is_some).collect())?)
}
