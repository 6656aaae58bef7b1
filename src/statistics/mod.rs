//! How sure a figure is: estimates with 95 % intervals that cover, and a correction for many tests.
//!
//! The unit is what was drawn independently: the batch. Pictures of one batch share a gradient and an attack, so values
//! within a batch are averaged before an interval is made of them.

mod estimate;
mod holm;
mod mean;
mod paired;
mod share;

pub use estimate::{Estimate, FEWEST, Few};
pub use holm::holm;
pub use mean::mean_interval_95;
pub use paired::paired_p_value;
pub use share::{fraction_interval_95, fraction_p_value, share_interval_95};
