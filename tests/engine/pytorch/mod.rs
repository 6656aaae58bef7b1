//! Results of PyTorch in `f64`, compared on every device. `tests/fixtures/make_*.py` made them.

mod families;
mod family;
mod formula;
mod generators;
mod gradients;
mod graphs;
mod layers;
mod local_training;
mod lpips;
mod matching;
mod objectives;
mod operations;
mod public_weights;
mod sketched;
mod state_dicts;
mod trials;
mod victim;
