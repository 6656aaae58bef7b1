//! What goes into a graph and comes out: parameters, buffers, the picture, the logits.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use serde_json::Value;

use super::{
    CONSTANTS, WEIGHTS,
    archive::Archive,
    call::{Item, Names},
    payload::{is_float, numbers},
    schema::{Call, Meta, Module, Payload, Payloads, Signature},
};
use crate::nn::graph::{GraphError, Tensor, assemble::Assembly, compose::in_order, op::Constant};

/// PyTorch's code of the type of true and false.
pub(crate) const BOOL: u64 = 12;

/// Where tensors' numbers are.
pub(crate) struct Sources<'a> {
    pub archive: &'a Archive,
    pub weights: Payloads,
    pub constants: Payloads,
    /// They are a pickle: shapes are known, numbers are not.
    pub pickled: bool,
}

/// What a torch before 2.8 says of weights: types and shapes, beside the graph.
pub(crate) fn described(module: &Module) -> Payloads {
    let mut config = BTreeMap::new();
    for value in
        module.signature.input_specs.iter().filter_map(Value::as_object).flat_map(|spec| spec.values())
    {
        let name = text(value, &["parameter_name"]).or_else(|| text(value, &["buffer_name"]));
        let meta = text(value, &["arg", "name"]).and_then(|node| module.graph.tensor_values.get(node));
        if let (Some(name), Some(meta)) = (name, meta) {
            let tensor_meta = Some(meta.clone());
            config.insert(name.into(), Payload { path_name: name.into(), use_pickle: true, tensor_meta });
        }
    }
    Payloads { config }
}

impl Sources<'_> {
    /// The list that has a tensor, with its folder.
    fn find(&self, name: &str) -> Option<(&'static str, &Payload)> {
        let weight = self.weights.config.get(name).map(|payload| (WEIGHTS, payload));
        weight.or_else(|| self.constants.config.get(name).map(|payload| (CONSTANTS, payload)))
    }

    fn meta(&self, name: &str) -> Result<&Meta, String> {
        let (_, payload) = self.find(name).ok_or("the archive has no numbers for it")?;
        if payload.use_pickle && !self.pickled {
            return Err("its numbers are a Python pickle, which is not read".into());
        }
        payload.tensor_meta.as_ref().ok_or_else(|| "the archive does not say its shape".into())
    }

    fn read<T>(&self, name: &str, convert: fn(f64) -> T) -> Result<(Vec<usize>, Vec<T>), String> {
        let meta = self.meta(name)?;
        let (folder, payload) = self.find(name).expect("it has a description");
        if self.pickled {
            return Ok((meta.shape()?, vec![]));
        }
        let bytes = self.archive.read(&format!("{folder}{}", payload.path_name), u64::MAX);
        let bytes = bytes.map_err(|error| error.to_string())?;
        Ok((meta.shape()?, numbers(meta, &bytes, convert)?))
    }
}

