//! What the client does to protect itself.

use clap::Args;

use super::{help::group, misuse};
use crate::federated::{
    Protocol,
    defence::{Defence, client_protocol, parse},
};

/// The client's defence.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::CLIENT)]
pub(crate) struct DefenceOptions {
    /// Defences of the client, in this order, as in noise:1e-2,clip:1.0
    ///
    /// noise:S, laplace:S, clip:C, dp-sgd:C:M, top-k:SHARE, sign or soteria:SHARE, separated by commas.
    #[arg(long, value_name = "D,D")]
    defence: Option<String>,
    /// The eavesdropper knows the defence and adapts to it
    #[arg(long)]
    pub adaptive: bool,
}

impl DefenceOptions {
    /// # Errors
    /// Defences that cannot be read, or do not fit the protocol.
    pub(crate) fn defences(&self, protocol: &Protocol) -> anyhow::Result<Vec<Defence>> {
        let defences = match &self.defence {
            Some(text) => parse(text).map_err(|error| misuse(format!("--defence: {error}")))?,
            None if self.adaptive => return Err(misuse("--adaptive needs a --defence to adapt to")),
            None => vec![],
        };
        check(protocol, &defences)?;
        Ok(defences)
    }
}

/// # Errors
/// Defences that do not fit the protocol.
pub(crate) fn check(protocol: &Protocol, defences: &[Defence]) -> anyhow::Result<()> {
    client_protocol(protocol, defences)
        .and_then(|defended| defended.check(defended.clients.least()))
        .map_err(|error| misuse(format!("--defence: {error}")))
}
