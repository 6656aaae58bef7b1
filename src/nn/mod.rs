//! Networks as tape composites: layers, losses and the victims' architectures.

pub mod architecture;
pub mod attention;
mod cifar_resnet;
pub mod contrastive;
mod convnet;
pub mod gelu;
pub mod generator;
pub mod graph;
mod init;
pub mod layer_norm;
mod layers;
mod lenet5;
mod lenet_zhu;
pub mod loss;
mod mlp;
mod model;
mod network;
mod norm;
pub mod optimiser;
pub mod options;
mod pool;
mod resnet;
mod resnet9;
pub mod scale;
mod vgg;
pub mod vit;

pub use architecture::{Architecture, ArchitectureError, Depth, LastLayer, PatchEmbedding};
pub use init::{Init, drawn, initialise};
pub use model::{MAX_CLASSES, MAX_SIDE, Model, Pass};
pub use network::{Declaration, LinearLayer, Mode, Network, Parameter, Statistics};
pub use options::Options;
