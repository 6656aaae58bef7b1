//! Functions of one number and of two, constants, and what stands for noise.

use super::{super::signature::BOOL, Arguments, Assembly, Item, Operation, Translated, of_self, one};
use crate::nn::graph::{
    assemble::{NOISE, bounded},
    extent::Extent,
    op::{Constant, Op, Pair, Pointwise},
};

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let pointwise = |function| Op::Pointwise(function);
    let simple = match operation.name.as_str() {
        "abs" => Pointwise::Abs,
        "erf" => Pointwise::Erf,
        "exp" => Pointwise::Exp,
        "log" => Pointwise::Log,
        "neg" => Pointwise::Neg,
        "sqrt" => Pointwise::Sqrt,
        "rsqrt" => Pointwise::Rsqrt,
        "relu" => Pointwise::Relu,
        "relu6" => Pointwise::Hardtanh { low: 0.0, high: 6.0 },
        "sigmoid" => Pointwise::Sigmoid,
        "silu" => Pointwise::Silu,
        "tanh" => Pointwise::Tanh,
        "hardswish" => Pointwise::Hardswish,
        "hardsigmoid" => Pointwise::Hardsigmoid,
        "square" => Pointwise::Power(2),
        "reciprocal" => Pointwise::Power(-1),
        "gelu" => match a.string("approximate").unwrap_or("none") {
            "none" => Pointwise::Gelu,
            "tanh" => Pointwise::GeluTanh,
            other => return Err(format!("argument 'approximate': expected none or tanh, found {other}")),
        },
        "hardtanh" => Pointwise::Hardtanh { low: a.float("min_val", -1.0)?, high: a.float("max_val", 1.0)? },
        "clamp" | "clamp_min" | "clamp_max" => {
            Pointwise::Clamp { low: a.float("min", f64::MIN)?, high: a.float("max", f64::MAX)? }
        }
        "leaky_relu" => Pointwise::LeakyRelu { slope: a.float("negative_slope", 0.01)? },
        "elu" => {
            if a.float("input_scale", 1.0)? != 1.0 {
                return Err("argument 'input_scale': expected 1".into());
            }
            Pointwise::Elu { alpha: a.float("alpha", 1.0)?, scale: a.float("scale", 1.0)? }
        }
        "sign" | "sgn" => Pointwise::Sign,
        "add" | "sub" | "rsub" | "mul" | "div" | "maximum" | "minimum" => return pair(operation, a, to),
        _ => return constants(operation, a, to),
    };
    of_self(pointwise(simple), a, to)
}

/// Two operands, of which one may be a number.
fn pair(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let name = operation.name.as_str();
    let alpha = a.float("alpha", 1.0)?;
    if a.has("rounding_mode") {
        return Err("a division that rounds has no gradient".into());
    }
    let x = a.item("self")?;
    if x == Item::Counter {
        return Ok(Some(vec![Item::Counter]));
    }
    if let Some(number) = a.scalar("other") {
        let affine = |factor: f64, term: f64| Pointwise::Affine { factor, term };
        let function = match name {
            "add" => affine(1.0, alpha * number),
            "sub" => affine(1.0, -alpha * number),
            "rsub" => affine(-alpha, number),
            "mul" => affine(number, 0.0),
            "div" if number != 0.0 => affine(1.0 / number, 0.0),
            _ => return Err(format!("'{name}' with the number {number}")),
        };
        return match (x, function) {
            (Item::Uniform(value), Pointwise::Affine { factor, term }) => {
                Ok(Some(vec![Item::Uniform(factor * value + term)]))
            }
            _ => of_self(Op::Pointwise(function), a, to),
        };
    }
    // Noise whose mean is 1 scales a residual branch: stochastic depth.
    if name == "mul" {
        let scaled = match (&x, a.item("other")?) {
            (Item::Uniform(value), other) => Some((other, *value)),
            (_, Item::Uniform(value)) => Some((x.clone(), value)),
            _ => None,
        };
        if let Some((Item::Node(node), factor)) = scaled {
            if !factor.is_finite() {
                return Err("noise, or memory that is not written".into());
            }
            return match (factor - 1.0).abs() < 1e-6 {
                true => Ok(Some(vec![Item::Node(node)])),
                false => one(to.push(Op::Pointwise(Pointwise::Affine { factor, term: 0.0 }), &[node])?),
            };
        }
    }
    let (x, mut y) = (a.tensor("self")?, a.tensor("other")?);
    if alpha != 1.0 {
        y = to.push(Op::Pointwise(Pointwise::Affine { factor: alpha, term: 0.0 }), &[y])?;
    }
    let (pair, operands) = match name {
        "add" => (Pair::Add, [x, y]),
        "sub" => (Pair::Sub, [x, y]),
        "rsub" => (Pair::Sub, [y, x]),
        "mul" => (Pair::Mul, [x, y]),
        "div" => (Pair::Div, [x, y]),
        "maximum" => (Pair::Max, [x, y]),
        _ => (Pair::Min, [x, y]),
    };
    one(to.push(Op::Pair(pair), &operands)?)
}

