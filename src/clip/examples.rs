//! Names by example: a few pictures of each in place of its text.

use std::path::{Path, PathBuf};

use super::ClipError;
use crate::data::{Dataset, Picture, same_name, spoken};

/// Pictures with names, read.
#[derive(Clone, Debug)]
pub struct Examples {
    /// The folder that they come from.
    pub folder: PathBuf,
    /// At least two, different ones.
    pub names: Vec<String>,
    /// With the place of each one's name; at least two a name.
    pub pictures: Vec<(usize, Picture)>,
}

impl Examples {
    /// A folder with a folder per name.
    ///
    /// # Errors
    /// Fewer than two names, or than two pictures of one; names that are the same but for case, spaces and underscores;
    /// pictures that cannot be read.
    pub fn open(folder: &Path) -> Result<Examples, ClipError> {
        let dataset = Dataset::open(folder)?;
        let names: Vec<String> = dataset.class_names.iter().map(|name| spoken(name)).collect();
        let refused = |expected: &str, found: String| ClipError::Examples {
            folder: folder.into(),
            expected: expected.into(),
            found,
        };
        for (i, name) in names.iter().enumerate() {
            if let Some(first) = names[..i].iter().position(|other| same_name(other, name)) {
                let found = format!("'{}' and '{}'", dataset.class_names[first], dataset.class_names[i]);
                return Err(refused("a folder for each of different names", found));
            }
        }
        let read = |(i, &name): (usize, &usize)| Ok((name, dataset.picture(i)?));
        let pictures = dataset.labels().iter().enumerate().map(read).collect::<Result<_, ClipError>>()?;
        Examples { folder: folder.into(), names, pictures }.checked()
    }

    /// Without these pictures, which are a client's; `fit`: what makes pictures comparable with them. Also how many fell out.
    ///
    /// # Errors
    /// Too few are left of a name.
    pub fn without(
        mut self,
        own: &[Picture],
        fit: impl Fn(&Picture) -> Result<Picture, ClipError>,
    ) -> Result<(Examples, usize), ClipError> {
        let before = self.pictures.len();
        let mut kept = vec![];
        for (name, picture) in std::mem::take(&mut self.pictures) {
            if !own.contains(&fit(&picture)?) {
                kept.push((name, picture));
            }
        }
        let fallen = before - kept.len();
        Ok((Examples { pictures: kept, ..self }.checked()?, fallen))
    }

    fn checked(self) -> Result<Examples, ClipError> {
        let refused = |expected: &str, found: String| ClipError::Examples {
            folder: self.folder.clone(),
            expected: expected.into(),
            found,
        };
        if self.names.len() < 2 {
            return Err(refused("folders of two names or more", format!("one, '{}'", self.names.concat())));
        }
        for (i, name) in self.names.iter().enumerate() {
            let count = self.pictures.iter().filter(|(own, _)| *own == i).count();
            if count < 2 {
                let expected = "two pictures of each name or more, as each is held out once";
                return Err(refused(expected, format!("{count} of '{name}'")));
            }
        }
        Ok(self)
    }
}
