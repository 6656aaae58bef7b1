//! The client's side: a victim model and the update that its training gives away.

pub mod buffers;
pub mod client;
pub mod defence;
mod loss;
mod nearest;
pub mod observed;
mod optimiser;
mod protocol;
pub mod received;
mod request;
mod shares;
mod simulate;
mod victim;
mod victim_error;

pub use client::{Client, ClientError, Update};
pub use loss::ClientLoss;
pub use observed::Kind;
pub use optimiser::LocalOptimiser;
pub use protocol::{Local, MAX_BATCH, Protocol, ProtocolError};
pub use request::{DEFAULT_CLASSES, Request};
pub use shares::{Shares, Slice};
pub use simulate::{Simulation, clip, simulate};
pub use victim::{Victim, state_dict_lists};
pub use victim_error::{VictimError, check_classes};
