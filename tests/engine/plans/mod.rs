//! Plans mean what their tapes mean: random graphs against a plain interpreter, buffers that are never
//! overwritten too early, state over many replays, and the plans of whole attacks.

mod attacks;
mod equivalence;
mod factors;
mod graph_contractions;
mod graph_ops;
mod graph_states;
mod in_place;
mod interpreter;
mod liveness;
mod prologue;
mod random_graph;
mod regressions;
mod replay;
mod schedule;
mod single_precision;
mod sums;
mod turned;
