//! Tensors on their way from a file to a tower: renamed, turned, and checked against each other.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    ClipError,
    naming::{Naming, Side},
    parts::{Parts, Pooler},
};
use crate::tensor_file::{Tensor, TensorFile, TensorFileError};

/// Tensors by their names here.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

pub(crate) struct Taken<'f> {
    pub file: &'f mut TensorFile,
    pub naming: Naming,
    pub parts: Parts,
    pub tensors: Tensors,
}

impl Taken<'_> {
    pub(crate) fn tensor(&mut self, name: &str) -> Result<(), ClipError> {
        let place = self.naming.place(self.parts.side, name);
        let path = self.file.path.clone();
        let found = finite(self.file, &place.name)?;
        let shape_error = |expected: &str| ClipError::Shape {
            path: path.clone(),
            name: place.name.clone(),
            expected: expected.into(),
            found: found.shape.clone(),
        };
        let mut tensor = match place.part {
            Some((index, of)) => part(found, index, of).ok_or_else(|| {
                let count = if of == 3 { "three" } else { "two" };
                shape_error(&format!("{count} parts of one size on the first axis"))
            })?,
            None if place.transposed && found.shape.len() != 2 => return Err(shape_error("two axes")),
            None => self.file.tensors.remove(&place.name).expect("it is there"),
        };
        if place.transposed {
            tensor = transposed(&tensor).ok_or_else(|| ClipError::Shape {
                path,
                name: place.name.clone(),
                expected: "two axes".into(),
                found: tensor.shape.clone(),
            })?;
        }
        // Some files have an axis for the batch in front.
        if ["position", "latent"].contains(&name) {
            while tensor.shape.len() > 2 && tensor.shape[0] == 1 {
                tensor.shape.remove(0);
            }
        }
        if place.part.is_some_and(|(index, of)| index + 1 == of) {
            self.file.tensors.remove(&place.name);
        }
        self.tensors.insert(name.into(), tensor);
        Ok(())
    }

    pub(crate) fn matrix(&self, name: &str) -> Result<[usize; 2], ClipError> {
        let shape = self.tensors[name].shape.as_slice();
        shape.try_into().map_err(|_| self.wrong_shape(name, "two axes"))
    }

    /// The first tensor whose shape does not go with the others'.
    pub(crate) fn check(&self, layers: usize, width: usize) -> Result<(), ClipError> {
        let columns = |name: &str| match self.tensors.contains_key(name) {
            true => self.matrix(name).map(|[_, columns]| columns),
            false => Ok(0),
        };
        let hidden = columns("layers.0.fc1.weight")?;
        let pool_hidden = columns("pool_fc1.weight")?;
        let shared = columns("projection")?.max(columns("projection.weight")?);
        let latent = columns("latent")?;
        // What the projection and the last norm are given.
        let pooled = if self.parts.pooler == Some(Pooler::Norms) { latent } else { width };
        for name in self.parts.names(layers) {
            let (stem, last) = name.rsplit_once('.').unwrap_or((&name, ""));
            let weight = last == "weight";
            let part = stem.rsplit_once('.').map_or(stem, |(_, part)| part);
            let mut expected = match part {
                "patch" if weight => continue,
                "position" | "token" => continue,
                "latent" if self.parts.pooler == Some(Pooler::Hidden) => vec![1, width],
                "latent" => continue,
                "projection" if last == "bias" => vec![shared],
                "projection" => vec![pooled, shared],
                "pool_fc1" if weight => vec![width, pool_hidden],
                "pool_fc1" => vec![pool_hidden],
                "pool_fc2" if weight => vec![pool_hidden, width],
                "pool_query" | "pool_out" if weight => vec![pooled, pooled],
                "pool_key" | "pool_value" if weight => vec![width, pooled],
                "pool_query" | "pool_key" | "pool_value" | "pool_out" | "pool_norm_q" | "norm_post" => {
                    vec![pooled]
                }
                "fc1" if weight => vec![width, hidden],
                "fc1" => vec![hidden],
                "fc2" if weight => vec![hidden, width],
                "query" | "key" | "value" | "out" if weight => vec![width, width],
                _ => vec![width],
            };
            if self.tensors[&name].shape != expected {
                if self.naming.place(self.parts.side, &name).transposed {
                    expected.reverse();
                }
                return Err(self.wrong_shape(&name, &format!("{expected:?}")));
            }
        }
        match self.parts.side {
            Side::Text => match self.matrix("token")? {
                [rows, w] if rows > 0 && w == width => Ok(()),
                _ => Err(self.wrong_shape("token", &format!("(vocabulary, {width})"))),
            },
            Side::Image => self.check_patches(width),
        }
    }

    /// `(D,3,P,P)` patches in a square, and one position more for a class token.
    fn check_patches(&self, width: usize) -> Result<(), ClipError> {
        let shape = self.tensors["patch.weight"].shape.as_slice();
        if !matches!(shape, [w, 3, p, q] if *w == width && p == q && *p > 0) {
            return Err(self.wrong_shape("patch.weight", &format!("({width}, 3, P, P)")));
        }
        let [positions, _] = self.matrix("position")?;
        let class = usize::from(self.parts.class);
        let side = positions.saturating_sub(class).isqrt();
        let expected = if self.parts.class {
            "one position more than a square number"
        } else {
            "a square number of positions"
        };
        match side > 0 && side * side + class == positions {
            true => Ok(()),
            false => Err(self.wrong_shape("position", expected)),
        }
    }

    /// `expected` and what was found are as the file has them.
    pub(crate) fn wrong_shape(&self, name: &str, expected: &str) -> ClipError {
        let place = self.naming.place(self.parts.side, name);
        let mut found = self.tensors[name].shape.clone();
        if place.transposed {
            found.reverse();
        }
        ClipError::Shape { path: self.file.path.clone(), name: place.name, expected: expected.into(), found }
    }
}

