//! What a file that is no CLIP seems to be, from its tensors' names.

use crate::tensor_file::TensorFile;

/// The start or the middle of a name, and who has such names. The first that is found counts.
const SIGNS: [(&str, &str); 13] = [
    (
        "visual.trunk.",
        "an OpenCLIP model around an image encoder of timm's; of these, only SigLIP's can be computed",
    ),
    ("vision_tower.", "a vision-language model around an image encoder"),
    ("vision_model.", "one tower of a CLIP: both are needed, the image encoder and the text encoder"),
    ("text_model.", "one tower of a CLIP: both are needed, the image encoder and the text encoder"),
    ("visual.", "one tower of a CLIP, or a CLIP of another kind"),
    ("down_blocks.", "a diffusion model"),
    ("language_model.", "a vision-language model"),
    ("model.layers.", "a language model"),
    ("bert.", "a BERT"),
    ("blocks.0.attn.", "a vision transformer of timm's, without a text encoder"),
    ("vit.", "a vision transformer, without a text encoder"),
    ("layer1.0.", "a ResNet: an image classifier"),
    ("features.0.", "a VGG or another image classifier"),
];

pub(crate) fn looks_like(file: &TensorFile) -> String {
    if let Some(format) = file.metadata.get("format").filter(|format| format.starts_with("gia-gpu")) {
        let of = file.metadata.get("architecture").map(|name| format!(" of {name}")).unwrap_or_default();
        return format!("it looks like a file of {format}{of}");
    }
    let names = || file.tensors.keys().chain(file.non_float.keys());
    let sign = |sign: &str| names().any(|name| name.starts_with(sign) || name.contains(&format!(".{sign}")));
    match SIGNS.iter().find(|(start, _)| sign(start)) {
        Some((_, what)) => format!("it looks like {what}"),
        None => {
            let some: Vec<String> = names().take(3).map(|name| format!("'{name}'")).collect();
            match some.is_empty() {
                true => "the file holds no tensors".into(),
                false => format!("its tensors have names such as {}", some.join(", ")),
            }
        }
    }
}
