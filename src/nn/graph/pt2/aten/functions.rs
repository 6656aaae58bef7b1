//! Functions that are made of others, and norms and spreads.

use super::{Arguments, Assembly, Operation, Translated, one};
use crate::nn::graph::op::{Op, Pair, Pointwise};

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let name = operation.name.as_str();
    let x = |to: &Assembly| a.tensor("self").map(|x| (x, to.shape(x).len()));
    one(match name {
        "prelu" | "_prelu_kernel" => {
            let slope = a.tensor("weight")?;
            to.prelu(x(to)?.0, slope)?
        }
        "selu" => to.selu(x(to)?.0)?,
        "celu" => to.celu(x(to)?.0, a.float("alpha", 1.0)?)?,
        "mish" => to.mish(x(to)?.0)?,
        "softplus" => {
            let beta = a.float("beta", 1.0)?;
            if a.float("threshold", 20.0)? != 20.0 {
                return Err("argument 'threshold': expected 20".into());
            }
            to.softplus(x(to)?.0, beta)?
        }
        "log_sigmoid" | "log_sigmoid_forward" => to.map(Pointwise::LogSigmoid, x(to)?.0)?,
        "glu" => {
            let (x, rank) = x(to)?;
            to.glu(x, a.axis("dim", rank, -1)?)?
        }
        "threshold" => to.threshold(x(to)?.0, a.float("threshold", 0.0)?, a.float("value", 0.0)?)?,
        "hardshrink" => to.hardshrink(x(to)?.0, a.float("lambd", 0.5)?)?,
        "softshrink" => to.softshrink(x(to)?.0, a.float("lambd", 0.5)?)?,
        "pow" if operation.overload == "Scalar" => {
            let base = a.scalar("self").filter(|base| *base > 0.0).ok_or("a base that is not above 0")?;
            let scaled = to.affine(a.tensor("exponent")?, base.ln(), 0.0)?;
            to.map(Pointwise::Exp, scaled)?
        }
        "pow" => match a.scalar("exponent") {
            Some(p) => to.power(x(to)?.0, p)?,
            None => to.power_of(x(to)?.0, a.tensor("exponent")?)?,
        },
        "log1p" => {
            let shifted = to.affine(x(to)?.0, 1.0, 1.0)?;
            to.map(Pointwise::Log, shifted)?
        }
        "expm1" => {
            let exp = to.map(Pointwise::Exp, x(to)?.0)?;
            to.affine(exp, 1.0, -1.0)?
        }
        "log2" | "log10" => {
            let log = to.map(Pointwise::Log, x(to)?.0)?;
            to.affine(log, if name == "log2" { 2f64.ln() } else { 10f64.ln() }.recip(), 0.0)?
        }
        "exp2" => {
            let scaled = to.affine(x(to)?.0, 2f64.ln(), 0.0)?;
            to.map(Pointwise::Exp, scaled)?
        }
        "addcmul" | "addcdiv" => {
            let (y, z) = (a.tensor("tensor1")?, a.tensor("tensor2")?);
            let both = to.pair(if name == "addcmul" { Pair::Mul } else { Pair::Div }, y, z)?;
            let scaled = to.affine(both, a.float("value", 1.0)?, 0.0)?;
            to.pair(Pair::Add, x(to)?.0, scaled)?
        }
        "lerp" => {
            let (x, end) = (x(to)?.0, a.tensor("end")?);
            let way = to.pair(Pair::Sub, end, x)?;
            let weight = a.number_or_tensor("weight", to)?;
            let part = to.pair(Pair::Mul, way, weight)?;
            to.pair(Pair::Add, x, part)?
        }
        "rms_norm" | "_fused_rms_norm" => {
            let axes = a.sizes("normalized_shape")?.len();
            let weight = a.optional("weight")?;
            to.rms_norm(a.tensor("input")?, axes, a.float("eps", f64::from(f32::EPSILON))?, weight)?
        }
        "log_softmax" | "_log_softmax" => {
            let (x, rank) = x(to)?;
            to.push(Op::LogSoftmax { axis: a.axis("dim", rank, -1)? }, &[x])?
        }
        "linalg_vector_norm" | "norm" => {
            let (x, rank) = x(to)?;
            let order = if a.has("ord") { "ord" } else { "p" };
            let p = a.scalar(order).unwrap_or(2.0);
            let axes = a.axes("dim", rank)?;
            let norm = to.norm(x, p, &axes)?;
            return kept(norm, &axes, a, to);
        }
        "var" | "std" => {
            let (x, rank) = x(to)?;
            let axes = a.axes("dim", rank)?;
            let plain = f64::from(a.bool("unbiased", true)?);
            let variance = to.variance(x, &axes, a.float("correction", plain)?)?;
            let spread = if name == "std" { to.safe_root(variance)? } else { variance };
            return kept(spread, &axes, a, to);
        }
        "var_mean" | "std_mean" => {
            let (x, rank) = x(to)?;
            let axes = a.axes("dim", rank)?;
            let variance = to.variance(x, &axes, a.float("correction", 1.0)?)?;
            let spread = if name == "std_mean" { to.safe_root(variance)? } else { variance };
            let mean = to.push(Op::Mean { axes: axes.clone() }, &[x])?;
            let both = [kept(spread, &axes, a, to)?, kept(mean, &axes, a, to)?];
            return Ok(Some(both.into_iter().flatten().flatten().collect()));
        }
        "amax" | "amin" | "max" | "min" if !a.has("other") => {
            let (x, rank) = x(to)?;
            let axes = a.axes("dim", rank)?;
            let most = match name {
                "amax" | "max" => to.push(Op::Largest { axes: axes.clone() }, &[x])?,
                _ => to.smallest(x, &axes)?,
            };
            return kept(most, &axes, a, to);
        }
        "max" | "min" => {
            let pair = if name == "max" { Pair::Max } else { Pair::Min };
            to.pair(pair, x(to)?.0, a.tensor("other")?)?
        }
        "logsumexp" => {
            let (x, rank) = x(to)?;
            let axes = a.axes("dim", rank)?;
            let whole = to.log_sum_exp(x, &axes)?;
            return kept(whole, &axes, a, to);
        }
        "cumsum" => {
            let (x, rank) = x(to)?;
            to.cumulative_sum(x, a.axis("dim", rank, 0)?)?
        }
        _ => return Ok(None),
    })
}

/// With the axes of size 1 that are left, or without them.
fn kept(node: usize, axes: &[usize], a: &Arguments, to: &mut Assembly) -> Translated {
    match a.bool("keepdim", false)? {
        true => one(node),
        false => one(to.squeeze(node, axes)?),
    }
}
