//! What names pictures, and which names it chooses from.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{help::group, misuse, note, spelled::spelled};
use crate::{
    clip::{Activation, Bank, Clip, ClipError, Encoder, Templates, builtin},
    tensor_file::TensorFile,
    weights::{cached, known},
};

/// What stands for the victim in place of a model.
const VICTIM: &str = "victim";

/// The model, and how names are said to it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct ClipOptions {
    /// Model that compares pictures with names: builtin, or a CLIP
    ///
    /// A CLIP's safetensors file, a folder with model.safetensors (and config.json), a name from `gia-gpu weights list`, a
    /// file of `gia-gpu train clip`, or builtin. Without it, the built-in model. With --names-from also victim.
    #[arg(long, value_name = "PATH|builtin")]
    clip: Option<PathBuf>,
    /// Sentences that names are put into
    ///
    /// CLIP's 80 for ImageNet, the name alone (plain), or a file with one a line and {} in it. The built-in model knows
    /// names alone.
    #[arg(long, value_name = "FILE|imagenet|plain", default_value = "imagenet")]
    templates: PathBuf,
    /// Activation of the CLIP's hidden layers, where no config.json says
    #[arg(long, value_parser = spelled::<Activation>())]
    clip_activation: Option<Activation>,
}

impl ClipOptions {
    /// Whether the user chose a model.
    pub(crate) fn is_given(&self) -> bool {
        self.clip.is_some()
    }

    /// Whether the victim's own features are to name, which know names by example alone.
    pub(crate) fn is_victim(&self) -> bool {
        self.clip.as_deref().is_some_and(|clip| clip.as_os_str() == VICTIM)
    }

    /// The model; says what it notes.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Encoder>> {
        match &self.clip {
            Some(clip) if clip.as_os_str() == VICTIM => {
                Err(misuse("--clip victim knows names by example alone: give --names-from, too"))
            }
            clip => open_encoder(clip.as_deref(), self.clip_activation),
        }
    }

    pub(crate) fn templates(&self) -> anyhow::Result<Templates> {
        Ok(match self.templates.to_str() {
            Some("imagenet") => Templates::imagenet(),
            Some("plain") => Templates::plain(),
            _ => Templates::read(&self.templates)?,
        })
    }
}

/// The model of this name or path; the one inside the program where there is none.
pub(crate) fn open_encoder(
    clip: Option<&Path>,
    activation: Option<Activation>,
) -> anyhow::Result<Box<dyn Encoder>> {
    let path = match clip {
        None => return Ok(builtin::open()?),
        Some(clip) if clip.as_os_str() == builtin::NAME => return Ok(builtin::open()?),
        Some(clip) => located(clip)?,
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

/// A path as it is, or where the weights of this name lie in the cache.
fn located(clip: &Path) -> anyhow::Result<PathBuf> {
    match clip.to_str().filter(|_| !clip.exists()).and_then(|name| known(name).ok()) {
        None => Ok(clip.to_path_buf()),
        Some(entry) => match cached(entry)? {
            Some(found) => Ok(found.folder),
            None => {
                anyhow::bail!(
                    "{0} is not on this machine yet: `gia-gpu weights get {0}` fetches it",
                    entry.name
                )
            }
        },
    }
}

/// Which names there are to choose from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct CandidateNames {
    /// Candidate names for the label indices, as in dog,cat,airplane
    ///
    /// Without it, the data set's class names.
    #[arg(long, value_name = "NAME,NAME", allow_hyphen_values = true)]
    names: Option<String>,
}

impl CandidateNames {
    /// Whether the user gave them.
    pub(crate) fn are_given(&self) -> bool {
        self.names.is_some()
    }

    /// As given, else `class_names` of the data set, where one is known.
    pub(crate) fn of(&self, class_names: Option<&[String]>) -> Option<Vec<String>> {
        match &self.names {
            Some(names) => Some(names.split(',').map(String::from).collect()),
            None => class_names.map(<[String]>::to_vec),
        }
    }

    /// A name that makes no sense, or that the model does not know, is misuse of what gave it.
    pub(crate) fn error(&self, error: ClipError) -> anyhow::Error {
        let option =
            if self.are_given() { "--names" } else { "class names of the data set (others by --names)" };
        naming_error(option, error)
    }
}

/// A name that makes no sense, or that the model does not know, is misuse of the option that gave it.
pub(crate) fn naming_error(option: &str, error: ClipError) -> anyhow::Error {
    match error {
        ClipError::LongLabel { .. }
        | ClipError::UnknownName { .. }
        | ClipError::EmptyLabel { .. }
        | ClipError::DuplicateLabel { .. }
        | ClipError::NoLabels => misuse(format!("{option}: {error}")),
        error => error.into(),
    }
}
