//! Several data sets, each with a name.

use std::{path::PathBuf, str::FromStr};

use super::{misuse, training_options::pictures_error};
use crate::{
    data::{Dataset, same_name, spoken},
    train::{Part, Pictures},
};

/// `NAME=PATH`
#[derive(Clone, Debug)]
pub(crate) struct NamedPath {
    pub name: String,
    pub path: PathBuf,
}

impl FromStr for NamedPath {
    type Err = String;

    fn from_str(text: &str) -> Result<NamedPath, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(NamedPath { name: name.into(), path: path.into() })
            }
            _ => Err("expected NAME=PATH".into()),
        }
    }
}

impl NamedPath {
    /// All its pictures, fitted to `[C, H, W]`, under its own name. A folder's name is a class's, with spaces for
    /// underscores.
    pub(crate) fn read(&self, shape: [usize; 3]) -> anyhow::Result<Pictures> {
        let mut dataset = Dataset::open(&self.path)?;
        dataset.class_names.iter_mut().for_each(|name| *name = spoken(name));
        let classes = dataset.class_names.len();
        let mut pictures = Pictures::read(&dataset, shape, classes, None).map_err(pictures_error)?;
        pictures.parts[0].name = self.name.clone();
        Ok(pictures)
    }

    /// Its pictures with the labels that the same data set's classes have in `all`.
    pub(crate) fn within(&self, all: &Pictures, shape: [usize; 3]) -> anyhow::Result<Pictures> {
        let known = |part: &&Part| part.name == self.name;
        let part = all.parts.iter().find(known).ok_or_else(|| {
            let names: Vec<&str> = all.parts.iter().map(|part| part.name.as_str()).collect();
            misuse(format!(
                "--test: expected a data set of --data ({}), found '{}'",
                names.join(", "),
                self.name
            ))
        })?;
        let mut own = self.read(shape)?;
        let expected: Vec<&String> = part.classes.iter().map(|&class| &all.class_names[class]).collect();
        let same = |(a, b): (&String, &&String)| same_name(a, b);
        if own.class_names.len() != expected.len() || !own.class_names.iter().zip(&expected).all(same) {
            let found = &own.class_names;
            return Err(misuse(format!(
                "--test: expected the classes of --data, {expected:?}, found {found:?}"
            )));
        }
        own.labels.iter_mut().for_each(|label| *label = part.classes[*label]);
        own.class_names = all.class_names.clone();
        own.parts[0].classes = part.classes.clone();
        Ok(own)
    }
}

/// All data sets as one.
pub(crate) fn open_sets(sets: &[NamedPath], shape: [usize; 3]) -> anyhow::Result<Pictures> {
    for (index, set) in sets.iter().enumerate() {
        if sets[..index].iter().any(|other| other.name == set.name) {
            return Err(misuse(format!("--data: the name '{}' stands twice", set.name)));
        }
    }
    let read = sets.iter().map(|set| set.read(shape)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Pictures::join(read))
}
