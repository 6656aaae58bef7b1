//! Exact attacks: against an independent implementation, on whole victims, and on what they must refuse.

mod fixture;
mod refused;
mod victims;
