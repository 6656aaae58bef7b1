//! What names pictures.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    clip::{Activation, Bank, Clip, Encoder, Templates, builtin},
    tensor_file::TensorFile,
    weights::{cached, known},
};

/// The model, and how names are said to it.
#[derive(Args, Clone, Debug)]
pub struct ClipOptions {
    /// What names pictures: a CLIP's safetensors file, a folder with model.safetensors (and config.json), a name from
    /// `gia-gpu weights list`, a file of `gia-gpu train clip`, or builtin
    #[arg(long, value_name = "PATH|builtin", default_value = builtin::NAME)]
    pub clip: PathBuf,
    /// Sentences that names are put into: CLIP's 80 for ImageNet, the name alone, or a file with one a line and {} in
    /// it; the built-in model knows names alone
    #[arg(long, value_name = "FILE|imagenet|plain", default_value = "imagenet")]
    templates: PathBuf,
}

impl ClipOptions {
    /// `activation`: of the model's hidden layers, where the user knows better than the files.
    pub fn open(&self, activation: Option<Activation>) -> anyhow::Result<Box<dyn Encoder>> {
        if self.clip.as_os_str() == builtin::NAME {
            return Ok(builtin::open()?);
        }
        let path = self.path()?;
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

    pub fn templates(&self) -> anyhow::Result<Templates> {
        Ok(match self.templates.to_str() {
            Some("imagenet") => Templates::imagenet(),
            Some("plain") => Templates::plain(),
            _ => Templates::read(&self.templates)?,
        })
    }

    /// Where the weights are: as given, or in the cache.
    fn path(&self) -> anyhow::Result<PathBuf> {
        let name = self.clip.to_str().filter(|_| !self.clip.exists());
        match name.and_then(|name| known(name).ok()) {
            None => Ok(self.clip.clone()),
            Some(entry) => match cached(entry)? {
                Some(found) => Ok(Path::new(&found.folder).to_owned()),
                None => anyhow::bail!(
                    "{0} is not on this machine yet: `gia-gpu weights get {0}` fetches it",
                    entry.name
                ),
            },
        }
    }
}

/// Says something beside the result.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {text}");
}
