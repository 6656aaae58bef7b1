//! The model that names pictures, as commands are told of it.

use std::{
    io::{self, Write},
    path::Path,
};

use super::misuse;
use crate::{
    clip::{Activation, Bank, Clip, ClipError, Encoder, Templates, builtin},
    tensor_file::TensorFile,
    weights::{cached, known},
};

/// `--clip`: `builtin`, a path, or a name from `gia-gpu weights list`. Says what it notes. `activation`: of the model's
/// hidden layers, where the user knows better than the files.
pub fn open(clip: &Path, activation: Option<Activation>) -> anyhow::Result<Box<dyn Encoder>> {
    if clip.as_os_str() == builtin::NAME {
        return Ok(builtin::open()?);
    }
    let path = match clip.to_str().filter(|_| !clip.exists()).and_then(|name| known(name).ok()) {
        None => clip.to_path_buf(),
        Some(entry) => match cached(entry)? {
            Some(found) => found.folder,
            None => {
                anyhow::bail!(
                    "{0} is not on this machine yet: `gia-gpu weights get {0}` fetches it",
                    entry.name
                )
            }
        },
    };
    if path.is_file() {
        let file = TensorFile::read(&path)?;
        if Bank::is(&file) {
            return Ok(Box::new(Bank::from_file(&file, &path.display().to_string())?));
        }
    }
    let clip = Clip::open(&path, activation)?;
    clip.notes.iter().for_each(|text| note(text));
    Ok(Box::new(clip))
}

/// `--templates`: `imagenet`, `plain` or a file.
pub fn templates(choice: &Path) -> anyhow::Result<Templates> {
    Ok(match choice.to_str() {
        Some("imagenet") => Templates::imagenet(),
        Some("plain") => Templates::plain(),
        _ => Templates::read(choice)?,
    })
}

/// A name that makes no sense, or that the model does not know, is misuse of the option that gave it.
pub fn naming_error(option: &str, error: ClipError) -> anyhow::Error {
    match error {
        ClipError::LongLabel { .. }
        | ClipError::UnknownName { .. }
        | ClipError::EmptyLabel { .. }
        | ClipError::DuplicateLabel { .. }
        | ClipError::NoLabels => misuse(format!("{option}: {error}")),
        error => error.into(),
    }
}

/// Says something beside the result.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {text}");
}
