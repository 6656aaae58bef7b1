//! The arguments of one operation, by the names that PyTorch's schema gives them.

use std::collections::HashMap;

use serde_json::Value;

use super::schema::Call;
use crate::nn::graph::{
    assemble::Assembly,
    extent::{Asked, Extent},
};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// A node of the graph.
    Node(usize),
    /// Every element has this value on average: memory that is not yet written, and draws.
    Uniform(f64),
    /// Batch norm's counter, which nothing but itself may use.
    Counter,
}

/// What names stand for so far.
#[derive(Default)]
pub(crate) struct Names {
    pub tensors: HashMap<String, Item>,
    pub ints: HashMap<String, Extent>,
}

impl Names {
    pub(crate) fn item(&self, name: &str) -> Result<Item, String> {
        let item = self.tensors.get(name).cloned();
        item.ok_or_else(|| {
            format!("its operand '{name}' is not known: it is no result of an earlier operation")
        })
    }
}

pub(crate) struct Arguments<'a> {
    call: &'a Call,
    names: &'a Names,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(call: &'a Call, names: &'a Names) -> Arguments<'a> {
        Arguments { call, names }
    }

    /// The argument of this name, unless it is missing or none.
    fn get(&self, name: &str) -> Option<(&'a str, &'a Value)> {
        let input = self.call.inputs.iter().find(|input| input.name == name)?;
        let (kind, value) = input.arg.as_object()?.iter().next()?;
        (kind != "as_none").then_some((kind.as_str(), value))
    }

    fn misfit<T>(&self, name: &str, expected: &str) -> Result<T, String> {
        let found = self.get(name).map_or("none".into(), |(kind, _)| kind.replace("as_", ""));
        Err(format!("argument '{name}': expected {expected}, found {found}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A tensor, whatever it stands for.
    pub(crate) fn item(&self, name: &str) -> Result<Item, String> {
        match self.get(name) {
            Some(("as_tensor", value)) => self.named(value),
            _ => self.misfit(name, "a tensor"),
        }
    }

    fn named(&self, value: &Value) -> Result<Item, String> {
        let name = value.get("name").and_then(Value::as_str).ok_or("an operand has no name")?;
        self.names.item(name)
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<usize, String> {
        node(self.item(name)?)
    }

    pub(crate) fn optional(&self, name: &str) -> Result<Option<usize>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(("as_optional_tensor", value)) => match value.get("as_tensor") {
                Some(tensor) => Ok(Some(node(self.named(tensor)?)?)),
                None => Ok(None),
            },
            Some(_) => self.tensor(name).map(Some),
        }
    }

    /// A list of tensors.
    pub(crate) fn tensors(&self, name: &str) -> Result<Vec<usize>, String> {
        match self.get(name) {
            Some(("as_tensors", Value::Array(list))) => {
                list.iter().map(|value| node(self.named(value)?)).collect()
            }
            _ => self.misfit(name, "tensors"),
        }
    }

    /// A list of tensors, some of which are missing: positions by axis.
    pub(crate) fn optional_tensors(&self, name: &str) -> Result<Vec<Option<usize>>, String> {
        match self.get(name) {
            Some(("as_optional_tensors", Value::Array(list))) => {
                let one = |value: &Value| match value.get("as_tensor") {
                    Some(tensor) => node(self.named(tensor)?).map(Some),
                    None => Ok(None),
                };
                list.iter().map(one).collect()
            }
            _ => Ok(self.tensors(name)?.into_iter().map(Some).collect()),
        }
    }

    /// A number, if it is one.
    pub(crate) fn scalar(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            ("as_int" | "as_float", value) => float(value),
            ("as_bool", value) => value.as_bool().map(f64::from),
            _ => None,
        }
    }

    /// A tensor, or a number as one that broadcasts.
    pub(crate) fn number_or_tensor(&self, name: &str, to: &mut Assembly) -> Result<usize, String> {
        match self.scalar(name) {
            Some(number) => to.number(number),
            None => self.tensor(name),
        }
    }

    pub(crate) fn floats(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(("as_floats", Value::Array(list))) => {
                let numbers: Option<Vec<f64>> = list.iter().map(float).collect();
                numbers.map_or_else(|| self.misfit(name, "numbers"), |numbers| Ok(Some(numbers)))
            }
            _ => self.misfit(name, "numbers"),
        }
    }

    /// PyTorch's code of the type that is asked for.
    pub(crate) fn dtype(&self) -> Option<u64> {
        self.get("dtype").filter(|(kind, _)| *kind == "as_scalar_type").and_then(|(_, value)| value.as_u64())
    }

    pub(crate) fn float(&self, name: &str, default: f64) -> Result<f64, String> {
        match (self.get(name), self.scalar(name)) {
            (None, _) => Ok(default),
            (_, Some(value)) if value.is_finite() => Ok(value),
            _ => self.misfit(name, "a finite number"),
        }
    }

    pub(crate) fn bool(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(default),
            Some(("as_bool", Value::Bool(value))) => Ok(*value),
            _ => self.misfit(name, "true or false"),
        }
    }

    pub(crate) fn string(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|(kind, _)| *kind == "as_string").and_then(|(_, value)| value.as_str())
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(("as_int", value)) if value.is_i64() => Ok(value.as_i64()),
            Some(("as_sym_int", value)) => match self.size(value)? {
                Asked::Known(Extent::Fixed(n)) | Asked::Number(n) => Ok(i64::try_from(n).ok()),
                _ => self.misfit(name, "a number that does not depend on the batch"),
            },
            _ => self.misfit(name, "an integer"),
        }
    }

    pub(crate) fn required(&self, name: &str) -> Result<i64, String> {
        self.int(name)?.map_or_else(|| self.misfit(name, "an integer"), Ok)
    }

    /// An integer that may hold the batch.
    pub(crate) fn extent(&self, name: &str) -> Result<Extent, String> {
        match self.get(name) {
            Some(("as_int" | "as_sym_int", value)) => match self.size(value)? {
                Asked::Known(extent) => Ok(extent),
                Asked::Number(n) => Ok(Extent::Fixed(n)),
                Asked::Rest => self.misfit(name, "an integer ≥ 0"),
            },
            _ => self.misfit(name, "an integer"),
        }
    }

    /// Integers ≥ 0, all without the batch.
    pub(crate) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(("as_int", value)) => Ok(Some(value.as_i64().into_iter().collect())),
            Some(("as_ints", Value::Array(list))) => {
                let numbers: Option<Vec<i64>> = list.iter().map(Value::as_i64).collect();
                numbers.map_or_else(|| self.misfit(name, "integers"), |numbers| Ok(Some(numbers)))
            }
            Some(("as_sym_ints", Value::Array(list))) => {
                let fixed = |value| match self.size(value)? {
                    Asked::Known(Extent::Fixed(n)) | Asked::Number(n) => Ok(n as i64),
                    _ => self.misfit(name, "integers that do not depend on the batch"),
                };
                list.iter().map(fixed).collect::<Result<_, _>>().map(Some)
            }
            _ => self.misfit(name, "integers"),
        }
    }

    /// A pair of sizes ≥ 0; one stands for both.
    pub(crate) fn pair(&self, name: &str, default: [usize; 2]) -> Result<[usize; 2], String> {
        let sizes: Option<Vec<usize>> = match self.ints(name)? {
            None => return Ok(default),
            Some(list) if list.is_empty() => return Ok(default),
            Some(list) => list.into_iter().map(|n| usize::try_from(n).ok()).collect(),
        };
        match sizes.as_deref() {
            Some(&[both]) => Ok([both; 2]),
            Some(&[first, second]) => Ok([first, second]),
            _ => self.misfit(name, "two sizes ≥ 0"),
        }
    }

    /// Sizes of a shape, in which the batch may be a factor.
    pub(crate) fn sizes(&self, name: &str) -> Result<Vec<Asked>, String> {
        match self.get(name) {
            Some(("as_ints" | "as_sym_ints", Value::Array(list))) => {
                list.iter().map(|value| self.size(value)).collect()
            }
            _ => self.misfit(name, "sizes"),
        }
    }

    fn size(&self, value: &Value) -> Result<Asked, String> {
        if let Some(name) = value.get("as_name").and_then(Value::as_str) {
            let extent = self.names.ints.get(name).copied();
            return extent.map(Asked::Known).ok_or_else(|| {
                format!("its size '{name}' depends on data: a victim's shapes must follow from its picture's")
            });
        }
        match value.as_i64().or_else(|| value.get("as_int")?.as_i64()) {
            Some(-1) => Ok(Asked::Rest),
            Some(n) if n >= 0 => Ok(Asked::Number(n as usize)),
            _ => Err(format!("a size of {value}, expected a number ≥ -1")),
        }
    }

    /// An axis of a tensor of `rank` axes; negative ones count from the last.
    pub(crate) fn axis(&self, name: &str, rank: usize, default: i64) -> Result<usize, String> {
        let found = self.int(name)?.unwrap_or(default);
        axis(found, rank)
    }

    /// Axes; all of them where none is given.
    pub(crate) fn axes(&self, name: &str, rank: usize) -> Result<Vec<usize>, String> {
        match self.ints(name)? {
            None => Ok((0..rank).collect()),
            Some(list) if list.is_empty() => Ok((0..rank).collect()),
            Some(list) => list.into_iter().map(|found| axis(found, rank)).collect(),
        }
    }
}

/// JSON has no infinities: they are words.
fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

pub(crate) fn axis(found: i64, rank: usize) -> Result<usize, String> {
    let positive = if found < 0 { found.saturating_add(rank as i64) } else { found };
    usize::try_from(positive)
        .ok()
        .filter(|&axis| axis < rank.max(1))
        .ok_or_else(|| format!("axis {found} of a tensor of {rank} axes"))
}

pub(crate) fn node(item: Item) -> Result<usize, String> {
    match item {
        Item::Node(node) => Ok(node),
        Item::Uniform(_) => Err("an operand is memory or noise that is not written from the picture".into()),
        Item::Counter => Err("an operand is batch norm's counter, or another tensor of integers".into()),
    }
}
