//! Results of PyTorch in `f64`, compared on every device. `tests/fixtures/make_*.py` made them.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/devices.rs"]
mod devices;

mod gradients;
mod layers;
mod matching;
mod operations;
mod trials;
mod victim;
