//! Which file of a folder holds the weights.

use std::path::{Path, PathBuf};

use super::{ClipError, config::Json};

/// What a folder's weights may be called.
const FILES: [&str; 3] =
    ["model.safetensors", "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"];

/// The weights of a folder. Where its `config.json` describes no pair of towers, `model.safetensors` may be another
/// library's part of the model, and OpenCLIP's file comes first.
pub(crate) fn weights_in(path: &Path) -> Result<PathBuf, ClipError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let towers = match Json::read(path.join("config.json")) {
        Ok(Some(config)) => config.root["vision_config"].is_object(),
        _ => false,
    };
    let mut names = FILES;
    if !towers && path.join("open_clip_config.json").exists() {
        names.rotate_left(1);
    }
    let found = names.iter().map(|name| path.join(name)).find(|file| file.exists());
    found.ok_or_else(|| ClipError::NoWeights { path: path.into(), expected: FILES[0].into() })
}
