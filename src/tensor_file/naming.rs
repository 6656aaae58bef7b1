//! Whether a file's tensors have names, or only positions.

use std::path::Path;

use super::{TensorFile, TensorFileError};

/// How the tensors of a file are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By names that someone gave them.
    Named,
    /// By their position alone: they are `arr_0`, `arr_1`, … as `np.savez(file, *arrays)` calls them.
    Positional,
}

impl Naming {
    /// Of the names in an `.npz` file, of which there is at least one.
    pub(super) fn of<'a>(
        path: &Path,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Naming, TensorFileError> {
        let Some(mut positions) = names.map(position).collect::<Option<Vec<usize>>>() else {
            return Ok(Naming::Named);
        };
        positions.sort_unstable();
        // Names are unique, and so are their positions.
        match positions.iter().enumerate().find(|(i, position)| i != *position) {
            None => Ok(Naming::Positional),
            Some((missing, &next)) => {
                Err(TensorFileError::Gap { path: path.into(), missing, next, arrays: positions.len() })
            }
        }
    }
}

/// `arr_10` → 10; `None` for what NumPy would not have written.
fn position(name: &str) -> Option<usize> {
    let position = name.strip_prefix("arr_")?.parse().ok()?;
    (array_name(position) == name).then_some(position)
}

pub(super) fn array_name(position: usize) -> String {
    format!("arr_{position}")
}

impl TensorFile {
    /// Tensors of all types.
    pub(super) fn count(&self) -> usize {
        self.tensors.len() + self.non_float.len()
    }

    /// Of any type.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        let float = self.tensors.get(name).map(|tensor| &tensor.shape);
        float.or_else(|| self.non_float.get(name).map(|aside| &aside.shape)).map(Vec::as_slice)
    }
}
