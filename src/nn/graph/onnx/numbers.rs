//! Functions of one number and of two, constants, and what stands for noise.

use super::{
    attributes::Arguments,
    sizes::{Size, Sizes},
    tensors,
    translate::{Item, Translated, integers},
};
use crate::nn::graph::{
    assemble::{Assembly, NOISE},
    compose::masks::Compare,
    op::{Constant, Op, Pair, Pointwise},
};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let simple = match name {
        "Abs" => Pointwise::Abs,
        "Erf" => Pointwise::Erf,
        "Exp" => Pointwise::Exp,
        "Log" => Pointwise::Log,
        "Neg" => Pointwise::Neg,
        "Sqrt" => Pointwise::Sqrt,
        "Reciprocal" => Pointwise::Power(-1),
        "Relu" => Pointwise::Relu,
        "Sigmoid" => Pointwise::Sigmoid,
        "Tanh" => Pointwise::Tanh,
        "HardSwish" => Pointwise::Hardswish,
        "HardSigmoid" => {
            let (slope, at) = (a.attribute_float("alpha", 0.2)?, a.attribute_float("beta", 0.5)?);
            if (slope - 1.0 / 6.0).abs() > 1e-6 || at != 0.5 {
                return Err(format!(
                    "HardSigmoid of slope {slope} and {at}: expected 1/6 and 0.5, as PyTorch has it"
                ));
            }
            Pointwise::Hardsigmoid
        }
        "LeakyRelu" => Pointwise::LeakyRelu { slope: a.attribute_float("alpha", 0.01)? },
        "Elu" => Pointwise::Elu { alpha: a.attribute_float("alpha", 1.0)?, scale: 1.0 },
        "Gelu" => match a.attribute_string("approximate").as_deref() {
            None | Some("none") => Pointwise::Gelu,
            Some("tanh") => Pointwise::GeluTanh,
            Some(other) => {
                return Err(format!("attribute 'approximate': expected none or tanh, found {other}"));
            }
        },
        "Clip" => {
            let end = |i: usize, open: f64| match a.has(i) {
                false => Ok(open),
                true => a.number(i, to).ok_or(format!("operand {i} is no known number")),
            };
            // PyTorch's ReLU6 and hardtanh become this; whether its ends count is no matter but at them.
            Pointwise::Hardtanh { low: end(1, f64::MIN)?, high: end(2, f64::MAX)? }
        }
        "Sign" => Pointwise::Sign,
        _ => return other(name, a, to),
    };
    if let (Item::Sizes(sizes), Pointwise::Sqrt | Pointwise::Neg) = (a.item(0)?, simple) {
        let value = sizes.one().ok_or("integers")? as f64;
        let value = if simple == Pointwise::Neg { -value } else { value.sqrt() };
        return constant(vec![], vec![value], to);
    }
    let x = a.tensor(0, to)?;
    Ok(Some(vec![Item::Node(to.push(Op::Pointwise(simple), &[x])?)]))
}

fn constant(shape: Vec<usize>, data: Vec<f64>, to: &mut Assembly) -> Translated {
    Ok(Some(vec![Item::Node(to.constant(Constant { shape, data: data.into() })?)]))
}

fn other(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    match name {
        "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Mod" => pair(name, a, to),
        "Equal" if matches!([a.item(0)?, a.item(1)?], [Item::Sizes(_), Item::Sizes(_)]) => pair(name, a, to),
        "Constant" => value(a, to),
        "Cast"
            if a.attribute_int("to", 0) == i64::from(tensors::BOOL)
                && matches!(a.item(0)?, Item::Node(_)) =>
        {
            let x = a.tensor(0, to)?;
            if to.is_boolean(x) {
                return Ok(Some(vec![Item::Node(x)]));
            }
            let zero = to.number(0.0)?;
            Ok(Some(vec![Item::Node(to.compare(Compare::NotEqual, [x, zero])?)]))
        }
        "Identity" | "Cast" | "CastLike" => match a.item(0)? {
            // A number becomes a float, of which a node is made where one is asked for.
            item @ (Item::Node(_) | Item::Sizes(_) | Item::Uniform(_)) => Ok(Some(vec![item])),
            Item::List(_) => Err("a list of tensors".into()),
        },
        "Dropout" => {
            to.note(NOISE);
            Ok(Some(vec![a.item(0)?]))
        }
        "RandomUniformLike" | "RandomUniform" => Ok(Some(vec![Item::Uniform(f64::NAN)])),
        // u < p is 1 with probability p.
        "Less" if matches!(a.item(0)?, Item::Uniform(_)) => {
            to.note(NOISE);
            let p = a.number(1, to).ok_or("noise that is compared with a tensor")?;
            Ok(Some(vec![Item::Uniform(p)]))
        }
        // Of constants alone: a table of positions.
        "Sin" | "Cos" => {
            let x = a.tensor(0, to)?;
            let known = to.known(x);
            let known = known.ok_or_else(|| {
                format!("'{name}' of what depends on the picture or a parameter is not known")
            })?;
            let function = if name == "Sin" { f64::sin } else { f64::cos };
            constant(known.shape, known.data.iter().map(|&v| function(v)).collect(), to)
        }
        _ => Ok(None),
    }
}