/// A tensor that is there, of finite numbers.
pub(crate) fn finite<'f>(file: &'f TensorFile, name: &str) -> Result<&'f Tensor, ClipError> {
    let (path, name) = (file.path.clone(), name.to_string());
    if let Some(aside) = file.non_float.get(&name) {
        let found = aside.dtype.clone();
        return Err(TensorFileError::NotFloat { path, name, found }.into());
    }
    let found = &file.tensors[&name];
    match found.data.iter().position(|value| !value.is_finite()) {
        None => Ok(found),
        Some(index) => {
            let value = found.data[index];
            Err(TensorFileError::NotFinite { path, name, index, value }.into())
        }
    }
}

/// Takes one number out of the file, where it is.
pub(crate) fn scalar(file: &mut TensorFile, name: &str) -> Result<f32, ClipError> {
    let tensor = finite(file, name)?;
    let &[value] = tensor.data.as_slice() else {
        let (path, found) = (file.path.clone(), tensor.shape.clone());
        return Err(ClipError::Shape { path, name: name.into(), expected: "one number".into(), found });
    };
    file.tensors.remove(name);
    Ok(value)
}

/// Part `index` of `of` along the first axis.
fn part(tensor: &Tensor, index: usize, of: usize) -> Option<Tensor> {
    let rows = tensor.shape.first().filter(|rows| rows.is_multiple_of(of))? / of;
    let len = tensor.data.len() / of;
    let mut shape = tensor.shape.clone();
    shape[0] = rows;
    Some(Tensor { shape, data: tensor.data[index * len..][..len].to_vec() })
}

/// `(M,N) → (N,M)`
pub(crate) fn transposed(tensor: &Tensor) -> Option<Tensor> {
    /// Rows and columns that are turned together, so that both sides stay in the cache.
    const TILE: usize = 32;
    let [rows, cols] = tensor.shape.as_slice().try_into().ok()?;
    let mut data = vec![0.0; rows * cols];
    let strips = data.par_chunks_mut((TILE * rows).max(1)).enumerate();
    strips.for_each(|(strip, to)| {
        let first = strip * TILE;
        for top in (0..rows).step_by(TILE) {
            for (col, to) in to.chunks_mut(rows).enumerate() {
                for (row, to) in to.iter_mut().enumerate().skip(top).take(TILE) {
                    *to = tensor.data[row * cols + first + col];
                }
            }
        }
    });
    Some(Tensor { shape: vec![cols, rows], data })
}
