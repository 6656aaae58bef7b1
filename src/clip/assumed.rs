//! What is taken for granted where no file says it, and that it was.

use std::path::Path;

use super::{
    Activation,
    config::Sources,
    naming::{Naming, Side},
};
use crate::tensor_file::TensorFile;

/// Of OpenAI's and OpenCLIP's weights.
pub(crate) const EPSILON: f64 = 1e-5;

/// Heads of public models of these sizes: 64 wide (Dosovitskiy 2021) but for the large ones.
pub(crate) fn heads(side: Side, width: usize) -> usize {
    match (side, width) {
        // ViT-H/14, g/14, bigG/14 and e/14 of OpenCLIP, SigLIP's giant.
        (Side::Image, 1280 | 1408 | 1664 | 1792 | 1536) => 16,
        // SigLIP's so400m.
        (_, 1152) => 16,
        _ => (width / 64).max(1),
    }
}

/// OpenAI's own checkpoints say so by three numbers that nobody else saves: all of them were made alike.
pub(crate) fn original(file: &TensorFile) -> bool {
    ["input_resolution", "context_length", "vocab_size"]
        .iter()
        .all(|name| file.tensors.contains_key(*name) || file.non_float.contains_key(*name))
}

pub(crate) fn activation(file: &TensorFile, naming: Naming) -> Activation {
    match naming {
        Naming::HuggingFace { siglip: true } => Activation::GeluTanh,
        Naming::HuggingFace { siglip: false } => Activation::QuickGelu,
        Naming::OpenClip { .. } if original(file) => Activation::QuickGelu,
        Naming::OpenClip { .. } => Activation::Gelu,
    }
}

/// What the user should know: each line names what no file says and what was taken for it.
pub(crate) fn notes(
    path: &Path,
    sources: &Sources,
    chosen: bool,
    activation: Activation,
    heads: [usize; 2],
    siglip: bool,
) -> Vec<String> {
    let path = path.display();
    let mut notes = vec![];
    let family = if siglip { "SigLIP" } else { "CLIP" };
    if sources.path.is_none() {
        let [image, text] = heads;
        if !chosen {
            notes.push(format!(
                "{path}: no config.json or open_clip_config.json says the activation: {} assumed (--clip-activation \
                 changes it)",
                activation.name()
            ));
        }
        notes.push(format!(
            "{path}: no config.json or open_clip_config.json says the heads, the pooling and the masks: {image} for \
             pictures and {text} for texts, and the pooling and masks of {family} assumed (such a file beside the weights \
             changes them)"
        ));
    }
    if sources.preprocessing.is_none() {
        let prepared = match siglip {
            true => "a bicubic resize to a square, and pixels from -1 to 1",
            false => "a bicubic resize of the short side, its middle, and OpenAI's mean and deviation",
        };
        notes.push(format!(
            "{path}: no preprocessor_config.json or open_clip_config.json says how pictures are prepared: \
             {prepared} assumed"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ViT-B/32, L/14, H/14, g/14, bigG/14 and a text tower of OpenCLIP.
    #[test]
    fn public_models_have_the_heads_that_are_assumed() {
        let head_width = |width| width / heads(Side::Image, width);
        assert_eq!([768, 1024].map(head_width), [64, 64]);
        assert_eq!([1280, 1408, 1664].map(head_width), [80, 88, 104]);
        assert_eq!(heads(Side::Text, 1280), 20);
    }
}
