//! What a tower consists of, as its tensors show, and what these are called here.

use super::naming::{Naming, Side};
use crate::tensor_file::TensorFile;

/// What every block has, with a weight and a bias each.
const BLOCK: [&str; 8] = ["norm1", "query", "key", "value", "out", "norm2", "fc1", "fc2"];

/// From the last token's width to that of the space that pictures and words share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// They are the same.
    None,
    Matrix,
    /// A matrix and a bias.
    Linear,
}

/// Attention of learned queries over a picture's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// CoCa's, of several queries, with norms in front (Yu 2022).
    Norms,
    /// SigLIP's, of one query, with a hidden layer behind (Zhai 2022, "MAP").
    Hidden,
}

/// Tensors have names of their own here, the same for all files: `patch.weight` `(D,3,P,P)`, `class` `(D)`, `token`
/// `(V,D)`, `position` `(L,D)`, `norm_pre`, `layers.0.norm1` and so on, `norm_post`, `latent` `(Q,D)` and `pool_query`
/// and so on of the attentional pooling, `projection` `(D,E)`. Matrices are `(in,out)`: activations stand on their left, and products read
/// their right side along its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub side: Side,
    /// A learned token, in front of a picture's patches or, in CoCa, behind a text.
    pub class: bool,
    pub patch_bias: bool,
    pub norm_pre: bool,
    pub layer_scale: bool,
    pub pooler: Option<Pooler>,
    pub projection: Projection,
}

impl Parts {
    /// Of a file with these names. Hugging Face's classes are always whole; OpenCLIP's have what their tensors show.
    pub fn of(file: &TensorFile, naming: Naming, side: Side) -> Parts {
        let has = |name: &str| {
            let name = naming.place(side, name).name;
            file.tensors.contains_key(&name) || file.non_float.contains_key(&name)
        };
        let linear = has("projection.weight") && !has("projection");
        let siglip = naming.is_siglip();
        let image = side == Side::Image;
        match naming {
            Naming::HuggingFace { .. } => Parts {
                side,
                class: image && !siglip,
                patch_bias: image && siglip,
                norm_pre: image && !siglip,
                layer_scale: false,
                pooler: (image && siglip).then_some(Pooler::Hidden),
                projection: match (siglip, side) {
                    (false, _) => Projection::Matrix,
                    (true, Side::Image) => Projection::None,
                    (true, Side::Text) => Projection::Linear,
                },
            },
            Naming::OpenClip { trunk, .. } => Parts {
                side,
                class: if image { !trunk } else { has("class") },
                patch_bias: image && trunk,
                norm_pre: image && !trunk && (has("norm_pre.weight") || has("norm_pre.bias")),
                layer_scale: has("layers.0.scale1") || has("layers.0.scale2"),
                pooler: match (image && trunk, image && has("latent")) {
                    (true, _) => Some(Pooler::Hidden),
                    (false, true) => Some(Pooler::Norms),
                    (false, false) => None,
                },
                projection: match (image && trunk, linear, has("projection")) {
                    (true, ..) => Projection::None,
                    (false, true, _) => Projection::Linear,
                    (false, false, true) => Projection::Matrix,
                    // An image tower's is always there; a text tower may do without.
                    (false, false, false) if image => Projection::Matrix,
                    (false, false, false) => Projection::None,
                },
            },
        }
    }

    /// All names of a tower with so many layers.
    pub fn names(&self, layers: usize) -> Vec<String> {
        let both = |stem: &str| ["weight", "bias"].map(|last| format!("{stem}.{last}"));
        let mut names: Vec<String> = vec![];
        match self.side {
            Side::Image => names.extend(["patch.weight", "position"].map(String::from)),
            Side::Text => names.extend(["token", "position"].map(String::from)),
        }
        names.extend(self.class.then(|| "class".into()));
        names.extend(self.patch_bias.then(|| "patch.bias".into()));
        if self.norm_pre {
            names.extend(both("norm_pre"));
        }
        for layer in 0..layers {
            names.extend(BLOCK.iter().flat_map(|part| both(&format!("layers.{layer}.{part}"))));
            if self.layer_scale {
                names.extend(["scale1", "scale2"].map(|part| format!("layers.{layer}.{part}")));
            }
        }
        names.extend(both("norm_post"));
        if let Some(pooler) = self.pooler {
            let own: &[&str] = match pooler {
                Pooler::Norms => &["pool_norm_q", "pool_norm_k"],
                Pooler::Hidden => &["pool_norm", "pool_fc1", "pool_fc2"],
            };
            names.push("latent".into());
            names.extend(
                ["pool_query", "pool_key", "pool_value", "pool_out"].iter().flat_map(|part| both(part)),
            );
            names.extend(own.iter().flat_map(|part| both(part)));
        }
        match self.projection {
            Projection::None => {}
            Projection::Matrix => names.push("projection".into()),
            Projection::Linear => names.extend(both("projection")),
        }
        names
    }
}
