//! The program, run as a user runs it: small attacks on the embedded samples, files read back.

#![allow(clippy::print_stderr)]
#![cfg(feature = "cli")]

mod advise;
mod bad_input;
mod bad_weights;
mod bench;
mod careful;
mod client;
mod config;
mod contract;
mod determinism;
mod effects;
mod exact;
mod examples;
mod guidance;
mod guide;
mod interrupted;
mod isa;
mod knowledge;
mod labels;
mod left_out;
mod library;
mod meaning;
mod model;
mod model_commands;
mod name;
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
mod train;
mod train_clip;
mod verdict;
mod weights;
