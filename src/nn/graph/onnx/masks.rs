//! What is true and false, and choices by it.

use super::{
    attributes::Arguments,
    translate::{Item, Translated, one},
};
use crate::nn::graph::{assemble::Assembly, compose::masks::Compare};

pub(crate) fn translate(name: &str, a: &Arguments, to: &mut Assembly) -> Translated {
    let compare = match name {
        "Less" => Compare::Less,
        "LessOrEqual" => Compare::LessOrEqual,
        "Greater" => Compare::Greater,
        "GreaterOrEqual" => Compare::GreaterOrEqual,
        "Equal" => Compare::Equal,
        "And" => Compare::And,
        "Or" => Compare::Or,
        "Xor" => Compare::Xor,
        "Not" => {
            let mask = truth(a, 0, to)?;
            return one(to.not(mask)?);
        }
        // Of sizes: arithmetic.rs.
        "Where" if (0..3).any(|i| matches!(a.item(i), Ok(Item::Node(_)))) => {
            let operands = [a.tensor(1, to)?, a.tensor(2, to)?];
            let mask = truth(a, 0, to)?;
            return one(to.choose(mask, operands)?);
        }
        // The guard of a softmax whose scores are all hidden; a network's values are numbers.
        "IsNaN" => {
            let never = to.number(0.0)?;
            return one(to.mark_boolean(never));
        }
        "Trilu" => {
            let diagonal = match a.has(1) {
                true => a.number(1, to).ok_or("a diagonal that is not known")? as i64,
                false => 0,
            };
            let x = a.tensor(0, to)?;
            return one(to.triangle(x, diagonal, a.attribute_int("upper", 1) != 0)?);
        }
        _ => return Ok(None),
    };
    let operands = match compare {
        Compare::And | Compare::Or | Compare::Xor => [truth(a, 0, to)?, truth(a, 1, to)?],
        _ => [a.tensor(0, to)?, a.tensor(1, to)?],
    };
    one(to.compare(compare, operands)?)
}

/// An operand that is true and false; what a comparison of sizes gave is 1 and 0.
fn truth(a: &Arguments, i: usize, to: &mut Assembly) -> Result<usize, String> {
    match a.item(i)? {
        Item::Sizes(sizes) => to.booleans(sizes.constant()?),
        _ => a.tensor(i, to),
    }
}
