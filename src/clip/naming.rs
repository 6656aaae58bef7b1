//! Where a tower's tensors stand in a file: Hugging Face's `CLIPModel`, `MetaClip2Model` and `SiglipModel`, or OpenAI's
//! and OpenCLIP's `state_dict`.

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
    /// Those of `transformers`.
    HuggingFace {
        /// A SigLIP, whose image tower has a head of its own.
        siglip: bool,
    },
    /// Those of OpenAI and OpenCLIP.
    OpenClip {
        /// What stands before the text tower's names: nothing, or `text.` in OpenCLIP's later classes.
        text: &'static str,
        /// The image tower is timm's.
        trunk: bool,
        /// The image tower is a ResNet.
        resnet: bool,
        /// Query, key and value of the attentional pooling are parts of one tensor.
        packed: bool,
    },
}

/// A tensor as the file has it, and what of it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    /// Which of how many equal parts along the first axis, as in query, key, value.
    pub part: Option<(usize, usize)>,
    /// A matrix `(out,in)`, as PyTorch's linear layers have it.
    pub transposed: bool,
}

/// Names in this project and in a file; a file's name that ends in `_` has no dot before `weight` and `bias`.
type Table = &'static [(&'static str, &'static str)];

const HF_BLOCK: Table = &[
    ("norm1", "layer_norm1"),
    ("norm2", "layer_norm2"),
    ("query", "self_attn.q_proj"),
    ("key", "self_attn.k_proj"),
    ("value", "self_attn.v_proj"),
    ("out", "self_attn.out_proj"),
    ("fc1", "mlp.fc1"),
    ("fc2", "mlp.fc2"),
];
const HF_IMAGE: Table = &[
    ("patch", "vision_model.embeddings.patch_embedding"),
    ("class", "vision_model.embeddings.class_embedding"),
    ("position", "vision_model.embeddings.position_embedding.weight"),
    // Misspelt in the original.
    ("norm_pre", "vision_model.pre_layrnorm"),
    ("norm_post", "vision_model.post_layernorm"),
    ("projection", "visual_projection.weight"),
    ("latent", "vision_model.head.probe"),
    ("pool_query", "vision_model.head.attention.in_proj_"),
    ("pool_key", "vision_model.head.attention.in_proj_"),
    ("pool_value", "vision_model.head.attention.in_proj_"),
    ("pool_out", "vision_model.head.attention.out_proj"),
    ("pool_norm", "vision_model.head.layernorm"),
    ("pool_fc1", "vision_model.head.mlp.fc1"),
    ("pool_fc2", "vision_model.head.mlp.fc2"),
];
const HF_TEXT: Table = &[
    ("token", "text_model.embeddings.token_embedding.weight"),
    ("position", "text_model.embeddings.position_embedding.weight"),
    ("norm_post", "text_model.final_layer_norm"),
    ("projection", "text_projection.weight"),
];
const OPEN_BLOCK: Table = &[
    ("norm1", "ln_1"),
    ("norm2", "ln_2"),
    ("query", "attn.in_proj_"),
    ("key", "attn.in_proj_"),
    ("value", "attn.in_proj_"),
    ("out", "attn.out_proj"),
    ("fc1", "mlp.c_fc"),
    ("fc2", "mlp.c_proj"),
    ("scale1", "ls_1.gamma"),
    ("scale2", "ls_2.gamma"),
];
const OPEN_IMAGE: Table = &[
    ("patch", "visual.conv1"),
    ("class", "visual.class_embedding"),
    ("position", "visual.positional_embedding"),
    ("norm_pre", "visual.ln_pre"),
    ("norm_post", "visual.ln_post"),
    ("projection", "visual.proj"),
    ("latent", "visual.attn_pool.query"),
    ("pool_out", "visual.attn_pool.attn.out_proj"),
    ("pool_norm_q", "visual.attn_pool.ln_q"),
    ("pool_norm_k", "visual.attn_pool.ln_k"),
];
const OPEN_TEXT: Table = &[
    ("token", "token_embedding.weight"),
    ("class", "cls_emb"),
    ("position", "positional_embedding"),
    ("norm_post", "ln_final"),
    ("projection", "text_projection"),
];
const TIMM_BLOCK: Table = &[
    ("norm1", "norm1"),
    ("norm2", "norm2"),
    ("query", "attn.qkv"),
    ("key", "attn.qkv"),
    ("value", "attn.qkv"),
    ("out", "attn.proj"),
    ("fc1", "mlp.fc1"),
    ("fc2", "mlp.fc2"),
];
const TIMM_IMAGE: Table = &[
    ("patch", "visual.trunk.patch_embed.proj"),
    ("position", "visual.trunk.pos_embed"),
    ("norm_post", "visual.trunk.norm"),
    ("latent", "visual.trunk.attn_pool.latent"),
    ("pool_query", "visual.trunk.attn_pool.q"),
    ("pool_key", "visual.trunk.attn_pool.kv"),
    ("pool_value", "visual.trunk.attn_pool.kv"),
    ("pool_out", "visual.trunk.attn_pool.proj"),
    ("pool_norm", "visual.trunk.attn_pool.norm"),
    ("pool_fc1", "visual.trunk.attn_pool.mlp.fc1"),
    ("pool_fc2", "visual.trunk.attn_pool.mlp.fc2"),
];

