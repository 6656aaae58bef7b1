//! The registry of victims. A new architecture is one file and one line here.

use super::{
    Network, Options,
    cifar_resnet::CifarResNet,
    convnet::ConvNet,
    lenet_zhu::LeNetZhu,
    lenet5::LeNet5,
    mlp::Mlp,
    options::{Activation, Stem},
    resnet::ResNet,
    resnet9::ResNet9,
    vgg::Vgg,
    vit::Vit,
};
use crate::{spelling::did_you_mean, tape::Var};

/// How deep a network is, as far as attacks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// So few layers, without pooling, that fine structure is told by the gradient and noise with it: presets smooth
    /// more.
    Shallow,
    /// So many layers, or pooling, that the gradient says less of fine structure.
    Deep,
}

/// A network that can be attacked.
pub trait Architecture: Send + Sync {
    /// The forward pass: `x (T,B,C,H,W) → logits (T,B,K)`, declaring parameters in `state_dict` order.
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var;

    /// `[C, H, W]` of one image, where nothing else says.
    fn default_image(&self) -> [usize; 3] {
        [3, 32, 32]
    }

    /// Whether the parameters fit images of every size.
    fn any_size(&self) -> bool {
        false
    }

    /// Smallest height and width.
    fn smallest_side(&self) -> usize {
        1
    }

    /// Names of the [`Options`] that this architecture takes.
    fn options(&self) -> &'static [&'static str];

    /// The function between layers, where the options choose no other.
    fn activation(&self) -> Activation {
        Activation::Relu
    }

    /// How deep the network is, for presets.
    fn depth(&self) -> Depth {
        Depth::Deep
    }

    /// Where pictures become tokens, if they do.
    fn patch_embedding(&self) -> Option<PatchEmbedding> {
        None
    }

    /// The last linear layer, where it is not the last tensor of two axes and what follows it.
    fn last_layer(&self) -> Option<LastLayer> {
        None
    }
}

/// A convolution of patches that do not overlap, and the learned positions that are added to its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchEmbedding {
    /// `(D,C,ph,pw)`
    pub weight: String,
    /// `(1,L,D)`: patches in rows, after the first.
    pub positions: String,
    /// Tokens before the patches, as a class token.
    pub first: usize,
    /// `[ph, pw]`
    pub patch: [usize; 2],
}

/// Names of the last linear layer's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLayer {
    /// `(K,d)`
    pub weight: String,
    /// `(K)`
    pub bias: Option<String>,
}

/// Names as users write them.
pub const NAMES: [&str; 21] = [
    "lenet-zhu",
    "convnet<width>, e.g. convnet64",
    "lenet5",
    "mlp",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet20",
    "resnet32",
    "resnet56",
    "resnet9-<width>, e.g. resnet9-32",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
    "vit_b_16",
    "vit_tiny",
];

/// Hidden widths of an MLP that is told nothing else.
const DEFAULT_HIDDEN: [usize; 1] = [512];

/// Why a model cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ArchitectureError {
    /// The user named an architecture that is not in the registry.
    #[error("unknown architecture '{0}'{meant}; known are: {known}", meant = did_you_mean(.0, &NAMES), known = NAMES.join("; "))]
    Unknown(String),
    /// An option or a size does not fit the architecture: the user's mistake.
    #[error("architecture '{name}': {reason}")]
    Invalid {
        /// The architecture.
        name: String,
        /// What does not fit.
        reason: String,
    },
}

/// Of the architecture of this name.
pub fn depth(name: &str) -> Depth {
    architecture(name, &Options::default()).map_or(Depth::Deep, |found| found.depth())
}

/// The architecture of this name.
///
/// # Errors
/// An unknown name, a size in the name that makes no sense, or an option that makes none or that the architecture does
/// not take.
pub fn architecture(name: &str, options: &Options) -> Result<Box<dyn Architecture>, ArchitectureError> {
    let stem = options.stem.unwrap_or(Stem::Imagenet);
    let resnet = |blocks, bottleneck| Box::new(ResNet { blocks, bottleneck, stem });
    let vgg = |blocks| Box::new(Vgg { blocks, normalised: name.ends_with("_bn") });
    let found: Box<dyn Architecture> = match name {
        "lenet-zhu" => Box::new(LeNetZhu),
        "lenet5" => Box::new(LeNet5),
        "mlp" => Box::new(Mlp { hidden: options.hidden.clone().unwrap_or(DEFAULT_HIDDEN.to_vec()) }),
        "resnet18" => resnet([2, 2, 2, 2], false),
        "resnet34" => resnet([3, 4, 6, 3], false),
        "resnet50" => resnet([3, 4, 6, 3], true),
        "resnet20" => Box::new(CifarResNet { blocks: 3 }),
        "resnet32" => Box::new(CifarResNet { blocks: 5 }),
        "resnet56" => Box::new(CifarResNet { blocks: 9 }),
        "vgg11" | "vgg11_bn" => vgg([1, 1, 2, 2, 2]),
        "vgg13" | "vgg13_bn" => vgg([2, 2, 2, 2, 2]),
        "vgg16" | "vgg16_bn" => vgg([2, 2, 3, 3, 3]),
        "vgg19" | "vgg19_bn" => vgg([2, 2, 4, 4, 4]),
        "vit_b_16" => Box::new(Vit::B16),
        "vit_tiny" => Box::new(Vit::TINY),
        _ => match (name.strip_prefix("convnet"), name.strip_prefix("resnet9")) {
            (Some(width), _) => Box::new(ConvNet::new(name, width)?),
            (_, Some(width)) => Box::new(ResNet9::new(name, width)?),
            _ => return Err(ArchitectureError::Unknown(name.into())),
        },
    };
    match options.check_for(&*found) {
        Err(reason) => Err(ArchitectureError::Invalid { name: name.into(), reason }),
        Ok(()) => Ok(found),
    }
}
