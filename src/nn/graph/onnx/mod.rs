//! ONNX: a protocol buffer of operations by name. PyTorch writes it from a network in two ways that keep the names of the
//! parameters ([`EXPORT`]); what its default export folds together cannot be matched to a gradient.

mod arithmetic;
mod attributes;
mod functions;
mod layers;
mod masks;
mod moves;
mod numbers;
mod pixels;
#[expect(clippy::enum_variant_names, reason = "names are those of the format")]
#[expect(unreachable_pub, reason = "prost-build writes `pub`, and the file stays as it was generated")]
mod proto;
mod sizes;
mod tensors;
mod translate;

use std::{collections::HashSet, path::Path};

use prost::{Message, bytes::Bytes};

use super::{Graph, GraphError, assemble::Assembly, compose::in_order, file_name};
use crate::files::incoming;
use proto::{GraphProto, ModelProto, ValueInfoProto, tensor_shape_proto::dimension::Value};
use translate::Translation;

/// What keeps batch norms and names.
pub(crate) const EXPORT: &str = "torch.onnx.export(model.eval(), (x,), FILE, dynamo=True, optimize=False, \
                          do_constant_folding=False)";

/// The operator sets whose meaning is known here.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=25;
/// Where PyTorch's newer exporter says what a tensor is.
const KIND: &str = "pkg.torch.export.graph_signature.InputSpec.kind";
/// In place of a batch that the file gives a name: a number that is no factor of another size.
const NAMED_BATCH: usize = 8191;

/// Whether a file that starts with these bytes may be ONNX: its first field is the version of the format, or its maker.
pub(crate) fn is_onnx(start: &[u8]) -> bool {
    matches!(start, [0x08, 1..=127, ..])
}

pub(crate) fn read(path: &Path) -> Result<Graph, GraphError> {
    let refused = |reason: &str| GraphError::file(path, reason);
    let bytes =
        incoming::read(path, u64::MAX).map_err(|cause| GraphError::Read { path: path.into(), cause })?;
    let model = ModelProto::decode(Bytes::from(bytes))
        .map_err(|cause| refused(&format!("no ONNX file, or a damaged one: {cause}")))?;
    let opset =
        model.opset_import.iter().find(|set| matches!(set.domain(), "" | "ai.onnx")).map(|set| set.version());
    match opset {
        Some(version) if OPSETS.contains(&version) => {}
        found => {
            return Err(refused(&format!(
                "its operator set is {}, expected {} to {}: export it with opset_version=20",
                found.map_or("not said".into(), |version| version.to_string()),
                OPSETS.start(),
                OPSETS.end()
            )));
        }
    }
    let graph = model.graph.as_ref().ok_or_else(|| refused("it holds no graph"))?;
    let assembly = inputs(path, graph)?;
    let mut translation = Translation::new(assembly, graph).map_err(|(place, reason)| match place {
        Some(place) => GraphError::node(path, &place, reason),
        None => refused(&reason),
    })?;
    for node in &graph.node {
        translation.apply(node).map_err(|reason| GraphError::node(path, &translate::place(node), reason))?;
    }
    let [output] = &graph.output[..] else {
        return Err(refused(&format!(
            "its network gives {} outputs, expected one, the logits: wrap it in a module whose forward returns these",
            graph.output.len()
        )));
    };
    let at_output = |reason| GraphError::node(path, &format!("output '{}'", output.name()), reason);
    let (assembly, node) = translation.finish(output.name()).map_err(at_output)?;
    assembly.finish(file_name(path), node).map_err(at_output)
}

/// The picture and the tensors, in `state_dict` order.
fn inputs(path: &Path, graph: &GraphProto) -> Result<Assembly, GraphError> {
    let refused = |reason: &str| GraphError::file(path, reason);
    let mut assembly = Assembly::default();
    let named: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name()).collect();
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !named.contains(input.name())).collect();
    let [input] = inputs[..] else {
        return Err(refused(&format!(
            "its network takes {} inputs, expected one: a batch of pictures",
            inputs.len()
        )));
    };
    let constants = constants(graph);
    let running: HashSet<&str> = graph
        .node
        .iter()
        .filter(|node| node.op_type() == "BatchNormalization")
        .flat_map(|node| node.input.get(3..5).unwrap_or_default())
        .map(String::as_str)
        .collect();
    let (mut parameters, mut statistics) = (vec![], vec![]);
    for tensor in graph.initializer.iter().filter(|tensor| tensors::is_float(tensor)) {
        if constants.contains(tensor.name()) && !running.contains(tensor.name()) {
            continue;
        }
        let trainable = !running.contains(tensor.name());
        let tensor = tensors::parameter(tensor, trainable)
            .map_err(|reason| GraphError::node(path, &format!("tensor '{}'", tensor.name()), reason))?;
        if trainable { &mut parameters } else { &mut statistics }.push(tensor);
    }
    assembly.tensors = in_order(parameters, statistics).0;
    let shape = shape(input).ok_or_else(|| {
        refused(&format!(
            "input '{}': expected a shape of numbers, of which the first may have a name",
            input.name()
        ))
    })?;
    let at_input = |reason| GraphError::node(path, &format!("input '{}'", input.name()), reason);
    assembly.picture(&shape).map_err(at_input)?;
    Ok(assembly)
}

/// What an exporter that keeps the kinds of tensors calls a buffer or a constant: nobody trains it.
fn constants(graph: &GraphProto) -> HashSet<&str> {
    let fixed = |value: &&ValueInfoProto| {
        let mut kinds = value.metadata_props.iter().filter(|entry| entry.key() == KIND);
        kinds.any(|entry| matches!(entry.value(), "BUFFER" | "CONSTANT_TENSOR"))
    };
    graph.value_info.iter().filter(fixed).map(|value| value.name()).collect()
}

/// Sizes of a tensor; a named first one is the batch.
fn shape(value: &ValueInfoProto) -> Option<Vec<usize>> {
    let Some(proto::type_proto::Value::TensorType(tensor)) = &value.r#type.as_ref()?.value else {
        return None;
    };
    let dims = &tensor.shape.as_ref()?.dim;
    let size = |(axis, dim): (usize, &proto::tensor_shape_proto::Dimension)| match &dim.value {
        Some(Value::DimValue(n)) => usize::try_from(*n).ok(),
        _ if axis == 0 => Some(NAMED_BATCH),
        _ => None,
    };
    dims.iter().enumerate().map(size).collect()
}
