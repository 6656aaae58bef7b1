//! A shader's parameters: the fields of its struct `Params`, and their values by name.

use std::collections::{BTreeMap, HashMap};

use super::{Text, WgslError};

/// A leaf of `Params`: `grid.m` is the member `m` of its member `grid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// With those of the structs that it is in, as in `grid.m`.
    pub name: String,
    /// `u32` or `f32`.
    pub kind: &'static str,
}

/// A value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A `u32` if it fits one.
    Size(usize),
    /// A `u32`.
    Word(u32),
    /// An `f32`.
    Float(f32),
}

impl From<usize> for Value {
    fn from(size: usize) -> Self {
        Value::Size(size)
    }
}

impl From<u32> for Value {
    fn from(word: u32) -> Self {
        Value::Word(word)
    }
}

impl From<f32> for Value {
    fn from(float: f32) -> Self {
        Value::Float(float)
    }
}

/// Values of parameters by name, in any order.
#[derive(Clone, Debug, Default)]
pub struct Values(Vec<(String, Value)>);

impl Values {
    /// These names and values.
    pub fn of<V: Into<Value>, const N: usize>(values: [(&str, V); N]) -> Self {
        Values(values.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect())
    }

    /// The same with one value more.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// As those of the struct that this member holds.
    pub fn within(self, member: &str) -> Self {
        Values(self.0.into_iter().map(|(name, value)| (format!("{member}.{name}"), value)).collect())
    }

    /// The same with these values, too.
    pub fn and(mut self, others: Values) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl Text {
    /// The words of `Params` in the uniform buffer.
    ///
    /// # Errors
    /// A field without a value, a value without a field, one given twice, of the wrong type, or beyond 32 bits.
    pub fn params(&self, values: &Values) -> Result<Vec<u32>, WgslError> {
        let kernel = || self.kernel.clone();
        let mut given = BTreeMap::new();
        for (name, value) in &values.0 {
            if given.insert(name.as_str(), *value).is_some() {
                return Err(WgslError::Twice(kernel(), name.clone()));
            }
        }
        let (mut words, mut missing) = (Vec::new(), Vec::new());
        for field in &self.fields {
            match given.remove(field.name.as_str()) {
                Some(value) => words.push(self.word(field, value)?),
                None => missing.push(field.name.as_str()),
            }
        }
        if !given.is_empty() {
            let names = given.into_keys().collect::<Vec<_>>().join(", ");
            let expected: Vec<_> = self.fields.iter().map(|field| field.name.as_str()).collect();
            return Err(WgslError::UnknownParameters {
                kernel: kernel(),
                names,
                expected: expected.join(", "),
            });
        }
        if !missing.is_empty() {
            return Err(WgslError::MissingParameters { kernel: kernel(), names: missing.join(", ") });
        }
        Ok(words)
    }

    fn word(&self, field: &Field, value: Value) -> Result<u32, WgslError> {
        let (word, found) = match value {
            Value::Size(size) => (u32::try_from(size).map_err(|_| WgslError::TooLarge(size))?, "u32"),
            Value::Word(word) => (word, "u32"),
            Value::Float(float) => (float.to_bits(), "f32"),
        };
        if found == field.kind {
            return Ok(word);
        }
        Err(WgslError::WrongType {
            kernel: self.kernel.clone(),
            name: field.name.clone(),
            expected: field.kind,
            found,
        })
    }
}

/// The leaves of the struct `Params` of a finished text: words one after another, as a uniform buffer has them
/// as long as structs within fill whole 16 bytes, which WGSL asks of them.
pub(crate) fn fields(file: &str, source: &str) -> Result<Vec<Field>, WgslError> {
    let structs = structs(source);
    match structs.contains_key("Params") {
        true => leaves(file, &structs, "", "Params"),
        false => Ok(Vec::new()),
    }
}

type Members<'a> = Vec<(&'a str, &'a str)>;

/// Names and types of the members of every struct, one a line.
fn structs(source: &str) -> HashMap<&str, Members<'_>> {
    let mut structs = HashMap::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("struct ").and_then(|rest| rest.strip_suffix(" {")) else {
            continue;
        };
        let members = lines.by_ref().take_while(|line| *line != "}").filter_map(|line| {
            let (name, kind) = line.split_once("//").map_or(line, |(code, _)| code).split_once(':')?;
            Some((name.trim(), kind.trim().trim_end_matches(',')))
        });
        structs.insert(name, members.collect());
    }
    structs
}

fn leaves(
    file: &str,
    structs: &HashMap<&str, Members>,
    prefix: &str,
    name: &str,
) -> Result<Vec<Field>, WgslError> {
    let mut fields = Vec::new();
    for &(member, kind) in structs.get(name).into_iter().flatten() {
        let name = format!("{prefix}{member}");
        match kind {
            "u32" => fields.push(Field { name, kind: "u32" }),
            "f32" => fields.push(Field { name, kind: "f32" }),
            _ if structs.contains_key(kind) => {
                fields.extend(leaves(file, structs, &format!("{name}."), kind)?);
            }
            _ => return Err(WgslError::ParameterType { file: file.into(), name, kind: kind.into() }),
        }
    }
    Ok(fields)
}
