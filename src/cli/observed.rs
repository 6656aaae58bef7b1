//! What a file from a client holds.

use clap::Args;

use super::{help::group, spelled::spelled};
use crate::federated::Kind;

/// What the file holds.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::INPUT)]
pub(crate) struct ObservedOptions {
    /// What the gradient file holds, where it does not say itself
    ///
    /// Without it an update where there is --local-lr, else a gradient.
    #[arg(long, value_parser = spelled::<Kind>())]
    kind: Option<Kind>,
    /// Attack the file as what it is said to be, even where its own numbers speak against that
    #[arg(long)]
    pub trust_file: bool,
}

impl ObservedOptions {
    /// Whether none of them is given.
    pub(crate) fn is_default(&self) -> bool {
        self.kind.is_none() && !self.trust_file
    }

    /// The option alone.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.kind
    }
}
