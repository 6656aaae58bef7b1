//! From positions to names: arrays without names are in the order of the model's `state_dict`, but which of
//! its tensors were sent is for the shapes to say.

use std::fmt;

use super::naming::array_name;
use super::{Naming, ParameterSpec, TensorFile, TensorFileError};

/// What the arrays may be: what to call the list in messages, and its tensors in `state_dict` order.
pub type Candidate<'a> = (&'a str, Vec<ParameterSpec>);

/// Last part of the names of batch norm's counters, which nobody needs.
const COUNTER: &str = "num_batches_tracked";

/// A file whose tensors have got their names by position.
#[derive(Clone, Debug)]
pub struct Matching {
    /// The tensors under their names.
    pub file: TensorFile,
    /// Which array was taken for which tensor.
    pub report: PositionReport,
}

/// Which array was taken for which tensor, for the person who knows what was saved. Its `Display` is a few
/// lines long.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PositionReport {
    /// The candidate that fits, as the caller calls it.
    pub list: String,
    /// Array, `state_dict` name and shape, in order.
    pub pairs: Vec<(String, String, Vec<usize>)>,
    /// How many tensors share their shape with another one: had those changed places, nobody would see it.
    pub alike: usize,
}

/// The first array that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("array '{}' ({} of {count}) has shape {found:?}, expected {expected:?} for '{name}' ({list}){hint}",
        array_name(*position), position + 1)]
pub struct PositionMismatch {
    /// From 0.
    pub position: usize,
    /// How many arrays the file has.
    pub count: usize,
    /// What the arrays were matched with, such as all tensors or the trainable ones.
    pub list: String,
    /// The tensor that is expected at this position.
    pub name: String,
    /// Its shape.
    pub expected: Vec<usize>,
    /// The array's shape.
    pub found: Vec<usize>,
    /// What may have happened.
    pub hint: PositionHint,
}

/// What may have happened to arrays that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionHint {
    /// Nothing that explains it.
    None,
    /// All expected shapes are there, in another order; this one's is at `at`.
    Permuted {
        /// From 0, where the expected shape is.
        at: usize,
    },
    /// The array's axes are in another order.
    Transposed,
}

impl fmt::Display for PositionHint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            PositionHint::None => Ok(()),
            PositionHint::Permuted { at } => write!(
                f,
                ": the arrays look permuted, all shapes are there in another order and '{}' has this one",
                array_name(*at)
            ),
            PositionHint::Transposed => f.write_str(": the array looks transposed"),
        }
    }
}

impl TensorFile {
    /// The shapes of a positional file's arrays, in order; `None` for a file with names.
    pub fn positions(&self) -> Option<Vec<&[usize]>> {
        let shape = |position| self.shape(&array_name(position)).unwrap_or_default();
        (self.naming == Naming::Positional).then(|| (0..self.count()).map(shape).collect())
    }

    /// Gives the tensors of a positional file the names of the candidate that has as many tensors, and the
    /// same shapes in the same order. Of several such candidates the first is taken. Counters of batches
    /// (`num_batches_tracked`) may be of any type, and are left out of a file's float tensors.
    pub fn match_positions(&self, candidates: &[Candidate]) -> Result<Matching, TensorFileError> {
        let report = self.find(candidates)?;
        Ok(Matching { file: self.clone().renamed(&report), report })
    }

    /// A file with names, whichever way it has them: itself, or matched as [`TensorFile::match_positions`]
    /// does, with the report of that.
    pub fn by_name(
        self,
        candidates: &[Candidate],
    ) -> Result<(TensorFile, Option<PositionReport>), TensorFileError> {
        match self.naming {
            Naming::Named => Ok((self, None)),
            Naming::Positional => {
                let report = self.find(candidates)?;
                Ok((self.renamed(&report), Some(report)))
            }
        }
    }

