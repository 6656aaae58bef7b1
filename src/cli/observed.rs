//! What a file from a client holds.

use clap::{Args, ValueEnum};

use crate::federated::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindChoice {
    /// The gradient of one step
    Gradient,
    /// θ_local − θ_server after local training
    Update,
    /// θ_local itself
    Model,
}

/// What the file holds.
#[derive(Args, Clone, Debug, Default)]
pub struct ObservedOptions {
    /// What the file holds, where it does not say itself (default: an update with --local-lr, else a gradient)
    #[arg(long, value_enum)]
    kind: Option<KindChoice>,
}

impl ObservedOptions {
    /// Whether none of them is given.
    pub fn is_default(&self) -> bool {
        self.kind.is_none()
    }

    /// What the options say.
    pub fn kind(&self) -> Option<Kind> {
        self.kind.map(|kind| match kind {
            KindChoice::Gradient => Kind::Gradient,
            KindChoice::Update => Kind::Update,
            KindChoice::Model => Kind::Model,
        })
    }
}
