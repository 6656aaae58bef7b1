//! Attributes of an operation, and its operands.

use super::{
    proto::{AttributeProto, NodeProto},
    sizes::Sizes,
    translate::{Item, Names},
};
use crate::nn::graph::{assemble::Assembly, op::Op};

pub(crate) struct Arguments<'a> {
    pub node: &'a NodeProto,
    pub names: &'a Names,
}

impl Arguments<'_> {
    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name() == name)
    }

    pub(crate) fn attribute_float(&self, name: &str, default: f64) -> Result<f64, String> {
        let value = self.attribute(name).map_or(default, |attribute| f64::from(attribute.f()));
        // What was written as a decimal and read as an f32 is that decimal again.
        let decimal = format!("{}", value as f32).parse().unwrap_or(value);
        match value.is_finite() {
            true if self.attribute(name).is_some() => Ok(decimal),
            true => Ok(default),
            false => Err(format!("attribute '{name}': expected a finite number, found {value}")),
        }
    }

    pub(crate) fn attribute_int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, AttributeProto::i)
    }

    pub(crate) fn attribute_ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    pub(crate) fn attribute_string(&self, name: &str) -> Option<String> {
        let attribute = self.attribute(name)?;
        Some(String::from_utf8_lossy(attribute.s()).into_owned())
    }

    /// A pair of sizes ≥ 0.
    pub(crate) fn attribute_pair(&self, name: &str, default: [usize; 2]) -> Result<[usize; 2], String> {
        let Some(list) = self.attribute_ints(name) else { return Ok(default) };
        let sizes: Option<Vec<usize>> = list.iter().map(|&n| usize::try_from(n).ok()).collect();
        match sizes.as_deref() {
            Some(&[a, b]) => Ok([a, b]),
            _ => Err(format!("attribute '{name}': expected two sizes ≥ 0, found {list:?}")),
        }
    }

    /// The value of a `Constant`.
    pub(crate) fn constant(&self) -> Option<&AttributeProto> {
        self.node.attribute.first()
    }

    pub(crate) fn has(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    pub(crate) fn item(&self, i: usize) -> Result<Item, String> {
        let name = self.node.input.get(i).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("operand {i} is missing"))?;
        let item = self.names.get(name).cloned();
        item.ok_or_else(|| {
            format!("its operand '{name}' is not known: it is no result of an earlier operation")
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.node.input.len()
    }

    /// A tensor; numbers that are known become a constant.
    pub(crate) fn tensor(&self, i: usize, to: &mut Assembly) -> Result<usize, String> {
        match self.item(i)? {
            Item::Node(node) => Ok(node),
            Item::Sizes(sizes) => to.constant(sizes.constant()?),
            Item::Uniform(_) => Err("an operand is noise that does not come from the picture".into()),
            Item::List(_) => Err("an operand is a list of tensors".into()),
        }
    }

    pub(crate) fn optional(&self, i: usize, to: &mut Assembly) -> Result<Option<usize>, String> {
        if self.has(i) { self.tensor(i, to).map(Some) } else { Ok(None) }
    }

    /// Integers that are known: of a shape, of a constant.
    pub(crate) fn sizes(&self, i: usize) -> Result<Sizes, String> {
        match self.item(i)? {
            Item::Sizes(sizes) => Ok(sizes),
            _ => {
                Err(format!("operand {i} depends on data: a victim's shapes must follow from its picture's"))
            }
        }
    }

    /// One number that is known.
    pub(crate) fn number(&self, i: usize, to: &Assembly) -> Option<f64> {
        match self.item(i).ok()? {
            Item::Sizes(sizes) => sizes.one().map(|n| n as f64),
            Item::Node(node) => match to.op(node) {
                Op::Constant(constant) if constant.data.len() == 1 => Some(constant.data[0]),
                _ => None,
            },
            Item::Uniform(_) | Item::List(_) => None,
        }
    }
}