    fn find(&self, candidates: &[Candidate]) -> Result<PositionReport, TensorFileError> {
        let Some(shapes) = self.positions() else {
            return Err(TensorFileError::NotPositional { path: self.path.clone() });
        };
        let count = shapes.len();
        let mut nearest: Option<PositionMismatch> = None;
        for (list, specs) in candidates.iter().filter(|(_, specs)| specs.len() == count) {
            let Some(position) = specs.iter().zip(&shapes).position(|(spec, shape)| !fits(spec, shape))
            else {
                return Ok(report(list, specs, &shapes));
            };
            if nearest.as_ref().is_none_or(|nearest| nearest.position < position) {
                nearest = Some(mismatch(list, specs, &shapes, position));
            }
        }
        let path = self.path.clone();
        Err(match nearest {
            Some(mismatch) => TensorFileError::Position { path, mismatch: Box::new(mismatch) },
            None => {
                let expected = candidates.iter().map(|(list, specs)| format!("{} ({list})", specs.len()));
                let expected = expected.collect::<Vec<_>>().join(" or ");
                TensorFileError::PositionCount { path, expected, found: count }
            }
        })
    }

    /// `report` is this file's own.
    fn renamed(mut self, report: &PositionReport) -> TensorFile {
        let (mut tensors, mut non_float) =
            (std::mem::take(&mut self.tensors), std::mem::take(&mut self.non_float));
        for (array, name, _) in &report.pairs {
            match tensors.remove(array) {
                Some(_) if is_counter(name) => {}
                Some(tensor) => drop(self.tensors.insert(name.clone(), tensor)),
                None => {
                    self.non_float.extend(non_float.remove(array).map(|aside| (name.clone(), aside)));
                }
            }
        }
        TensorFile { naming: Naming::Named, ..self }
    }
}

fn is_counter(name: &str) -> bool {
    name.rsplit('.').next() == Some(COUNTER)
}

/// A counter's value is not used, so `[1]` is as good as `[]`.
fn fits(spec: &ParameterSpec, shape: &[usize]) -> bool {
    spec.shape == shape || is_counter(&spec.name) && shape.iter().all(|&n| n == 1)
}

fn report(list: &str, specs: &[ParameterSpec], shapes: &[&[usize]]) -> PositionReport {
    let pairs = specs
        .iter()
        .zip(shapes)
        .enumerate()
        .map(|(position, (spec, shape))| (array_name(position), spec.name.clone(), shape.to_vec()));
    let alike = sorted(shapes).chunk_by(|a, b| a == b).map(<[_]>::len).filter(|&n| n > 1).sum();
    PositionReport { list: list.into(), pairs: pairs.collect(), alike }
}

fn sorted<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    values
}

fn mismatch(list: &str, specs: &[ParameterSpec], shapes: &[&[usize]], position: usize) -> PositionMismatch {
    let expected = specs[position].shape.as_slice();
    let found = shapes[position];
    let same_shapes =
        sorted(specs.iter().map(|spec| spec.shape.as_slice())) == sorted(shapes.iter().copied());
    let elsewhere = (position + 1..shapes.len()).find(|&at| shapes[at] == expected);
    let hint = match elsewhere {
        Some(at) if same_shapes => PositionHint::Permuted { at },
        _ if sorted(expected) == sorted(found) => PositionHint::Transposed,
        _ => PositionHint::None,
    };
    PositionMismatch {
        position,
        count: shapes.len(),
        list: list.into(),
        name: specs[position].name.clone(),
        expected: expected.into(),
        found: found.into(),
        hint,
    }
}

impl fmt::Display for PositionReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let count = self.pairs.len();
        write!(f, "{count} arrays without names, taken in state_dict order for {}", self.list)?;
        let ends = [self.pairs.first(), self.pairs.last().filter(|_| count > 1)];
        for (i, (array, name, shape)) in ends.into_iter().flatten().enumerate() {
            let dots = if i == 1 && count > 2 { "\n  ..." } else { "" };
            write!(f, "{dots}\n  {array} is {name} {shape:?}")?;
        }
        match self.alike {
            0 => write!(f, "\nno two have the same shape, so the order is certain"),
            n => write!(
                f,
                "\n{n} of {count} share their shape with another: the order of those is not verified"
            ),
        }
    }
}
