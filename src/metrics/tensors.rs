//! Pictures that an attack left unrounded: `reconstruction.safetensors`.

use std::path::{Path, PathBuf};

use super::MetricsError;
use crate::{
    data::Picture,
    tensor_file::{Tensor, TensorFile},
};

/// The tensor that holds them: `(N,C,H,W)`, pixels in [0, 1] where the attack keeps them there, neither clamped nor
/// rounded.
pub const IMAGES: &str = "images";

/// The pictures of such a file, with the file's name and their place in it.
///
/// # Errors
/// A file that cannot be read, or whose `images` are missing or not `(N,C,H,W)` with 1 or 3 channels.
pub fn read_tensor_pictures(path: &Path) -> Result<Vec<(PathBuf, Picture)>, MetricsError> {
    let mut file = TensorFile::read(path)?;
    let wrong = |found: String| MetricsError::Picture {
        which: path.display().to_string(),
        expected: format!("a tensor '{IMAGES}' of shape (pictures, C, H, W)"),
        found,
    };
    let Some(Tensor { shape, data }) = file.tensors.remove(IMAGES) else {
        let names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
        return Err(wrong(if names.is_empty() { "none".into() } else { names.join(", ") }));
    };
    let [count, channels, height, width] = shape[..] else { return Err(wrong(format!("shape {shape:?}"))) };
    if count == 0 || data.is_empty() {
        return Err(wrong(format!("shape {shape:?}")));
    }
    let pictures = data.chunks(channels * height * width).enumerate();
    let picture = |(i, pixels): (usize, &[f32])| {
        let named = path.join(i.to_string());
        Ok((named, Picture::new(channels, height, width, pixels.to_vec())?))
    };
    pictures.map(picture).collect()
}
