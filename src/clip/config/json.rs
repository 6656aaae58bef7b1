//! A JSON file that describes a model, read key by key: what a value should be is said where it is something else.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::ClipError;
use crate::files::incoming;

/// A file and its content.
pub struct Json {
    /// For messages.
    pub path: PathBuf,
    /// The whole content.
    pub root: Value,
}

impl Json {
    /// The file, or `None` where there is none.
    pub fn read(path: PathBuf) -> Result<Option<Json>, ClipError> {
        let bytes = match incoming::read(&path, incoming::TEXT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(ClipError::Read { path, cause }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(root) => Ok(Some(Json { path, root })),
            Err(cause) => Err(ClipError::Json { path, cause }),
        }
    }

    /// The whole file.
    pub fn part(&self) -> Part<'_> {
        Part { path: &self.path, key: String::new(), value: &self.root }
    }
}

/// An object of the file, and the key that it stands under.
#[derive(Clone, Debug)]
pub struct Part<'j> {
    /// Of the file, for messages.
    pub path: &'j Path,
    key: String,
    value: &'j Value,
}

impl<'j> Part<'j> {
    /// The object under a key; an empty one where there is none.
    pub fn part(&self, key: &str) -> Result<Part<'j>, ClipError> {
        match &self.value[key] {
            value if value.is_object() || value.is_null() => {
                Ok(Part { path: self.path, key: self.full(key), value })
            }
            other => Err(self.wrong(key, "an object", other)),
        }
    }

    /// What stands under a key; null where it is missing.
    pub fn value(&self, key: &str) -> &'j Value {
        &self.value[key]
    }

    /// Whether the key is there and says something.
    pub fn has(&self, key: &str) -> bool {
        !self.value[key].is_null()
    }

    /// As in `vision_cfg.pool_type`.
    pub fn full(&self, key: &str) -> String {
        if self.key.is_empty() { key.into() } else { format!("{}.{key}", self.key) }
    }

    /// The error that a key has another value than expected.
    pub fn wrong(&self, key: &str, expected: impl ToString, found: impl ToString) -> ClipError {
        let (key, expected, found) = (self.full(key), expected.to_string(), found.to_string());
        ClipError::Config { path: self.path.into(), key, expected, found }
    }

    fn field<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'j Value) -> Option<T>,
    ) -> Result<Option<T>, ClipError> {
        match &self.value[key] {
            Value::Null => Ok(None),
            value => convert(value).map(Some).ok_or_else(|| self.wrong(key, expected, value)),
        }
    }

    /// A text under a key, `None` where it is missing.
    pub fn text(&self, key: &str) -> Result<Option<&'j str>, ClipError> {
        self.field(key, "a text", Value::as_str)
    }

    /// True or false under a key, `None` where it is missing.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ClipError> {
        self.field(key, "true or false", Value::as_bool)
    }

    /// A whole number above 0 under a key, `None` where it is missing.
    pub fn whole(&self, key: &str) -> Result<Option<usize>, ClipError> {
        self.field(key, "a whole number above 0", positive)
    }

    /// A token's id.
    pub fn id(&self, key: &str) -> Result<Option<usize>, ClipError> {
        self.field(key, "one whole number", |v| match v.as_array().map(Vec::as_slice) {
            Some([one]) => one.as_u64().map(|n| n as usize),
            Some(_) => None,
            None => v.as_u64().map(|n| n as usize),
        })
    }

    /// A number above 0 under a key, `None` where it is missing.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ClipError> {
        self.field(key, "a number above 0", |v| v.as_f64().filter(|&n| n > 0.0))
    }

    /// The side of a square: one number, or two that are equal.
    pub fn side(&self, key: &str) -> Result<Option<usize>, ClipError> {
        self.field(key, "the side of a square", |v| match v.as_array().map(Vec::as_slice) {
            Some([side]) => positive(side),
            Some([height, width]) if height == width => positive(height),
            Some(_) => None,
            None => positive(v),
        })
    }

    /// Three numbers, or one for all three.
    pub fn three(&self, key: &str) -> Result<Option<[f32; 3]>, ClipError> {
        self.field(key, "three numbers", |value| match value.as_array() {
            None => value.as_f64().map(|one| [one as f32; 3]),
            Some(list) => {
                let numbers: Option<Vec<f32>> = list.iter().map(|v| Some(v.as_f64()? as f32)).collect();
                numbers?.try_into().ok()
            }
        })
    }

    /// Refuses every key that is none of these, listed between spaces, unless it says nothing: null, false, nothing in
    /// brackets. What a key that is not known here asks for is not computed.
    pub fn only(&self, known: &[&str]) -> Result<(), ClipError> {
        let Value::Object(map) = self.value else { return Ok(()) };
        let silent = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        let is_known = |key: &str| known.iter().any(|list| list.split_whitespace().any(|word| word == key));
        match map.iter().find(|(key, value)| !is_known(key) && !silent(value)) {
            None => Ok(()),
            Some((key, value)) => {
                Err(self.wrong(key, "no such key: what it asks for is not computed", value))
            }
        }
    }
}

fn positive(value: &Value) -> Option<usize> {
    value.as_u64().filter(|&n| n > 0).map(|n| n as usize)
}
