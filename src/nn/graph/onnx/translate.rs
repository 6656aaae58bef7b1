//! From a list of operations by name to a graph.

use std::collections::HashMap;

use super::{
    EXPORT, NAMED_BATCH,
    attributes::Arguments,
    functions, layers, masks, moves, numbers, pixels,
    proto::{GraphProto, NodeProto},
    shape,
    sizes::{Size, Sizes},
    tensors,
};
use crate::nn::graph::{
    assemble::Assembly,
    op::{Constant, Op},
    pt2::aten::ADVICE,
};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Node(usize),
    /// Integers that are known.
    Sizes(Sizes),
    /// Noise of this mean.
    Uniform(f64),
    /// Parts of a tensor.
    List(Vec<usize>),
}

pub(crate) type Names = HashMap<String, Item>;

/// An operation's results; `None` where a table does not know it.
pub(crate) type Translated = Result<Option<Vec<Item>>, String>;

/// A result that is a node.
pub(crate) fn one(node: usize) -> Translated {
    Ok(Some(vec![Item::Node(node)]))
}

pub(crate) struct Translation {
    assembly: Assembly,
    names: Names,
    /// What the file says of results.
    shapes: HashMap<String, Vec<usize>>,
}

impl Translation {
    /// `assembly` has the picture and the tensors. An error comes with its place, if it has one.
    pub(crate) fn new(
        mut assembly: Assembly,
        graph: &GraphProto,
    ) -> Result<Translation, (Option<String>, String)> {
        let mut names = Names::new();
        let initializers: HashMap<&str, _> =
            graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).collect();
        if initializers.len() != graph.initializer.len() {
            return Err((None, "two of its tensors have one name".into()));
        }
        let picture = graph.input.iter().find(|input| !initializers.contains_key(input.name()));
        names.insert(picture.map(|input| input.name().to_string()).unwrap_or_default(), Item::Node(0));
        for at in 0..assembly.tensors.len() {
            let name = assembly.tensors[at].name.clone();
            let node = assembly.tensor(at).map_err(|reason| (Some(format!("tensor '{name}'")), reason))?;
            names.insert(name, Item::Node(node));
        }
        // What is no parameter: integers, truth values, and floats that the network has and nobody trains.
        for tensor in &graph.initializer {
            if names.contains_key(tensor.name()) {
                continue;
            }
            let fail = |reason| (Some(format!("tensor '{}'", tensor.name())), reason);
            let item = match tensors::is_float(tensor) {
                true => constant(tensor, &mut assembly).map_err(fail)?,
                false => integers(tensor, &mut assembly).map_err(fail)?,
            };
            names.insert(tensor.name().into(), item);
        }
        let values = graph.value_info.iter().chain(&graph.output);
        let shapes = values.filter_map(|value| Some((value.name().to_string(), shape(value)?))).collect();
        Ok(Translation { assembly, names, shapes })
    }

    pub(crate) fn apply(&mut self, node: &NodeProto) -> Result<(), String> {
        if !matches!(node.domain(), "" | "ai.onnx") {
            return Err(format!("an operation of '{}' is not known: {ADVICE}", node.domain()));
        }
        if node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty()) {
            return Err("control flow is not known: a victim's graph is fixed".into());
        }
        self.check_names(node)?;
        let arguments = Arguments { node, names: &self.names };
        let mut found = None;
        for table in [
            numbers::translate,
            layers::translate,
            masks::translate,
            moves::translate,
            functions::translate,
            pixels::translate,
        ] {
            found = table(node.op_type(), &arguments, &mut self.assembly)?;
            if found.is_some() {
                break;
            }
        }
        let results =
            found.ok_or_else(|| format!("operation '{}' is not known: {ADVICE}", node.op_type()))?;
        for (name, item) in node.output.iter().zip(results) {
            if let (Item::Node(node), Some(said)) = (&item, self.shapes.get(name)) {
                let exported = self.assembly.exported;
                let found: Vec<usize> = self.assembly.shape(*node).iter().map(|e| e.at(exported)).collect();
                // A first size that has a name where the picture's has none is one that the exporter could not tell.
                let untold = exported != NAMED_BATCH && said.first() == Some(&NAMED_BATCH);
                if !untold && found != *said {
                    return Err(format!(
                        "its result is {found:?}, the file says {said:?}: an attribute is not understood"
                    ));
                }
            }
            if self.names.insert(name.clone(), item).is_some() {
                return Err(format!("two results are called '{name}'"));
            }
        }
        Ok(())
    }

    /// Batch norm that was folded into a layer leaves a bias of another name, or names that say what was folded.
    fn check_names(&self, node: &NodeProto) -> Result<(), String> {
        if !matches!(node.op_type(), "Conv" | "Gemm" | "MatMul") {
            return Ok(());
        }
        let parameter = |i: usize| {
            let name = node.input.get(i)?;
            let Some(Item::Node(at)) = self.names.get(name) else { return None };
            matches!(self.assembly.op(*at), Op::Parameter(_)).then_some(name.as_str())
        };
        let folded = [1, 2].into_iter().filter_map(parameter).find(|name| name.starts_with("onnx::"));
        let other = match (parameter(1), parameter(2)) {
            (Some(weight), Some(bias)) => weight
                .strip_suffix(".weight")
                .filter(|layer| bias.strip_suffix(".bias") != Some(layer))
                .map(|_| bias),
            _ => None,
        };
        match folded.or(other) {
            Some(name) => Err(format!(
                "tensor '{name}' is no parameter of the network: layers were folded together, as batch norm into \
                 convolutions, and the file cannot be matched to a gradient; export it with {EXPORT}"
            )),
            None => Ok(()),
        }
    }

    /// The graph so far, and the node of this name.
    pub(crate) fn finish(self, output: &str) -> Result<(Assembly, usize), String> {
        match self.names.get(output) {
            Some(Item::Node(node)) => Ok((self.assembly, *node)),
            _ => Err("it is computed by no operation".into()),
        }
    }
}

