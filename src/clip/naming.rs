//! Where a tower's tensors stand in a file: Hugging Face's `CLIPModel`, or OpenAI's and OpenCLIP's `state_dict`.

use crate::tensor_file::TensorFile;

/// Which tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Image,
    Text,
}

/// Whose names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    HuggingFace,
    /// With what stands before the text tower's names: nothing, or `text.` in OpenCLIP's later classes.
    OpenClip(&'static str),
}

/// A tensor as the file has it, and what of it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    /// One of three equal parts along the first axis: query, key, value.
    pub third: Option<usize>,
    /// A matrix `(out,in)`, as PyTorch's linear layers have it.
    pub transposed: bool,
}

impl Naming {
    /// The naming that most of the file's tensors fit; `None` if it has neither.
    pub fn of(file: &TensorFile) -> Option<Naming> {
        let has = |name: &str| file.tensors.contains_key(name) || file.non_float.contains_key(name);
        let any = |start: &str| {
            file.tensors.keys().chain(file.non_float.keys()).any(|name| name.starts_with(start))
        };
        if any("vision_model.") || any("text_model.") {
            Some(Naming::HuggingFace)
        } else if has("visual.conv1.weight") || any("visual.transformer.") {
            Some(Naming::OpenClip(if any("text.transformer.") { "text." } else { "" }))
        } else {
            None
        }
    }

    /// Where a tower's tensor stands, given its name here (see [`super::tower::Tower`]).
    pub fn place(self, side: Side, name: &str) -> Place {
        let (stem, last) = name.rsplit_once('.').unwrap_or((name, ""));
        let dotted = |stem: &str| if last.is_empty() { stem.to_string() } else { format!("{stem}.{last}") };
        let linear = ["query", "key", "value", "out", "fc1", "fc2"].iter().any(|part| stem.ends_with(part));
        let transposed = linear && last == "weight";
        let whole = |name: String| Place { name, third: None, transposed };
        let block = stem.strip_prefix("layers.").and_then(|rest| rest.split_once('.'));
        match (self, block) {
            (Naming::HuggingFace, Some((layer, stem))) => {
                let stem = match stem {
                    "norm1" => "layer_norm1",
                    "norm2" => "layer_norm2",
                    "query" => "self_attn.q_proj",
                    "key" => "self_attn.k_proj",
                    "value" => "self_attn.v_proj",
                    "out" => "self_attn.out_proj",
                    "fc1" => "mlp.fc1",
                    _ => "mlp.fc2",
                };
                let tower = if side == Side::Image { "vision" } else { "text" };
                whole(format!("{tower}_model.encoder.layers.{layer}.{}", dotted(stem)))
            }
            (Naming::HuggingFace, None) => {
                let name = hugging_face(side, stem, &dotted);
                Place { name, third: None, transposed: stem == "projection" }
            }
            (Naming::OpenClip(text), Some((layer, stem))) => {
                let tower = if side == Side::Image { "visual." } else { text };
                let name = |stem: &str| format!("{tower}transformer.resblocks.{layer}.{stem}");
                let third = ["query", "key", "value"].iter().position(|part| *part == stem);
                match (third, stem) {
                    (Some(_), _) => Place { name: name(&format!("attn.in_proj_{last}")), third, transposed },
                    (None, "norm1") => whole(name(&dotted("ln_1"))),
                    (None, "norm2") => whole(name(&dotted("ln_2"))),
                    (None, "out") => whole(name(&dotted("attn.out_proj"))),
                    (None, "fc1") => whole(name(&dotted("mlp.c_fc"))),
                    (None, _) => whole(name(&dotted("mlp.c_proj"))),
                }
            }
            (Naming::OpenClip(text), None) => whole(open_clip(side, text, stem, &dotted)),
        }
    }

    /// What all layers' names of a tower start with, before the layer's number.
    pub fn layers(self, side: Side) -> String {
        let place = self.place(side, "layers.0.norm1.weight").name;
        place.split_once("0.").expect("the layer's number").0.to_string()
    }
}

fn hugging_face(side: Side, stem: &str, dotted: &dyn Fn(&str) -> String) -> String {
    match (side, stem) {
        (Side::Image, "patch") => dotted("vision_model.embeddings.patch_embedding"),
        (Side::Image, "class") => "vision_model.embeddings.class_embedding".into(),
        (Side::Image, "position") => "vision_model.embeddings.position_embedding.weight".into(),
        // Misspelt in the original.
        (Side::Image, "norm_pre") => dotted("vision_model.pre_layrnorm"),
        (Side::Image, "norm_post") => dotted("vision_model.post_layernorm"),
        (Side::Image, _) => "visual_projection.weight".into(),
        (Side::Text, "token") => "text_model.embeddings.token_embedding.weight".into(),
        (Side::Text, "position") => "text_model.embeddings.position_embedding.weight".into(),
        (Side::Text, "norm_post") => dotted("text_model.final_layer_norm"),
        (Side::Text, _) => "text_projection.weight".into(),
    }
}

fn open_clip(side: Side, text: &str, stem: &str, dotted: &dyn Fn(&str) -> String) -> String {
    match (side, stem) {
        (Side::Image, "patch") => dotted("visual.conv1"),
        (Side::Image, "class") => "visual.class_embedding".into(),
        (Side::Image, "position") => "visual.positional_embedding".into(),
        (Side::Image, "norm_pre") => dotted("visual.ln_pre"),
        (Side::Image, "norm_post") => dotted("visual.ln_post"),
        (Side::Image, _) => "visual.proj".into(),
        (Side::Text, "token") => format!("{text}token_embedding.weight"),
        (Side::Text, "position") => format!("{text}positional_embedding"),
        (Side::Text, "norm_post") => dotted(&format!("{text}ln_final")),
        (Side::Text, _) => format!("{text}text_projection"),
    }
}
