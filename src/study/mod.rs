//! Measurements over many batches, each one table: how well labels are restored ([`labels`]), what leaks past defences
//! ([`defences`]) and which of these to take ([`advice`]), how well a model names data sets ([`names`]), what names look
//! like to it ([`pulls`]), what names add that guide a reconstruction ([`guidance`]), and
//! which comparison tells true names ([`hypotheses`]).

pub mod advice;
pub mod defences;
pub mod guidance;
pub mod hypotheses;
pub mod labels;
pub mod names;
pub mod pulls;

pub use advice::Advisor;
pub use defences::DefenceStudy;
pub use guidance::GuidanceStudy;
pub use hypotheses::HypothesesStudy;
pub use labels::LabelStudy;
pub use names::NameStudy;
pub use pulls::{PullError, PullStudy};