impl Naming {
    /// The naming that most of the file's tensors fit; `None` if it has neither.
    pub fn of(file: &TensorFile) -> Option<Naming> {
        let names = || file.tensors.keys().chain(file.non_float.keys());
        let has = |name: &str| file.tensors.contains_key(name) || file.non_float.contains_key(name);
        let any = |start: &str| names().any(|name| name.starts_with(start));
        let trunk = any("visual.trunk.blocks.") && any("visual.trunk.attn_pool.");
        let resnet = any("visual.layer1.") || any("visual.attnpool.");
        if any("vision_model.") || any("text_model.") {
            Some(Naming::HuggingFace { siglip: any("vision_model.head.") })
        } else if has("visual.conv1.weight") || any("visual.transformer.") || trunk || resnet {
            let text = if any("text.transformer.") { "text." } else { "" };
            let packed = has("visual.attn_pool.attn.in_proj_weight");
            Some(Naming::OpenClip { text, trunk, resnet, packed })
        } else {
            None
        }
    }

    /// Whether the image tower is SigLIP's.
    pub fn is_siglip(self) -> bool {
        matches!(self, Naming::HuggingFace { siglip: true } | Naming::OpenClip { trunk: true, .. })
    }

    /// Where a tower's tensor stands, given its name here (see `parts`).
    pub fn place(self, side: Side, name: &str) -> Place {
        let in_layer = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.'));
        let (layer, rest) = in_layer.map_or((None, name), |(layer, rest)| (Some(layer), rest));
        let (part, last) = rest.rsplit_once('.').unwrap_or((rest, ""));
        let (tower, table): (String, Table) = match (self, side, layer) {
            (Naming::HuggingFace { .. }, Side::Image, Some(layer)) => {
                (format!("vision_model.encoder.layers.{layer}."), HF_BLOCK)
            }
            (Naming::HuggingFace { .. }, Side::Text, Some(layer)) => {
                (format!("text_model.encoder.layers.{layer}."), HF_BLOCK)
            }
            (Naming::HuggingFace { .. }, Side::Image, None) => (String::new(), HF_IMAGE),
            (Naming::HuggingFace { .. }, Side::Text, None) => (String::new(), HF_TEXT),
            (Naming::OpenClip { trunk: true, .. }, Side::Image, Some(layer)) => {
                (format!("visual.trunk.blocks.{layer}."), TIMM_BLOCK)
            }
            (Naming::OpenClip { trunk: true, .. }, Side::Image, None) => (String::new(), TIMM_IMAGE),
            (Naming::OpenClip { .. }, Side::Image, Some(layer)) => {
                (format!("visual.transformer.resblocks.{layer}."), OPEN_BLOCK)
            }
            (Naming::OpenClip { text, .. }, Side::Text, Some(layer)) => {
                (format!("{text}transformer.resblocks.{layer}."), OPEN_BLOCK)
            }
            (Naming::OpenClip { .. }, Side::Image, None) => (String::new(), OPEN_IMAGE),
            (Naming::OpenClip { text, .. }, Side::Text, None) => (text.into(), OPEN_TEXT),
        };
        let found = self
            .exception(part, last)
            .or_else(|| table.iter().find(|(ours, _)| *ours == part).map(|(_, theirs)| theirs.to_string()));
        let theirs = found.unwrap_or_else(|| part.into());
        let matrix = ["query", "key", "value", "out", "fc1", "fc2", "projection"];
        let linear = matrix.iter().any(|end| part.ends_with(end)) && last == "weight";
        let hugging_projection = part == "projection" && matches!(self, Naming::HuggingFace { .. });
        Place {
            part: parts(&theirs, part),
            name: match (last.is_empty(), theirs.ends_with('_')) {
                (true, _) => format!("{tower}{theirs}"),
                (false, true) => format!("{tower}{theirs}{last}"),
                (false, false) => format!("{tower}{theirs}.{last}"),
            },
            transposed: linear || hugging_projection && last != "bias",
        }
    }

    /// Names that depend on more than the table.
    fn exception(self, part: &str, last: &str) -> Option<String> {
        match (self, part) {
            // SigLIP's projection of a text is its head.
            (Naming::HuggingFace { siglip: true }, "projection") => Some("text_model.head".into()),
            (Naming::OpenClip { trunk: false, packed, .. }, "pool_query" | "pool_key" | "pool_value") => {
                let apart = !packed && last == "weight";
                let letter = &part["pool_".len()..][..1];
                let name = if apart { format!("{letter}_proj_") } else { "in_proj_".into() };
                Some(format!("visual.attn_pool.attn.{name}"))
            }
            _ => None,
        }
    }

    /// What all layers' names of a tower start with, before the layer's number.
    pub fn layers(self, side: Side) -> String {
        let place = self.place(side, "layers.0.norm1.weight").name;
        place.split_once("0.").expect("the layer's number").0.to_string()
    }
}

/// Which part of a file's tensor is ours.
fn parts(theirs: &str, part: &str) -> Option<(usize, usize)> {
    let index = ["query", "key", "value"].iter().position(|end| part.ends_with(end))?;
    match theirs {
        name if name.ends_with("in_proj_") || name.ends_with(".qkv") => Some((index, 3)),
        name if name.ends_with(".kv") => Some((index - 1, 2)),
        _ => None,
    }
}