fn constant(tensor: &super::proto::TensorProto, to: &mut Assembly) -> Result<Item, String> {
    let data = tensors::numbers(tensor, |v| v)?;
    to.constant(Constant { shape: tensors::shape(tensor)?, data: data.into() }).map(Item::Node)
}

/// A tensor of integers: a short list of sizes, or a constant.
pub(crate) fn integers(tensor: &super::proto::TensorProto, to: &mut Assembly) -> Result<Item, String> {
    if tensors::is_bool(tensor) {
        let constant =
            Constant { shape: tensors::shape(tensor)?, data: tensors::numbers(tensor, |v| v)?.into() };
        return to.booleans(constant).map(Item::Node);
    }
    let data: Vec<i64> = tensors::numbers(tensor, |v| v as i64)?;
    let values = data.iter().map(|&n| Size::Number(n)).collect();
    match tensors::shape(tensor)?.len() {
        0 => Ok(Item::Sizes(Sizes { values, scalar: true, columns: None })),
        1 => Sizes::list(values).map(Item::Sizes),
        _ => {
            let data: Vec<f64> = data.into_iter().map(|n| n as f64).collect();
            to.constant(Constant { shape: tensors::shape(tensor)?, data: data.into() }).map(Item::Node)
        }
    }
}

/// Where a node is, for messages.
pub(crate) fn place(node: &NodeProto) -> String {
    let name = match (node.name(), node.output.first()) {
        ("", Some(output)) => output.clone(),
        ("", None) => String::new(),
        (name, _) => name.into(),
    };
    let module = node.metadata_props.iter().find(|entry| entry.key() == "pkg.torch.onnx.name_scopes");
    // ['', 'layer1.0.conv1', 'conv2d_1']
    let module =
        module.and_then(|entry| entry.value().split('\'').filter(|part| !part.starts_with(',')).nth_back(2));
    let module = module.filter(|module| !module.is_empty()).map(|module| format!(" of module '{module}'"));
    format!("node '{name}' ({}){}", node.op_type(), module.unwrap_or_default())
}
