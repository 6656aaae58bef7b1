//! What each of PyTorch's operations is in terms of [`Op`].

mod functions;
mod layers;
mod masks;
mod moves;
mod numbers;
mod pixels;

use super::{
    call::{Arguments, Item},
    translate::Operation,
};
use crate::{
    nn::graph::{
        assemble::Assembly,
        extent::{BATCH, Extent},
        op::Op,
    },
    spelling::did_you_mean,
};

/// What can be done about an operation that is not known.
pub(crate) const ADVICE: &str = "write the module with others, or export it after .run_decompositions(), \
                                 which replaces many by simpler ones";

/// A translated operation's results; `None` where a table does not know it.
type Translated = Result<Option<Vec<Item>>, String>;

/// What an operation gives, appended to the graph.
pub(crate) fn translate(
    operation: &Operation,
    arguments: &Arguments,
    assembly: &mut Assembly,
) -> Result<Vec<Item>, String> {
    for table in [
        numbers::translate,
        layers::translate,
        moves::translate,
        masks::translate,
        functions::translate,
        pixels::translate,
    ] {
        if let Some(results) = table(operation, arguments, assembly)? {
            return Ok(results);
        }
    }
    Err(match operation.name.as_str() {
        "nonzero" | "item" | "_local_scalar_dense" | "masked_select" | "unique" => {
            format!("'{}' depends on data: {ADVICE}", operation.name)
        }
        "detach" | "detach_copy" => {
            "'detach' cuts the gradient: export the network as the client trains it".into()
        }
        name => format!("operation '{name}' is not known{}: {ADVICE}", did_you_mean(name, &KNOWN)),
    })
}

/// Names for "did you mean".
const KNOWN: [&str; 12] = [
    "conv2d",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "instance_norm",
    "max_pool2d",
    "avg_pool2d",
    "gelu",
    "silu",
    "softmax",
    "matmul",
    "linear",
];

/// An operation on sizes, not on tensors: the size.
pub(crate) fn size(
    operation: &Operation,
    arguments: &Arguments,
    assembly: &Assembly,
) -> Result<Option<Extent>, String> {
    if operation.name == "sym_size" {
        let shape = assembly.shape(arguments.tensor("self")?);
        let axis = arguments.axis("dim", shape.len(), 0)?;
        return Ok(shape.get(axis).copied());
    }
    let Some(name) = operation.name.strip_prefix("operator.") else { return Ok(None) };
    let [a, b] = [arguments.extent("a"), arguments.extent("b")];
    let known = match (name, a?, b?) {
        ("mul", Extent::Fixed(a), Extent::Fixed(b)) => a.checked_mul(b).map(Extent::Fixed),
        ("mul", BATCH, Extent::Fixed(n)) | ("mul", Extent::Fixed(n), BATCH) => {
            Some(Extent::Pictures { outer: 1, inner: n })
        }
        ("add", Extent::Fixed(a), Extent::Fixed(b)) => a.checked_add(b).map(Extent::Fixed),
        ("sub", Extent::Fixed(a), Extent::Fixed(b)) => a.checked_sub(b).map(Extent::Fixed),
        ("floordiv", Extent::Fixed(a), Extent::Fixed(b)) => a.checked_div(b).map(Extent::Fixed),
        ("floordiv", Extent::Pictures { outer, inner }, Extent::Fixed(n))
            if n > 0 && inner.is_multiple_of(n) =>
        {
            Some(Extent::Pictures { outer, inner: inner / n })
        }
        _ => None,
    };
    known.map(Some).ok_or_else(|| format!("'{name}' of these sizes is not known: {ADVICE}"))
}

fn one(node: usize) -> Translated {
    Ok(Some(vec![Item::Node(node)]))
}

/// An operation of one operand, `self`.
fn of_self(op: Op, arguments: &Arguments, assembly: &mut Assembly) -> Translated {
    let x = arguments.tensor("self")?;
    one(assembly.push(op, &[x])?)
}
