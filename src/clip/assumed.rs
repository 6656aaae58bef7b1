//! What is taken for granted where no file says it, and that it was.

use std::path::Path;

use super::{
    Activation,
    config::Sources,
    naming::{Naming, Side},
};
use crate::tensor_file::TensorFile;

/// Of OpenAI's and OpenCLIP's weights.
pub const EPSILON: f64 = 1e-5;

/// Heads of public models of these sizes: 64 wide (Dosovitskiy 2021) but for the large ones.
pub fn heads(side: Side, width: usize, layers: usize) -> usize {
    match (side, width, layers) {
        // ViT-H/14, g/14 and bigG/14 of OpenCLIP; SigLIP's so400m and giant.
        (Side::Image, 1280, 32)
        | (Side::Image, 1408, 40)
        | (Side::Image, 1664, 48)
        | (Side::Image, 1536, 40) => 16,
        (_, 1152, 27) => 16,
        _ => (width / 64).max(1),
    }
}

/// OpenAI's own checkpoints say so by three numbers that nobody else saves: all of them were made alike.
pub fn original(file: &TensorFile) -> bool {
    ["input_resolution", "context_length", "vocab_size"]
        .iter()
        .all(|name| file.tensors.contains_key(*name) || file.non_float.contains_key(*name))
}

pub fn activation(file: &TensorFile, naming: Naming) -> Activation {
    match naming {
        Naming::HuggingFace { siglip: true } => Activation::GeluTanh,
        Naming::HuggingFace { siglip: false } => Activation::QuickGelu,
        Naming::OpenClip { .. } if original(file) => Activation::QuickGelu,
        Naming::OpenClip { .. } => Activation::Gelu,
    }
}

/// What the user should know: each line names what no file says and what was taken for it.
pub fn notes(
    path: &Path,
    sources: &Sources,
    chosen: bool,
    activation: Activation,
    heads: [usize; 2],
    prepared: &str,
) -> Vec<String> {
    let path = path.display();
    let mut notes = vec![];
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
            "{path}: no config.json or open_clip_config.json says the heads, the pooling and the masks: {image} heads \
             for pictures, {text} for texts and the usual rest assumed (one of these files beside the weights changes it)"
        ));
    }
    if sources.preprocessing.is_none() {
        notes.push(format!(
            "{path}: no preprocessor_config.json or open_clip_config.json says how pictures are prepared: {prepared} \
             assumed"
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
        let heads = |width, layers| width / heads(Side::Image, width, layers);
        assert_eq!([heads(768, 12), heads(1024, 24)], [64, 64]);
        assert_eq!([heads(1280, 32), heads(1408, 40), heads(1664, 48)], [80, 88, 104]);
        assert_eq!(super::heads(Side::Text, 1280, 32), 20);
    }
}