fn pair(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    if a.count() != 2 && matches!(name, "Max" | "Min") && a.count() > 0 {
        let mut all = a.tensor(0, to)?;
        for i in 1..a.count() {
            let next = a.tensor(i, to)?;
            all = to.pair(if name == "Max" { Pair::Max } else { Pair::Min }, all, next)?;
        }
        return Ok(Some(vec![Item::Node(all)]));
    }
    if a.count() != 2 {
        return Err(format!("{} operands, expected 2", a.count()));
    }
    let items = [a.item(0)?, a.item(1)?];
    match &items {
        [Item::Sizes(x), Item::Sizes(y)] if x.columns.is_none() && y.columns.is_none() => {
            return Ok(Some(vec![Item::Sizes(x.pair(y, name)?)]));
        }
        // Noise whose mean is 1 scales a residual branch: stochastic depth.
        [Item::Uniform(p), _] if name == "Div" => {
            let by = a.number(1, to).ok_or("noise divided by a tensor")?;
            return Ok(Some(vec![Item::Uniform(p / by)]));
        }
        [Item::Uniform(p), Item::Node(x)] | [Item::Node(x), Item::Uniform(p)] if name == "Mul" => {
            return match (p - 1.0).abs() < 1e-6 {
                true => Ok(Some(vec![Item::Node(*x)])),
                false => Err(format!("noise of mean {p}, expected 1")),
            };
        }
        _ => {}
    }
    let operands = [a.tensor(0, to)?, a.tensor(1, to)?];
    let pair = match name {
        "Add" => Pair::Add,
        "Sub" => Pair::Sub,
        "Mul" => Pair::Mul,
        "Div" => Pair::Div,
        "Max" => Pair::Max,
        "Min" => Pair::Min,
        _ => return Err(format!("{name} of tensors has no gradient")),
    };
    if pair == Pair::Add {
        for [x, bias] in [operands, [operands[1], operands[0]]] {
            if let Some(node) = to.with_bias(x, bias)? {
                return Ok(Some(vec![Item::Node(node)]));
            }
        }
    }
    // A product with 1 is nothing.
    if pair == Pair::Mul && to.is_number(operands[1], 1.0) {
        return Ok(Some(vec![Item::Node(operands[0])]));
    }
    Ok(Some(vec![Item::Node(to.push(Op::Pair(pair), &operands)?)]))
}

/// A constant in any of the forms that the format has.
fn value(a: &Arguments, to: &mut Assembly) -> Translated {
    let attribute = a.constant().ok_or("a constant without a value")?;
    let size = |n: i64| Size::Number(n);
    Ok(Some(vec![match attribute.name() {
        "value_int" => Item::Sizes(Sizes::scalar(size(attribute.i()))),
        "value_ints" => Item::Sizes(Sizes::list(attribute.ints.iter().map(|&n| size(n)).collect())?),
        "value_float" => return constant(vec![], vec![f64::from(attribute.f())], to),
        "value_floats" => {
            let data: Vec<f64> = attribute.floats.iter().map(|&v| f64::from(v)).collect();
            return constant(vec![data.len()], data, to);
        }
        "value" => {
            let tensor = attribute.t.as_ref().ok_or("a constant without a value")?;
            match tensors::is_float(tensor) {
                false => integers(tensor, to)?,
                true => return constant(tensors::shape(tensor)?, tensors::numbers(tensor, |v| v)?, to),
            }
        }
        other => return Err(format!("a constant of kind '{other}'")),
    }]))
}
