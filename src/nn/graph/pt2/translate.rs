//! From PyTorch's list of operations, some of which change memory in place, to a graph in which every value is made once.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{
    aten,
    call::{Arguments, Item, Names},
    memory::Part,
    schema::{Call, Meta, number},
};
use crate::nn::graph::assemble::Assembly;

pub(crate) struct Translation {
    pub(super) assembly: Assembly,
    pub(super) names: Names,
    /// Which names share memory: a group's number.
    pub(super) memory: HashMap<String, usize>,
    /// Views of memory that was changed since.
    pub(super) stale: HashSet<String>,
    /// Views that are a part of one axis of another tensor, which is written through them.
    pub(super) parts: HashMap<String, Part>,
}

impl Translation {
    pub(crate) fn new(assembly: Assembly, names: Names) -> Translation {
        Translation { assembly, names, memory: HashMap::new(), stale: HashSet::new(), parts: HashMap::new() }
    }

    /// One operation; `metas`: what the file says of results.
    pub(crate) fn apply(&mut self, call: &Call, metas: &BTreeMap<String, Meta>) -> Result<(), String> {
        let operation = operation(&call.target)?;
        let outputs = outputs(call)?;
        let operands: Vec<&str> = call.inputs.iter().flat_map(|input| tensor_names(&input.arg)).collect();
        if let Some(name) = operands.iter().find(|name| self.stale.contains(**name)) {
            return Err(format!(
                "'{name}' is a view of memory that was changed in place: write it without x_()"
            ));
        }
        if operation.is_ignored() {
            return Ok(());
        }
        if let Some(extent) = aten::size(&operation, &Arguments::new(call, &self.names), &self.assembly)? {
            let name = call.outputs.first().and_then(|o| o.get("as_sym_int")?.get("as_name")?.as_str());
            self.names.ints.insert(name.unwrap_or_default().to_string(), extent);
            return Ok(());
        }
        let results = aten::translate(&operation, &Arguments::new(call, &self.names), &mut self.assembly)?;
        // What a decomposed norm or pooling gives beside its result is left out: whoever uses it finds no such operand.
        for (name, item) in outputs.iter().zip(&results) {
            if let (Item::Node(node), Some(meta)) = (item, metas.get(*name)) {
                self.check(*node, meta)?;
            }
            self.names.tensors.insert((*name).to_string(), item.clone());
        }
        self.remember(&operation, &operands, &outputs, results.first());
        let part = match operation.in_place {
            // The result is the view itself.
            true => operands.first().and_then(|first| self.parts.get(*first).cloned()),
            false => self.part(&operation, call, &operands),
        };
        if let ([name], Some(part)) = (&outputs[..], part) {
            self.parts.insert((*name).to_string(), part);
        }
        if let (true, Some(first), Some(Item::Node(node))) =
            (operation.in_place, operands.first(), results.first())
        {
            self.write_through(first, *node)?;
        }
        Ok(())
    }

    /// What a node is held against: the shape that the file says, for the batch that it was exported with.
    fn check(&self, node: usize, meta: &Meta) -> Result<(), String> {
        let said: Option<Vec<i64>> = meta.sizes.iter().map(number).collect();
        let exported = self.assembly.exported;
        let found: Vec<i64> = self.assembly.shape(node).iter().map(|e| e.at(exported) as i64).collect();
        match said {
            Some(said) if said != found => {
                Err(format!("its result is {found:?}, the file says {said:?}: an argument is not understood"))
            }
            _ => Ok(()),
        }
    }

    /// The graph so far, and the node of this name.
    pub(crate) fn finish(self, output: &str) -> Result<(Assembly, usize), String> {
        match self.names.tensors.get(output) {
            Some(Item::Node(node)) => Ok((self.assembly, *node)),
            _ => Err("it is computed by no operation".into()),
        }
    }
}

/// `torch.ops.aten.add_.Tensor`
pub(crate) struct Operation {
    /// `add`
    pub name: String,
    /// `Tensor`
    pub overload: String,
    /// Whether it ends in `_`.
    pub in_place: bool,
}

