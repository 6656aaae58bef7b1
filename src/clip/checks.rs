//! Whether a file is a CLIP, whole and no more, and is what the files beside it say.

use std::{collections::HashSet, path::Path};

use super::{
    ClipError, Naming, Sources, config::Claim, image_tower::ImageTower, looks_like::looks_like, naming::Side,
    parts::Parts, resnet::ResNet, tower::Tower,
};
use crate::tensor_file::TensorFile;

/// Whether all tensors of a CLIP are there, of any shape.
pub(crate) fn names(file: &TensorFile) -> Result<Naming, ClipError> {
    let naming = Naming::of(file);
    let names = naming.unwrap_or(Naming::HuggingFace { siglip: false });
    let places = |side| {
        let layers = Tower::count_layers(file, names, side).max(1);
        let all = Parts::of(file, names, side).names(layers);
        all.into_iter().map(move |name| names.place(side, &name).name)
    };
    let mut all: Vec<String> = match names {
        Naming::OpenClip { resnet: true, .. } => ResNet::names(file),
        _ => places(Side::Image).collect(),
    };
    all.extend(places(Side::Text));
    all.push("logit_scale".into());
    all.extend(matches!(names, Naming::HuggingFace { siglip: true }).then(|| "logit_bias".into()));
    // Query, key and value may be parts of one tensor.
    let mut seen = HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    let has = |name: &String| file.tensors.contains_key(name) || file.non_float.contains_key(name);
    let missing: Vec<&String> = all.iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(names);
    }
    let few = naming.is_some() && missing.len() * 4 < all.len();
    let examples: Vec<String> = missing.iter().take(3).map(|name| format!("'{name}'")).collect();
    Err(ClipError::NotClip {
        path: file.path.clone(),
        missing: missing.len(),
        expected: all.len(),
        examples: examples.join(", "),
        looks_like: if few { "the rest is there: the file is not complete".into() } else { looks_like(file) },
    })
}

/// What the files say of the tensors must be so.
pub(crate) fn claims(
    sources: &Sources,
    weights: &Path,
    image: &ImageTower,
    text: &Tower,
) -> Result<(), ClipError> {
    let Some(config) = &sources.path else { return side(sources, image) };
    let wrong = |key: &str, said: String, found: String| ClipError::Config {
        path: config.clone(),
        key: key.into(),
        expected: format!("{found}, as the tensors in {} have it", weights.display()),
        found: said,
    };
    let said = |claim: &Claim| match claim {
        Claim::Size(_, size) => size.to_string(),
        Claim::Piece(piece, there) => {
            format!("for a model {} {}", if *there { "with" } else { "without" }, piece.name())
        }
    };
    for (key, claim) in &sources.image.claims {
        if let Some(found) = image.contradiction(claim) {
            return Err(wrong(key, said(claim), found));
        }
    }
    for (key, claim) in &sources.text.claims {
        if let Some(found) = text.contradiction(claim) {
            return Err(wrong(key, said(claim), found));
        }
    }
    // Only OpenCLIP's files describe ResNets.
    let stages = match image {
        ImageTower::ResNet(tower) => Some(tower.stages),
        ImageTower::Transformer(_) => None,
    };
    if sources.image.stages == stages {
        return side(sources, image);
    }
    let said = |stages: Option<[usize; 4]>| match stages {
        Some(blocks) => format!("{blocks:?}, the blocks of a ResNet's stages"),
        None => "one number, the layers of a transformer".into(),
    };
    Err(wrong("model_cfg.vision_cfg.layers", said(sources.image.stages), said(stages)))
}

/// Pictures must be prepared for the model's size.
fn side(sources: &Sources, image: &ImageTower) -> Result<(), ClipError> {
    let size = image.image_size();
    match &sources.side {
        Some(claim) if claim.side != size => Err(ClipError::Config {
            path: claim.path.clone(),
            key: claim.key.clone(),
            expected: format!("{size}, the side of the model's pictures"),
            found: claim.side.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Nothing may be left over: it would belong to a part that is not computed.
pub(crate) fn rest(file: &TensorFile) -> Result<(), ClipError> {
    const HARMLESS: [&str; 7] = [
        "position_ids",
        "attn_mask",
        "input_resolution",
        "context_length",
        "vocab_size",
        "logit_scale",
        "num_batches_tracked",
    ];
    // CoCa's decoder makes texts of features.
    let counts = |name: &&String| {
        !HARMLESS.iter().any(|end| name.ends_with(end)) && !name.starts_with("text_decoder.")
    };
    let mut rest = file.tensors.keys().filter(counts);
    let Some(first) = rest.next() else { return Ok(()) };
    let what = match first {
        name if name.contains("logit_bias") => {
            "a bias of the logits is SigLIP's, whose probabilities are no softmax"
        }
        _ => "the model has a part that is not computed",
    };
    Err(ClipError::Unsupported {
        path: file.path.clone(),
        first: first.clone(),
        count: 1 + rest.count(),
        what,
    })
}
