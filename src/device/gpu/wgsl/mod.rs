//! The shaders' files (`shaders/`, see its README), joined and filled in: imports act, words and constants are
//! replaced, marked lines repeated. Names that do not fit are errors, those of parameters too.

mod files;
mod join;
mod params;

use std::collections::HashSet;

pub use params::{Field, Value, Values};

/// The text of a kernel and of all that it imports, with every word and constant in place.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file's name without `.wgsl`.
    pub kernel: String,
    /// WGSL.
    pub source: String,
    /// The leaves of the struct `Params`, in order; none where there is no such struct.
    pub fields: Vec<Field>,
}

/// Why a shader cannot be joined or filled in: a bug in a shader or in its Rust side, but for sizes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WgslError {
    /// A shader imports a file that there is not.
    #[error("shaders/{by}: there is no file shaders/{file}")]
    NoFile {
        /// The shader.
        by: String,
        /// The file.
        file: String,
    },
    /// A line is not understood.
    #[error("shaders/{file}:{line}: {what}")]
    Malformed {
        /// Path in `shaders/`.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A field of `Params` has a type that has no value in Rust.
    #[error("shaders/{file}: the parameter {name} is {kind}: expected u32, f32 or a struct of them")]
    ParameterType {
        /// Path in `shaders/`.
        file: String,
        /// The field.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A word or constant of the shader got no value.
    #[error("shaders/{file}: no value for {name}")]
    Missing {
        /// Path in `shaders/`.
        file: String,
        /// The word or constant.
        name: String,
    },
    /// A value was given that nothing in the shader takes.
    #[error(
        "shaders/{file}: a value for {name}, which neither it nor what it imports declares: expected {expected}"
    )]
    Undeclared {
        /// Path in `shaders/`.
        file: String,
        /// What it was given for.
        name: String,
        /// Names that take one.
        expected: String,
    },
    /// Fields of `Params` got no value.
    #[error("{kernel}: no value for the parameters {names}")]
    MissingParameters {
        /// Name of the kernel's file.
        kernel: String,
        /// The fields.
        names: String,
    },
    /// Values were given for fields that `Params` does not have.
    #[error("{kernel}: values for {names}, which Params does not have: expected {expected}")]
    UnknownParameters {
        /// Name of the kernel's file.
        kernel: String,
        /// The fields.
        names: String,
        /// Fields that it has.
        expected: String,
    },
    /// A value is of another type than its field.
    #[error("{kernel}: the parameter {name} is {expected}; found {found}")]
    WrongType {
        /// Name of the kernel's file.
        kernel: String,
        /// The field.
        name: String,
        /// Type of the field.
        expected: &'static str,
        /// Type of the value.
        found: &'static str,
    },
    /// A shader or kernel got two values for one name.
    #[error("{0}: two values for {1}")]
    Twice(String, String),
    /// A tensor is larger than a shader can address.
    #[error("a size of {0} is beyond 32-bit addresses")]
    TooLarge(usize),
}

/// What is filled in: words and constants by name.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<(String, String)>);

impl Words {
    /// No words.
    pub fn new() -> Self {
        Words::default()
    }

    /// A word's text, or a constant's value as WGSL writes it.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The files that imports are looked up in, by their paths within `shaders/`.
#[derive(Clone, Copy)]
pub struct Library<'a>(&'a [(&'a str, &'a str)]);

impl Library<'static> {
    /// The files of `shaders/`, as they were when this crate was built.
    pub const BUILT_IN: Self = Library(files::FILES);
}

impl<'a> Library<'a> {
    /// Of these paths and texts.
    pub fn new(files: &'a [(&'a str, &'a str)]) -> Self {
        Library(files)
    }

    /// Path of every file.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|&(path, _)| path)
    }

    /// The finished text of a kernel.
    ///
    /// # Errors
    /// A file, a word or a constant that is missing, a value that nothing declares, a line that cannot be read.
    pub fn finish(&self, kernel: &str, words: &Words) -> Result<Text, WgslError> {
        let file = format!("{kernel}.wgsl");
        let mut seen = HashSet::new();
        for (name, _) in &words.0 {
            if !seen.insert(name) {
                return Err(WgslError::Twice(format!("shaders/{file}"), name.clone()));
            }
        }
        self.text(&file, Some(words))
    }

    /// A file, kernel or part, with all that it imports, words and constants at their defaults.
    ///
    /// # Errors
    /// As for [`Library::finish`].
    pub fn alone(&self, path: &str) -> Result<Text, WgslError> {
        self.text(path, None)
    }

    fn text(&self, path: &str, words: Option<&Words>) -> Result<Text, WgslError> {
        let source = join::join(self, path, words)?;
        let kernel = path.trim_end_matches(".wgsl").to_string();
        let fields = params::fields(path, &source)?;
        Ok(Text { kernel, source, fields })
    }

    fn file(&self, path: &str, by: &str) -> Result<&'a str, WgslError> {
        let found = self.0.iter().find(|(known, _)| *known == path);
        found
            .map(|&(_, text)| text)
            .ok_or_else(|| WgslError::NoFile { by: by.to_string(), file: path.to_string() })
    }
}
