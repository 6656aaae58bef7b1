//! Results of PyTorch in `f64`, compared on every device. `tests/fixtures/make_*.py` made them.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/devices.rs"]
mod devices;

mod families;
mod family;
mod formula;
mod gradients;
mod layers;
mod matching;
mod operations;
mod sketched;
mod state_dicts;
mod trials;
mod victim;