fn operation(target: &str) -> Result<Operation, String> {
    if target.contains("higher_order") {
        return Err(
            "control flow (cond, map, scan and their like) is not known: a victim's graph is fixed".into()
        );
    }
    if let Some(name) = target.strip_prefix("_operator.") {
        return Ok(Operation { name: format!("operator.{name}"), overload: String::new(), in_place: false });
    }
    let inside = target
        .strip_prefix("torch.ops.aten.")
        .ok_or_else(|| format!("'{target}' is no operation of PyTorch's own: {}", aten::ADVICE))?;
    let (name, overload) = inside.split_once('.').unwrap_or((inside, ""));
    let in_place = name.ends_with('_') && !name.ends_with("__");
    let name = name.strip_suffix('_').filter(|_| in_place).unwrap_or(name);
    let name = canonical(name);
    Ok(Operation { name: name.into(), overload: overload.into(), in_place })
}

/// PyTorch has several names for some operations.
fn canonical(name: &str) -> &str {
    match name {
        "absolute" => "abs",
        "broadcast_to" => "expand",
        "clip" => "clamp",
        "concat" | "concatenate" => "cat",
        "divide" | "true_divide" => "div",
        "moveaxis" => "movedim",
        "multiply" => "mul",
        "negative" => "neg",
        "subtract" => "sub",
        "swapaxes" | "swapdims" => "transpose",
        "unsafe_chunk" => "chunk",
        "unsafe_split" => "split",
        "unsafe_split_with_sizes" => "split_with_sizes",
        other => other,
    }
}

impl Operation {
    /// Checks of shapes, which hold or the export would have failed.
    fn is_ignored(&self) -> bool {
        self.name.starts_with("_assert") || self.name.starts_with("sym_constrain")
    }
}

/// Which operations the output needs; what changes memory in place always counts.
pub(crate) fn needed(calls: &[Call], output: &str) -> Vec<bool> {
    let mut names: HashSet<String> = HashSet::from([output.to_string()]);
    let mut needed = vec![false; calls.len()];
    for (at, call) in calls.iter().enumerate().rev() {
        let made = call.outputs.iter().flat_map(mentioned);
        let in_place = operation(&call.target).is_ok_and(|operation| operation.in_place);
        needed[at] = in_place || made.into_iter().any(|name| names.contains(&name));
        if needed[at] {
            names.extend(call.inputs.iter().flat_map(|input| mentioned(&input.arg)));
        }
    }
    needed
}

/// Every name in an argument: of tensors and of sizes.
fn mentioned(argument: &Value) -> Vec<String> {
    match argument {
        Value::Array(list) => list.iter().flat_map(mentioned).collect(),
        Value::Object(map) => {
            let own = ["name", "as_name"].into_iter().filter_map(|key| map.get(key)?.as_str());
            own.map(str::to_string).chain(map.values().flat_map(mentioned)).collect()
        }
        _ => vec![],
    }
}

/// Names of the results; empty where there is none.
fn outputs(call: &Call) -> Result<Vec<&str>, String> {
    let mut names = vec![];
    for output in &call.outputs {
        names.extend(tensor_names(output));
    }
    let none = || call.outputs.iter().any(|output| output.get("as_sym_int").is_some());
    match names.is_empty() && !none() && call.outputs.iter().any(|o| o.get("as_none").is_none()) {
        true => Err(format!("its result is no tensor: {}", aten::ADVICE)),
        false => Ok(names),
    }
}

fn tensor_names(argument: &Value) -> Vec<&str> {
    let one = argument.get("as_tensor").into_iter();
    let many = argument.get("as_tensors").and_then(Value::as_array).into_iter().flatten();
    one.chain(many).filter_map(|value| value.get("name")?.as_str()).collect()
}

/// Where a node is, for messages: its name and operation, its module, and the line of the user's own file.
pub(crate) fn place(call: &Call) -> String {
    let text = |key: &str| call.metadata.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = outputs(call).ok().and_then(|names| names.first().map(|name| format!("node '{name}' ")));
    let operation = call.target.strip_prefix("torch.ops.").unwrap_or(&call.target);
    let mut place = format!("{}({operation})", name.unwrap_or_default());
    // `L__self__fc,fc,torch.nn.modules.linear.Linear` after the last `;`
    let module = text("nn_module_stack").rsplit(';').next().and_then(|last| last.split(',').nth(1));
    if let Some(module) = module.filter(|module| !module.is_empty()) {
        place += &format!(" of module '{module}'");
    }
    let frames: Vec<&str> = text("stack_trace").split("File \"").skip(1).collect();
    let own = frames.iter().rev().find(|frame| !frame.contains("/torch/")).or(frames.last());
    let line = own.and_then(|frame| {
        let (file, rest) = frame.split_once("\", line ")?;
        Some(format!(", {file}:{}", rest.split([',', '\n']).next()?))
    });
    place + &line.unwrap_or_default()
}
