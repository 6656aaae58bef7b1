//! Which of a victim's classes the folders of a data set are.

use std::path::Path;

use super::{DataError, Dataset, place_of_name, spoken};
use crate::files::incoming;

/// `a,b,c`, or a file with a name a line (or a JSON list of them), in the order of the victim's classes.
///
/// # Errors
/// A file that cannot be read, or no names.
pub fn read_class_names(text: &str) -> Result<Vec<String>, DataError> {
    let path = Path::new(text);
    let names: Vec<String> = match path.is_file() {
        true => {
            let text = incoming::read_text(path).map_err(|cause| DataError::unreadable(path, cause))?;
            match serde_json::from_str(&text) {
                Ok(names) => names,
                Err(_) => text.lines().map(str::to_string).collect(),
            }
        }
        false => text.split(',').map(str::to_string).collect(),
    };
    let names: Vec<String> =
        names.into_iter().map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect();
    match names.len() {
        0 => Err(DataError::mismatch("class names", "a name for each class", "none")),
        _ => Ok(names),
    }
}

impl Dataset {
    /// The same pictures with labels of the victim whose classes have these names, in order. Case, and underscores for
    /// spaces, do not matter.
    ///
    /// # Errors
    /// A class of the data set that is none of the victim's.
    pub fn with_class_names(mut self, names: &[String]) -> Result<Dataset, DataError> {
        let said: Vec<String> = names.iter().map(|name| spoken(name)).collect();
        let place = |own: &String| {
            place_of_name(&said, &spoken(own)).ok_or_else(|| {
                let expected = format!("one of the victim's {} classes, {}", names.len(), shown(names));
                DataError::malformed(&self.name_of_path(), expected, format!("class '{own}'"))
            })
        };
        let places = self.class_names.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
        self.relabel(|label| places[label]);
        self.class_names = names.to_vec();
        Ok(self)
    }

    /// Whether its labels can be those of a victim of `classes`, where no names say which is which.
    ///
    /// # Errors
    /// A folder for each of some other number of classes.
    pub fn check_classes(&self, classes: usize) -> Result<(), DataError> {
        let own = self.class_names.len();
        if !self.is_of_folders() || own == classes {
            return Ok(());
        }
        let expected = format!("{classes} class folders, as many as the victim has classes");
        let found = format!(
            "{own} ({}): give --class-names with the victim's {classes} classes in order",
            shown(&self.class_names)
        );
        Err(DataError::malformed(&self.name_of_path(), expected, found))
    }
}

/// The first few.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{first}, …") } else { first }
}
