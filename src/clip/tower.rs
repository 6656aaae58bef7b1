//! One tower's tensors, checked against each other, and how they come onto a tape.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    Activation, ClipError,
    config::Choices,
    naming::{Naming, Side},
};
use crate::{
    tape::{Tape, Var},
    tensor_file::{Tensor, TensorFile, TensorFileError},
};

/// What every block has, with a weight and a bias each.
const BLOCK: [&str; 8] = ["norm1", "query", "key", "value", "out", "norm2", "fc1", "fc2"];

/// What OpenAI's and OpenCLIP's weights have where no file says (Dosovitskiy 2021).
const HEAD_WIDTH: usize = 64;
const EPSILON: f64 = 1e-5;

/// The transformer of one side. Tensors have names of their own here, the same for all files: `patch.weight`
/// `(D,3,P,P)`, `class` `(D)`, `token` `(V,D)`, `position` `(L,D)`, `norm_pre`, `layers.0.norm1` and so on,
/// `norm_post`, `projection` `(D,E)`. Matrices are `(in,out)`: activations stand on their left, and products read
/// their right side along its rows.
pub struct Tower {
    pub side: Side,
    pub layers: usize,
    pub heads: usize,
    /// `D`
    pub width: usize,
    pub activation: Activation,
    pub epsilon: f64,
    tensors: BTreeMap<String, Tensor>,
}

impl Tower {
    /// All names of a tower with so many layers.
    pub fn names(side: Side, layers: usize) -> Vec<String> {
        let both = |stem: String| ["weight", "bias"].map(|last| format!("{stem}.{last}"));
        let mut names = Vec::new();
        match side {
            Side::Image => names.extend(["patch.weight", "class", "position"].map(String::from)),
            Side::Text => names.extend(["token", "position"].map(String::from)),
        }
        if side == Side::Image {
            names.extend(both("norm_pre".into()));
        }
        for layer in 0..layers {
            names.extend(BLOCK.iter().flat_map(|part| both(format!("layers.{layer}.{part}"))));
        }
        names.extend(both("norm_post".into()));
        names.push("projection".into());
        names
    }

    /// Layers of which the file has some tensor, counted from 0 without a gap.
    pub fn count_layers(file: &TensorFile, naming: Naming, side: Side) -> usize {
        let start = naming.layers(side);
        let has = |layer: usize| {
            let start = format!("{start}{layer}.");
            let after = file.tensors.range(start.clone()..).next();
            after.is_some_and(|(name, _)| name.starts_with(&start))
        };
        (0..).take_while(|&layer| has(layer)).count()
    }

    /// Takes the tower's tensors, all of which are there, out of the file. `choices` is what JSON says, `activation`
    /// what to take where it is silent.
    pub fn take(
        file: &mut TensorFile,
        naming: Naming,
        side: Side,
        choices: Choices,
        activation: Activation,
    ) -> Result<Tower, ClipError> {
        let layers = Tower::count_layers(file, naming, side);
        let mut taken = Taken { file, naming, side, tensors: BTreeMap::new() };
        for name in Tower::names(side, layers) {
            taken.tensor(&name)?;
        }
        let width = taken.matrix("position")?[1];
        let heads = choices.heads.unwrap_or((width / HEAD_WIDTH).max(1));
        if heads == 0 || !width.is_multiple_of(heads) {
            let expected = format!("heads that divide the width of {width}");
            return Err(taken.wrong_shape("position", &format!("{expected}, found {heads} heads")));
        }
        taken.check(layers, width)?;
        Ok(Tower {
            side,
            layers,
            heads,
            width,
            activation: choices.activation.unwrap_or(activation),
            epsilon: choices.epsilon.unwrap_or(EPSILON),
            tensors: taken.tensors,
        })
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Width `E` of the space that pictures and words share.
    pub fn projection(&self) -> usize {
        self.tensor("projection").shape[1]
    }
}

/// Tensors on their way from a file to a tower.
struct Taken<'f> {
    file: &'f mut TensorFile,
    naming: Naming,
    side: Side,
    tensors: BTreeMap<String, Tensor>,
}

