//! CLIP (Radford 2021): pictures and words as vectors that can be compared, on the engine.
//!
//! A file's weights are read in Hugging Face's or in OpenCLIP's names (`naming`), its sizes from the shapes of
//! its tensors, and what shapes do not say from the JSON beside it ([`config`]). Both towers are pre-norm
//! transformers (`transformer`) of frozen weights; the image tower is differentiable down to the pixel, from any
//! picture size ([`preprocess`]). [`zero_shot`] names pictures with any [`Encoder`].

mod assumed;
mod bank;
pub mod builtin;
pub mod calibration;
mod checks;
pub mod conditions;
pub mod config;
mod encoder;
mod error;
mod examples;
mod head;
mod image;
mod image_tower;
mod looks_like;
mod model;
mod naming;
mod parts;
mod pooling;
pub mod preprocess;
mod prototypes;
pub mod resize;
mod resnet;
mod resnet_tensors;
mod similarity;
mod taken;
pub mod templates;
mod text;
mod timm;
pub mod tokens;
mod tower;
mod transformer;
mod vocabulary;
mod weights;
pub mod zero_shot;

pub use bank::{About, Bank, ConceptSet};
pub use config::{Activation, Pool, Sources};
pub use encoder::{Encoder, ImageEncoder, NameFeatures};
pub use error::ClipError;
pub use examples::Examples;
pub use head::Head;
pub use image_tower::ImageTower;
pub use model::Clip;
pub use naming::Naming;
pub use prototypes::{HeldOut, Prototypes};
pub use similarity::cosine;
pub use templates::Templates;
pub use tokens::Tokens;
pub use vocabulary::Vocabulary;