fn constants(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    match operation.name.as_str() {
        "dropout" | "feature_dropout" | "alpha_dropout" | "native_dropout" => {
            let x = if a.has("input") { a.tensor("input")? } else { a.tensor("self")? };
            if a.float("p", 0.5)? != 0.0 {
                to.note(NOISE);
            }
            one(x)
        }
        "empty" | "empty_like" | "new_empty" | "rand" | "rand_like" => {
            Ok(Some(vec![Item::Uniform(f64::NAN)]))
        }
        "bernoulli" => {
            to.note(NOISE);
            match a.item("self")? {
                Item::Uniform(_) => Ok(Some(vec![Item::Uniform(a.float("p", 0.5)?)])),
                _ => Err("noise that depends on the picture".into()),
            }
        }
        "zeros" | "zeros_like" | "new_zeros" | "ones" | "ones_like" | "new_ones" | "full" | "full_like"
        | "new_full" | "scalar_tensor" => {
            let value = match operation.name.as_str() {
                "zeros" | "zeros_like" | "new_zeros" => 0.0,
                "ones" | "ones_like" | "new_ones" => 1.0,
                "scalar_tensor" => a.scalar("s").ok_or("argument 's': expected a number")?,
                _ => a.scalar("fill_value").ok_or("argument 'fill_value': expected a number")?,
            };
            let shape = match operation.name.as_str() {
                "scalar_tensor" => vec![],
                name if name.ends_with("_like") => to.shape(a.tensor("self")?).to_vec(),
                _ => {
                    let sizes: Option<Vec<Extent>> =
                        a.sizes("size")?.iter().map(|asked| asked.known()).collect();
                    sizes.ok_or("a size of -1")?
                }
            };
            // A type of true and false: code 12, as PyTorch's own list has it.
            let number = match a.dtype() {
                Some(BOOL) => {
                    to.booleans(Constant { shape: vec![], data: vec![f64::from(value != 0.0)].into() })?
                }
                _ => to.number(value)?,
            };
            one(to.push(Op::Expand(shape), &[number])?)
        }
        // Of constants alone: a table of positions.
        "sin" | "cos" => {
            let mut known = to.known(a.tensor("self")?).ok_or_else(|| {
                format!("'{}' of what depends on the picture or a parameter is not known", operation.name)
            })?;
            let function = if operation.name == "sin" { f64::sin } else { f64::cos };
            known.data = known.data.iter().map(|&v| function(v)).collect::<Vec<_>>().into();
            one(to.constant(known)?)
        }
        "eye" => {
            let n = usize::try_from(a.required("n")?).unwrap_or(0);
            let m = a.int("m")?.map_or(n, |m| usize::try_from(m).unwrap_or(0));
            bounded(n.saturating_mul(m))?;
            let data: Vec<f64> = (0..n * m).map(|at| f64::from(at / m == at % m)).collect();
            let unit = Constant { shape: vec![n, m], data: data.into() };
            one(if a.dtype() == Some(BOOL) { to.booleans(unit)? } else { to.constant(unit)? })
        }
        "linspace" => {
            let (start, end) = (a.float("start", 0.0)?, a.float("end", 0.0)?);
            let steps = a.required("steps")?;
            if !(1..1_000_000).contains(&steps) {
                return Err(format!("{steps} numbers from {start} to {end}"));
            }
            let step = (end - start) / (steps - 1).max(1) as f64;
            let data: Vec<f64> = (0..steps).map(|i| start + i as f64 * step).collect();
            one(to.constant(Constant { shape: vec![data.len()], data: data.into() })?)
        }
        "arange" => {
            let (start, end, step) = (a.float("start", 0.0)?, a.float("end", 0.0)?, a.float("step", 1.0)?);
            let count = ((end - start) / step).ceil();
            if !(1.0..1e6).contains(&count) {
                return Err(format!("{count} numbers from {start} to {end}"));
            }
            let data: Vec<f64> = (0..count as usize).map(|i| start + i as f64 * step).collect();
            one(to.constant(Constant { shape: vec![data.len()], data: data.into() })?)
        }
        _ => Ok(None),
    }
}
