//! What is true and false, and choices by it.

use super::{Arguments, Assembly, Operation, Translated, one};
use crate::nn::graph::compose::masks::Compare;

pub(crate) fn translate(operation: &Operation, a: &Arguments, to: &mut Assembly) -> Translated {
    let compare = match operation.name.as_str() {
        "lt" | "less" => Compare::Less,
        "le" | "less_equal" => Compare::LessOrEqual,
        "gt" | "greater" => Compare::Greater,
        "ge" | "greater_equal" => Compare::GreaterOrEqual,
        "eq" => Compare::Equal,
        "ne" | "not_equal" => Compare::NotEqual,
        "logical_and" | "bitwise_and" | "__and__" => Compare::And,
        "logical_or" | "bitwise_or" | "__or__" => Compare::Or,
        "logical_xor" | "bitwise_xor" | "__xor__" => Compare::Xor,
        "logical_not" | "bitwise_not" => {
            let mask = a.tensor("self")?;
            return one(to.not(mask)?);
        }
        "where" => {
            let operands = [a.number_or_tensor("self", to)?, a.number_or_tensor("other", to)?];
            return one(to.choose(a.tensor("condition")?, operands)?);
        }
        "masked_fill" => {
            let value = a.number_or_tensor("value", to)?;
            return one(to.choose(a.tensor("mask")?, [value, a.tensor("self")?])?);
        }
        "tril" | "triu" => {
            let diagonal = a.int("diagonal")?.unwrap_or(0);
            return one(to.triangle(a.tensor("self")?, diagonal, operation.name == "triu")?);
        }
        _ => return Ok(None),
    };
    let operands = [a.tensor("self")?, a.number_or_tensor("other", to)?];
    one(to.compare(compare, operands)?)
}
