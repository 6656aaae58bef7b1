//! What is read of `models/model.json` and of the lists of tensors: PyTorch's schema 8, of which later minor versions add
//! fields. See `torch/_export/serde/schema.py`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use serde_json::Value;

/// Of the schema.
pub(crate) const MAJOR: u64 = 8;

#[derive(Deserialize)]
pub(crate) struct Version {
    pub schema_version: Major,
}

#[derive(Deserialize)]
pub(crate) struct Major {
    pub major: u64,
}

#[derive(Deserialize)]
pub(crate) struct Program {
    pub graph_module: Module,
}

#[derive(Deserialize)]
pub(crate) struct Module {
    pub graph: Nodes,
    pub signature: Signature,
}

#[derive(Deserialize)]
pub(crate) struct Nodes {
    #[serde(deserialize_with = "calls")]
    pub nodes: Vec<Call>,
    /// By name.
    #[serde(deserialize_with = "by_name")]
    pub tensor_values: BTreeMap<String, Meta>,
}

/// One operation.
#[derive(Deserialize)]
pub(crate) struct Call {
    /// `torch.ops.aten.conv2d.default`
    pub target: String,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Value>,
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct Input {
    pub name: String,
    /// One key, which says the kind, and the value.
    pub arg: Value,
}

#[derive(Deserialize)]
pub(crate) struct Signature {
    /// One key, which says the kind.
    pub input_specs: Vec<Value>,
    pub output_specs: Vec<Value>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Meta {
    /// Code of a type; see [`Meta::float`].
    pub dtype: u64,
    pub sizes: Vec<Value>,
    #[serde(default)]
    pub strides: Vec<Value>,
    #[serde(default)]
    pub storage_offset: Value,
    #[serde(default)]
    pub requires_grad: bool,
}

/// Where the bytes of every tensor are, by name.
#[derive(Deserialize)]
pub(crate) struct Payloads {
    #[serde(deserialize_with = "by_name")]
    pub config: BTreeMap<String, Payload>,
}

#[derive(Deserialize)]
pub(crate) struct Payload {
    pub path_name: String,
    #[serde(default)]
    pub use_pickle: bool,
    pub tensor_meta: Option<Meta>,
}

/// Nodes, of which an error names the one.
fn calls<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Call>, D::Error> {
    let call = |(at, value): (usize, Value)| {
        let name =
            value.get("outputs").and_then(|outputs| outputs.get(0)?.get("as_tensor")?.get("name")?.as_str());
        let name = name.map_or(at.to_string(), |name| format!("'{name}'"));
        Call::deserialize(value).map_err(|cause| D::Error::custom(format!("node {name}: {cause}")))
    };
    Vec::<Value>::deserialize(from)?.into_iter().enumerate().map(call).collect()
}

/// What tensors have, of which an error names the one.
fn by_name<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<BTreeMap<String, T>, D::Error> {
    let one = |(name, value): (String, Value)| match T::deserialize(value) {
        Ok(known) => Ok((name, known)),
        Err(cause) => Err(D::Error::custom(format!("tensor '{name}': {cause}"))),
    };
    BTreeMap::<String, Value>::deserialize(from)?.into_iter().map(one).collect()
}

/// `{"as_int": 3}`, or an expression with the value that it had on export.
pub(crate) fn number(value: &Value) -> Option<i64> {
    let hint = || value.get("as_expr")?.get("hint")?.get("as_int")?.as_i64();
    value.get("as_int").and_then(Value::as_i64).or_else(hint)
}

impl Meta {
    pub(crate) fn shape(&self) -> Result<Vec<usize>, String> {
        let size = |value: &Value| number(value).and_then(|n| usize::try_from(n).ok());
        self.sizes.iter().map(size).collect::<Option<_>>().ok_or_else(|| {
            "its shape depends on data: export the network for pictures of one size".to_string()
        })
    }
}
