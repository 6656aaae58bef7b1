//! Functions that are made of others, and what is reduced over axes.

use super::{
    attributes::Arguments,
    layers::axis,
    translate::{Translated, one},
};
use crate::nn::graph::{
    assemble::Assembly,
    op::{Op, Pair, Pointwise},
};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    if name.starts_with("Reduce") {
        return reduce(name, a, to);
    }
    let alpha = |default| a.attribute_float("alpha", default);
    one(match name {
        "PRelu" => {
            let operands = [a.tensor(0, to)?, a.tensor(1, to)?];
            to.prelu(operands[0], operands[1])?
        }
        "Selu" => {
            let (alpha, scale) = (alpha(1.673_263_2)?, a.attribute_float("gamma", 1.050_701)?);
            let x = a.tensor(0, to)?;
            // Its attributes are f32; PyTorch's SELU has these numbers in full.
            match (alpha - 1.673_263_2).abs() < 1e-5 && (scale - 1.050_701).abs() < 1e-5 {
                true => to.selu(x)?,
                false => to.map(Pointwise::Elu { alpha, scale }, x)?,
            }
        }
        "Celu" => {
            let x = a.tensor(0, to)?;
            to.celu(x, alpha(1.0)?)?
        }
        "Mish" => {
            let x = a.tensor(0, to)?;
            to.mish(x)?
        }
        "Softplus" => {
            let x = a.tensor(0, to)?;
            to.softplus(x, 1.0)?
        }
        "Softsign" => {
            let x = a.tensor(0, to)?;
            let size = to.map(Pointwise::Abs, x)?;
            let more = to.affine(size, 1.0, 1.0)?;
            to.pair(Pair::Div, x, more)?
        }
        "Swish" => {
            let (x, slope) = (a.tensor(0, to)?, alpha(1.0)?);
            let scaled = to.affine(x, slope, 0.0)?;
            let gate = to.map(Pointwise::Sigmoid, scaled)?;
            to.pair(Pair::Mul, x, gate)?
        }
        "ThresholdedRelu" => {
            let x = a.tensor(0, to)?;
            to.threshold(x, alpha(1.0)?, 0.0)?
        }
        "Shrink" => {
            let (x, lambda) = (a.tensor(0, to)?, a.attribute_float("lambd", 0.5)?);
            match a.attribute_float("bias", 0.0)? {
                0.0 => to.hardshrink(x, lambda)?,
                bias if bias == lambda => to.softshrink(x, lambda)?,
                bias => return Err(format!("attribute 'bias': expected 0 or {lambda}, found {bias}")),
            }
        }
        "Pow" => {
            let x = a.tensor(0, to)?;
            match a.number(1, to) {
                Some(p) => to.power(x, p)?,
                None => {
                    let exponent = a.tensor(1, to)?;
                    to.power_of(x, exponent)?
                }
            }
        }
        "LogSoftmax" => {
            let x = a.tensor(0, to)?;
            let axis = axis(a.attribute_int("axis", -1), to.shape(x).len())?;
            to.push(Op::LogSoftmax { axis }, &[x])?
        }
        "RMSNormalization" => {
            let x = a.tensor(0, to)?;
            let rank = to.shape(x).len();
            let axes = rank - axis(a.attribute_int("axis", -1), rank)?;
            let weight = a.optional(1, to)?;
            to.rms_norm(x, axes, a.attribute_float("epsilon", 1e-5)?, weight)?
        }
        "CumSum" => {
            let x = a.tensor(0, to)?;
            if a.attribute_int("exclusive", 0) != 0 || a.attribute_int("reverse", 0) != 0 {
                return Err("attributes 'exclusive' and 'reverse': expected 0".into());
            }
            let at = a.number(1, to).ok_or("an axis that is not known")?;
            let axis = axis(at as i64, to.shape(x).len())?;
            to.cumulative_sum(x, axis)?
        }
        _ => return Ok(None),
    })
}

fn reduce(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let x = a.tensor(0, to)?;
    let rank = to.shape(x).len();
    let listed = match (a.has(1), a.attribute_ints("axes")) {
        (true, _) => a.sizes(1)?.numbers()?,
        (false, Some(list)) => list.to_vec(),
        (false, None) => (0..rank as i64).collect(),
    };
    let axes: Vec<usize> = listed.into_iter().map(|d| axis(d, rank)).collect::<Result<_, _>>()?;
    let keep = a.attribute_int("keepdims", 1) != 0;
    let over = axes.clone();
    let reduced = match name {
        "ReduceMean" => to.push(Op::Mean { axes: over }, &[x])?,
        "ReduceSum" => to.push(Op::Sum { axes: over }, &[x])?,
        "ReduceMax" => to.push(Op::Largest { axes: over }, &[x])?,
        "ReduceMin" => to.smallest(x, &axes)?,
        "ReduceL1" => to.norm(x, 1.0, &axes)?,
        "ReduceL2" => to.norm(x, 2.0, &axes)?,
        "ReduceSumSquare" => {
            let square = to.map(Pointwise::Power(2), x)?;
            to.push(Op::Sum { axes: over }, &[square])?
        }
        "ReduceLogSumExp" => to.log_sum_exp(x, &axes)?,
        _ => return Ok(None),
    };
    if keep { one(reduced) } else { one(to.squeeze(reduced, &axes)?) }
}
