//! The program, run as a user runs it: small attacks on the embedded samples, files read back.

#![allow(clippy::print_stderr)]
#![cfg(feature = "cli")]

#[path = "../common/alone.rs"]
mod alone;

mod advise;
mod bad_input;
mod bad_weights;
mod bench;
mod careful;
mod client;
mod compare;
mod config;
mod confirmed;
mod contract;
mod determinism;
mod effects;
mod exact;
mod examples;
mod faults;
mod front_door;
mod guidance;
mod guide;
mod interrupted;
mod isa;
mod knowledge;
mod labels;
mod left_out;
mod library;
mod likeness;
mod meaning;
mod model;
mod model_commands;
mod name;
mod odd_values;
mod options;
mod pairings;
mod public;
mod resumed;
mod rounds;
mod server;
mod shards;
mod slurm;
mod support;
mod sweep;
mod swept_attacks;
mod together;
mod train;
mod train_clip;
mod train_generator;
mod verdict;
mod weights;
