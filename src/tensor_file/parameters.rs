//! From a file's names to an architecture's parameter list.

use super::{Naming, Tensor, TensorFile, TensorFileError};

/// A parameter that an architecture has: its `state_dict` name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// PyTorch `state_dict` name.
    pub name: String,
    /// Sizes of the axes, without trials.
    pub shape: Vec<usize>,
}

/// What to make of float tensors in the file that were not asked for. Tensors of other types never count.
#[derive(Clone, Copy, Debug)]
pub enum Extra<'a> {
    /// They are an error: the file is for another architecture.
    Reject,
    /// Only these are accepted: whole names, or last parts (`running_mean` accepts `bn1.running_mean`).
    Allow(&'a [&'a str]),
    /// All are accepted: the file holds more than is needed.
    Any,
}

impl Extra<'_> {
    fn accepts(&self, name: &str) -> bool {
        match self {
            Extra::Reject => false,
            Extra::Allow(list) => list.iter().any(|allowed| {
                name.strip_suffix(allowed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
            Extra::Any => true,
        }
    }
}

impl TensorFile {
    /// The tensors of `specs`, in their order, checked for shape and for NaN and Inf.
    pub fn parameters(&self, specs: &[ParameterSpec], extra: Extra) -> Result<Vec<Tensor>, TensorFileError> {
        self.check_names(specs, extra)?;
        specs.iter().map(|spec| self.parameter(spec)).collect()
    }

    fn check_names(&self, specs: &[ParameterSpec], extra: Extra) -> Result<(), TensorFileError> {
        let asked: std::collections::BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let mut unknown = self.tensors.keys().filter(|name| !asked.contains(name.as_str()));
        let mut missing = specs.iter().filter(|spec| self.shape(&spec.name).is_none());
        if let Some(first) = missing.next() {
            if self.naming == Naming::Positional {
                let (path, first) = (self.path.clone(), first.name.clone());
                return Err(TensorFileError::Unmatched { path, first, arrays: self.count() });
            }
            return Err(TensorFileError::Missing {
                path: self.path.clone(),
                first: first.name.clone(),
                missing: 1 + missing.count(),
                expected: specs.len(),
                unknown: unknown.next().cloned(),
            });
        }
        let mut rejected = unknown.filter(|name| !extra.accepts(name));
        if let Some(first) = rejected.next() {
            return Err(TensorFileError::Extra {
                path: self.path.clone(),
                first: first.clone(),
                extra: 1 + rejected.count(),
                expected: specs.len(),
            });
        }
        Ok(())
    }

    /// `spec.name` is known to be in the file, as some type.
    fn parameter(&self, spec: &ParameterSpec) -> Result<Tensor, TensorFileError> {
        let path = || self.path.clone();
        let name = || spec.name.clone();
        let Some(tensor) = self.tensors.get(&spec.name) else {
            let found = self.non_float[&spec.name].dtype.clone();
            return Err(TensorFileError::NotFloat { path: path(), name: name(), found });
        };
        if tensor.shape != spec.shape {
            return Err(TensorFileError::Shape {
                path: path(),
                name: name(),
                expected: spec.shape.clone(),
                found: tensor.shape.clone(),
            });
        }
        if let Some(index) = tensor.data.iter().position(|value| !value.is_finite()) {
            let value = tensor.data[index];
            return Err(TensorFileError::NotFinite { path: path(), name: name(), index, value });
        }
        Ok(tensor.clone())
    }
}
