//! Options of commands that name pictures and nothing else.

use std::path::PathBuf;

use clap::Args;

use super::encoder;
use crate::clip::{Activation, Encoder, Templates, builtin};

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
    pub fn open(&self, activation: Option<Activation>) -> anyhow::Result<Box<dyn Encoder>> {
        encoder::open(&self.clip, activation)
    }

    pub fn templates(&self) -> anyhow::Result<Templates> {
        encoder::templates(&self.templates)
    }
}