impl Taken<'_> {
    fn tensor(&mut self, name: &str) -> Result<(), ClipError> {
        let place = self.naming.place(self.side, name);
        let path = || self.file.path.clone();
        if let Some(aside) = self.file.non_float.get(&place.name) {
            let found = aside.dtype.clone();
            return Err(TensorFileError::NotFloat { path: path(), name: place.name, found }.into());
        }
        let found = &self.file.tensors[&place.name];
        if let Some(index) = found.data.iter().position(|value| !value.is_finite()) {
            let value = found.data[index];
            return Err(TensorFileError::NotFinite { path: path(), name: place.name, index, value }.into());
        }
        let shape_error = |expected: &str| ClipError::Shape {
            path: path(),
            name: place.name.clone(),
            expected: expected.into(),
            found: found.shape.clone(),
        };
        let mut tensor = match place.third {
            Some(index) => {
                third(found, index).ok_or_else(|| shape_error("three parts of one size on the first axis"))?
            }
            None if place.transposed && found.shape.len() != 2 => return Err(shape_error("two axes")),
            None => self.file.tensors.remove(&place.name).expect("it is there"),
        };
        if place.transposed {
            tensor = transposed(&tensor).ok_or_else(|| ClipError::Shape {
                path: self.file.path.clone(),
                name: place.name.clone(),
                expected: "two axes".into(),
                found: tensor.shape.clone(),
            })?;
        }
        if place.third == Some(2) {
            self.file.tensors.remove(&place.name);
        }
        self.tensors.insert(name.into(), tensor);
        Ok(())
    }

    fn matrix(&self, name: &str) -> Result<[usize; 2], ClipError> {
        let shape = self.tensors[name].shape.as_slice();
        shape.try_into().map_err(|_| self.wrong_shape(name, "two axes"))
    }

    /// The first tensor whose shape does not go with the others'.
    fn check(&self, layers: usize, width: usize) -> Result<(), ClipError> {
        let hidden = if layers == 0 { 0 } else { self.matrix("layers.0.fc1.weight")?[1] };
        let [_, shared] = self.matrix("projection")?;
        for name in Tower::names(self.side, layers) {
            let (stem, last) = name.rsplit_once('.').unwrap_or((&name, ""));
            let weight = last == "weight";
            let part = stem.rsplit_once('.').map_or(stem, |(_, part)| part);
            let mut expected = match part {
                "patch" | "position" | "token" => continue,
                "projection" => vec![width, shared],
                "fc1" if weight => vec![width, hidden],
                "fc1" => vec![hidden],
                "fc2" if weight => vec![hidden, width],
                "query" | "key" | "value" | "out" if weight => vec![width, width],
                _ => vec![width],
            };
            if self.tensors[&name].shape != expected {
                if self.naming.place(self.side, &name).transposed {
                    expected.reverse();
                }
                return Err(self.wrong_shape(&name, &format!("{expected:?}")));
            }
        }
        match self.side {
            Side::Text => match self.matrix("token")? {
                [rows, w] if rows > 0 && w == width => Ok(()),
                _ => Err(self.wrong_shape("token", &format!("(vocabulary, {width})"))),
            },
            Side::Image => self.check_patches(width),
        }
    }

    /// `(D,3,P,P)` patches in a square, and one position more for the class token.
    fn check_patches(&self, width: usize) -> Result<(), ClipError> {
        let shape = self.tensors["patch.weight"].shape.as_slice();
        if !matches!(shape, [w, 3, p, q] if *w == width && p == q && *p > 0) {
            return Err(self.wrong_shape("patch.weight", &format!("({width}, 3, P, P)")));
        }
        let [positions, _] = self.matrix("position")?;
        let side = positions.saturating_sub(1).isqrt();
        match side > 0 && side * side + 1 == positions {
            true => Ok(()),
            false => Err(self.wrong_shape("position", "one position more than a square number")),
        }
    }

    /// `expected` and what was found are as the file has them.
    fn wrong_shape(&self, name: &str, expected: &str) -> ClipError {
        let place = self.naming.place(self.side, name);
        let mut found = self.tensors[name].shape.clone();
        if place.transposed {
            found.reverse();
        }
        ClipError::Shape { path: self.file.path.clone(), name: place.name, expected: expected.into(), found }
    }
}

/// Part `index` of three along the first axis.
fn third(tensor: &Tensor, index: usize) -> Option<Tensor> {
    let rows = tensor.shape.first().filter(|rows| rows.is_multiple_of(3))? / 3;
    let len = tensor.data.len() / 3;
    let mut shape = tensor.shape.clone();
    shape[0] = rows;
    Some(Tensor { shape, data: tensor.data[index * len..][..len].to_vec() })
}

/// `(M,N) → (N,M)`
fn transposed(tensor: &Tensor) -> Option<Tensor> {
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

/// A tower's weights as inputs of a tape: constants, of which nobody asks a gradient.
pub struct Frozen<'w> {
    pub tower: &'w Tower,
    /// Every input and what to write to it before the first run.
    pub used: Vec<(Var, &'w [f32])>,
}

impl<'w> Frozen<'w> {
    pub fn new(tower: &'w Tower) -> Self {
        Frozen { tower, used: vec![] }
    }

    /// The tensor as an input of this shape.
    pub fn input(&mut self, tape: &mut Tape, name: &str, shape: &[usize]) -> Var {
        let var = tape.input(shape);
        self.used.push((var, &self.tower.tensor(name).data));
        var
    }

    /// The tower's matrix `(K,N)` as `(1,K,N)`.
    pub fn matrix(&mut self, tape: &mut Tape, name: &str) -> Var {
        let [inputs, outputs] = self.tower.tensor(name).shape[..] else { panic!("a matrix") };
        self.input(tape, name, &[1, inputs, outputs])
    }

    /// `x (1,M,K) → (1,M,N)` with the tower's matrix `(K,N)`.
    pub fn matmul(&mut self, tape: &mut Tape, name: &str, x: Var) -> Var {
        let weight = self.matrix(tape, name);
        tape.matmul(x, weight)
    }

    /// The tower's vector `(D)`.
    pub fn vector(&mut self, tape: &mut Tape, name: &str) -> Var {
        let len = self.tower.tensor(name).data.len();
        self.input(tape, name, &[len])
    }
}
