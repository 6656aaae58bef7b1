//! The library around the engine: files, pictures, victims, defences, attacks, naming, measures and reports.

#![allow(clippy::print_stderr, clippy::print_stdout)]
#![cfg(all(feature = "gpu", feature = "report"))]

#[path = "../common/alone.rs"]
mod alone;
#[path = "../common/bits.rs"]
mod bits;
#[path = "../common/colours.rs"]
mod colours;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/devices.rs"]
mod devices;
#[path = "../common/resumed.rs"]
mod resumed;
#[path = "../common/scene.rs"]
mod scene;
#[path = "../common/seeds.rs"]
mod seeds;
#[path = "../common/watched.rs"]
mod watched;

mod allocator;
mod attack;
mod ball;
mod checkpoint;
mod client;
mod clip;
mod data;
mod decoder;
mod defences;
mod dependencies;
mod eight_bits;
mod exact;
mod generator;
mod generator_file;
mod gradient_file;
mod graph;
mod guidance;
mod html;
mod layers;
mod metrics;
mod mutations;
mod npz;
mod patches;
mod picture_grid;
mod public_weights;
mod report_schema;
mod rounds;
mod seams;
mod semantic;
mod situations;
mod sweep;
mod tensor_file;
mod train;