/// Declares everything that goes in; tensors come in `state_dict` order.
pub(crate) fn declare(
    path: &Path,
    module: &Module,
    sources: &Sources,
    assembly: &mut Assembly,
) -> Result<Names, GraphError> {
    let named = |name: &str, reason: String| GraphError::node(path, &format!("tensor '{name}'"), reason);
    let statistics = statistics(&module.graph.nodes);
    let mut names = Names::default();
    let (mut inputs, mut buffers) = (vec![], vec![]);
    // By the storage that they share: tied weights are one parameter under the first of their names.
    let mut tied: HashMap<(String, String), usize> = HashMap::new();
    let mut parameters = vec![];
    for (at, spec) in module.signature.input_specs.iter().enumerate() {
        let (kind, value) = spec.as_object().and_then(|spec| spec.iter().next()).unzip();
        let (Some(kind), Some(value)) = (kind, value) else {
            return Err(GraphError::node(path, &format!("input {at}"), "it has no kind".into()));
        };
        let node_name = text(value, &["arg", "name"]).or_else(|| text(value, &["arg", "as_tensor", "name"]));
        let node_name = node_name.unwrap_or_default().to_string();
        match kind.as_str() {
            "parameter" => {
                let name = text(value, &["parameter_name"]).unwrap_or_default().to_string();
                let fail = |reason| named(&name, reason);
                let meta = sources.meta(&name).map_err(fail)?;
                if !is_float(meta.dtype) {
                    return Err(fail(
                        "it is a parameter of another type than a float: it has no gradient".into(),
                    ));
                }
                if !meta.requires_grad {
                    return Err(fail(
                        "it is frozen (requires_grad=False), so a client's update has no gradient of it: \
                         export the network with every parameter trainable, or make it a buffer"
                            .into(),
                    ));
                }
                let (_, payload) = sources.find(&name).expect("it has a description");
                let layout = format!("{:?} {:?} {:?}", meta.sizes, meta.strides, meta.storage_offset);
                let key = (payload.path_name.clone(), layout);
                let at = match tied.get(&key) {
                    Some(&at) => {
                        assembly.note(&format!(
                            "'{name}' and '{}' are tied: one gradient, under the latter name",
                            assembly.tensors[at].name
                        ));
                        at
                    }
                    None => {
                        let (shape, data) = sources.read(&name, |v| v as f32).map_err(fail)?;
                        let at = assembly.tensors.len();
                        tied.insert(key, at);
                        assembly.tensors.push(Tensor { name, shape, data: data.into(), trainable: true });
                        at
                    }
                };
                parameters.push((node_name, at));
            }
            "buffer" | "tensor_constant" => {
                let name = text(value, &["buffer_name"]).or_else(|| text(value, &["tensor_constant_name"]));
                buffers.push((node_name, name.unwrap_or_default().to_string()));
            }
            "user_input" => inputs.push(node_name),
            other => {
                let place = format!("input '{node_name}'");
                return Err(GraphError::node(path, &place, format!("of kind '{other}', which is not known")));
            }
        }
    }
    let running = running(sources, &buffers, &statistics).map_err(|(name, reason)| named(&name, reason))?;
    let own: Vec<String> = assembly.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let (tensors, places) = in_order(std::mem::take(&mut assembly.tensors), running);
    assembly.tensors = tensors;
    for (node_name, at) in parameters {
        let node = assembly.tensor(places[&own[at]]).map_err(|reason| named(&node_name, reason))?;
        names.tensors.insert(node_name, Item::Node(node));
    }
    for (node_name, name) in &buffers {
        let item = match places.get(name).filter(|_| statistics.contains(node_name)) {
            Some(&at) => assembly.tensor(at).map(Item::Node),
            None => constant(sources, name, assembly),
        };
        names.tensors.insert(node_name.clone(), item.map_err(|reason| named(name, reason))?);
    }
    let [input] = &inputs[..] else {
        let count = inputs.len();
        return Err(GraphError::file(
            path,
            &format!("its network takes {count} inputs, expected one: a batch of pictures"),
        ));
    };
    let meta = module.graph.tensor_values.get(input);
    let meta = meta.ok_or_else(|| named(input, "the network's input is no tensor".into()))?;
    if !is_float(meta.dtype) {
        return Err(named(input, "the network's input is of another type than a float".into()));
    }
    let shape = meta.shape().map_err(|reason| named(input, reason))?;
    let node = assembly.picture(&shape).map_err(|reason| named(input, reason))?;
    names.tensors.insert(input.clone(), Item::Node(node));
    Ok(names)
}

/// Names of the nodes that batch norms take as running statistics.
fn statistics(calls: &[Call]) -> BTreeSet<String> {
    let of_norm = calls.iter().filter(|call| call.target.contains("batch_norm"));
    let inputs = of_norm.flat_map(|call| &call.inputs);
    let running = inputs.filter(|input| matches!(input.name.as_str(), "running_mean" | "running_var"));
    running.filter_map(|input| text(&input.arg, &["as_tensor", "name"])).map(str::to_string).collect()
}

/// The running statistics among the buffers.
fn running(
    sources: &Sources,
    buffers: &[(String, String)],
    statistics: &BTreeSet<String>,
) -> Result<Vec<Tensor>, (String, String)> {
    let mut tensors = vec![];
    for (_, name) in buffers.iter().filter(|(node, _)| statistics.contains(node)) {
        let fail = |reason| (name.clone(), reason);
        let meta = sources.meta(name).map_err(fail)?;
        if !is_float(meta.dtype) {
            return Err(fail("a running statistic of another type than a float".into()));
        }
        let (shape, data) = sources.read(name, |v| v as f32).map_err(fail)?;
        tensors.push(Tensor { name: name.clone(), shape, data: data.into(), trainable: false });
    }
    Ok(tensors)
}

/// A buffer that is no statistic: numbers that the network has and nobody trains.
fn constant(sources: &Sources, name: &str, assembly: &mut Assembly) -> Result<Item, String> {
    if name.ends_with("num_batches_tracked") {
        return Ok(Item::Counter);
    }
    if sources.pickled {
        return Err("a constant of the network whose numbers are a Python pickle, which is not read: export the network \
                    with a torch from 2.8 on"
            .into());
    }
    let (shape, data) = sources.read(name, |v| v)?;
    if sources.meta(name)?.dtype == BOOL {
        return assembly.booleans(Constant { shape, data: data.into() }).map(Item::Node);
    }
    assembly.constant(Constant { shape, data: data.into() }).map(Item::Node)
}

/// The name of the one output that the user gets.
pub(crate) fn output(path: &Path, signature: &Signature) -> Result<String, GraphError> {
    let outputs: Vec<&Value> =
        signature.output_specs.iter().filter_map(|spec| spec.get("user_output")).collect();
    match &outputs[..] {
        [one] => text(one, &["arg", "as_tensor", "name"])
            .map(str::to_string)
            .ok_or_else(|| GraphError::node(path, "output 0", "it is no tensor".into())),
        other => Err(GraphError::file(
            path,
            &format!(
                "its network gives {} outputs, expected one, the logits: wrap it in a module whose forward returns these",
                other.len()
            ),
        )),
    }
}

fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().try_fold(value, |value, key| value.get(*key))?.as_str()
}
