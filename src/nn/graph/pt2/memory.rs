//! What changes memory in place: who shares it, and what is written through a part of it.

use super::{
    call::{Arguments, Item},
    schema::Call,
    translate::{Operation, Translation},
};
use crate::nn::graph::op::Op;

/// Where a view lies in the tensor of another name.
#[derive(Clone)]
pub(super) struct Part {
    of: String,
    axis: usize,
    start: usize,
    step: usize,
    /// The axis is not in the view.
    selected: bool,
}

impl Translation {
    /// Who shares memory with whom, and what an operation in place does to them.
    pub(super) fn remember(
        &mut self,
        operation: &Operation,
        operands: &[&str],
        outputs: &[&str],
        result: Option<&Item>,
    ) {
        let Some(&first) = operands.first() else { return };
        let fresh = self.memory.len();
        if operation.in_place {
            let group = *self.memory.entry(first.to_string()).or_insert(fresh);
            let before = self.names.tensors.get(first).cloned();
            let others: Vec<String> =
                self.memory.iter().filter(|(_, g)| **g == group).map(|(name, _)| name.clone()).collect();
            for name in others {
                match (self.names.tensors.get(&name) == before.as_ref(), result) {
                    (true, Some(result)) => drop(self.names.tensors.insert(name, result.clone())),
                    _ => drop(self.stale.insert(name)),
                }
            }
            self.memory.extend(outputs.iter().map(|name| ((*name).to_string(), group)));
        } else if operation.is_view() {
            let group = *self.memory.entry(first.to_string()).or_insert(fresh);
            self.memory.extend(outputs.iter().map(|name| ((*name).to_string(), group)));
        }
    }

    /// Which part of its operand a view is, where it is one part of one axis.
    pub(super) fn part(&self, operation: &Operation, call: &Call, operands: &[&str]) -> Option<Part> {
        let (a, of) = (Arguments::new(call, &self.names), operands.first()?);
        let Ok(Item::Node(whole)) = self.names.item(of) else { return None };
        let rank = self.assembly.shape(whole).len();
        let axis = a.axis("dim", rank, 0).ok()?;
        let selected = operation.name == "select";
        let start = match operation.name.as_str() {
            "select" => a.required("index").ok()?,
            "slice" => a.int("start").ok()?.unwrap_or(0),
            "narrow" => a.required("start").ok()?,
            _ => return None,
        };
        let size = self.assembly.shape(whole)[axis].fixed();
        let start = match (start, size) {
            (0, _) => 0,
            (start, size) => (if start < 0 { start + size? as i64 } else { start }).clamp(0, size? as i64),
        };
        let step = a.int("step").ok()?.unwrap_or(1);
        let step = usize::try_from(step).ok().filter(|&step| step > 0)?;
        Some(Part { of: (*of).to_string(), axis, start: start as usize, step, selected })
    }

    /// What was written into a view is in the tensor that it is a part of, and in the one that this is a part of.
    pub(super) fn write_through(&mut self, view: &str, mut node: usize) -> Result<(), String> {
        let mut name = view.to_string();
        while let Some(Part { of, axis, start, step, selected }) = self.parts.get(&name).cloned() {
            let Ok(Item::Node(whole)) = self.names.item(&of) else { return Ok(()) };
            if selected {
                let mut shape = self.assembly.shape(node).to_vec();
                shape.insert(axis, 1.into());
                node = self.assembly.push(Op::Reshape(shape), &[node])?;
            }
            node = match self.assembly.shape(node) == self.assembly.shape(whole) {
                true => node,
                false => self.assembly.scatter(whole, node, axis, [start, step])?,
            };
            // Those of the same memory: a clone is the same node, and keeps what it was.
            let group = self.memory.get(&of);
            let same = self.memory.iter().filter(|(_, other)| Some(*other) == group).map(|(name, _)| name);
            for name in same {
                if let Some(item) =
                    self.names.tensors.get_mut(name).filter(|item| **item == Item::Node(whole))
                {
                    *item = Item::Node(node);
                    self.stale.remove(name);
                }
            }
            name = of;
        }
        Ok(())
    }
}

impl Operation {
    /// Whether its result may share the memory of its operand.
    fn is_view(&self) -> bool {
        matches!(
            self.name.as_str(),
            "view"
                | "view_as"
                | "reshape"
                | "reshape_as"
                | "flatten"
                | "unflatten"
                | "squeeze"
                | "unsqueeze"
                | "permute"
                | "transpose"
                | "movedim"
                | "mT"
                | "adjoint"
                | "ravel"
                | "t"
                | "expand"
                | "slice"
                | "select"
                | "narrow"
                | "chunk"
                | "split"
                | "split_with_sizes"
                | "unbind"
                | "alias"
                | "contiguous"
                | "dropout"
                | "to"
                | "lift_fresh_copy"
                | "detach"
        )
    }
}
