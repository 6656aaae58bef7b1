//! The client's side: a victim model and the update that its training gives away.

pub mod client;
pub mod defence;
mod nearest;
pub mod observed;
mod protocol;
mod simulate;
mod victim;

pub use client::{Client, ClientError, Update};
pub use observed::Kind;
pub use protocol::{Local, MAX_BATCH, Protocol, ProtocolError};
pub use simulate::{Simulation, clip, simulate};
pub use victim::{DEFAULT_CLASSES, Request, Victim, VictimError, check_classes, state_dict_lists};
