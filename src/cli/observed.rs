//! What a file from a client holds, and what it is worth.

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use clap::Args;

use super::{help::group, misuse, spelled::spelled};
use crate::{
    attack::labels::{Suspicion, check_gradient},
    federated::{Kind, Protocol, Victim, observed::mean_gradient, state_dict_lists},
    tensor_file::{Extra, GradientFile, GradientInfo, PositionReport},
};

/// What the file holds.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::INPUT)]
pub struct ObservedOptions {
    /// What the gradient file holds, where it does not say itself
    ///
    /// Without it an update where there is --local-lr, else a gradient.
    #[arg(long, value_parser = spelled::<Kind>())]
    kind: Option<Kind>,
}

/// The mean gradient, and the buffers that were sent with it.
pub type Observed = (Vec<Vec<f32>>, Option<Vec<Vec<f32>>>);

/// Buffers whose last part is one of these may stand beside gradients.
const BUFFERS: [&str; 2] = ["running_mean", "running_var"];

impl ObservedOptions {
    /// Whether none of them is given.
    pub fn is_default(&self) -> bool {
        self.kind.is_none()
    }

    /// # Errors
    /// The option contradicts the file.
    pub fn kind(&self, info: &GradientInfo, path: &Path, protocol: &Protocol) -> anyhow::Result<Kind> {
        let said = info.kind.as_deref().and_then(|kind| kind.parse::<Kind>().ok());
        match (said, self.kind) {
            (Some(said), Some(asked)) if said != asked => Err(misuse(format!(
                "{}: the file holds {} ('kind' in its metadata), --kind says {}",
                path.display(),
                said.name(),
                asked.name()
            ))),
            _ => Ok(said.or(self.kind).unwrap_or(if protocol.local.is_some() {
                Kind::Update
            } else {
                Kind::Gradient
            })),
        }
    }

    /// The file's tensors as the mean gradient; and its buffers, which must be there if they are `wanted`.
    pub fn read(
        &self,
        file: GradientFile,
        victim: &Victim,
        protocol: &Protocol,
        kind: Kind,
        batch: usize,
        wanted: bool,
    ) -> anyhow::Result<Observed> {
        let lists = state_dict_lists(&victim.declarations);
        let of_kind = if kind == Kind::Gradient { &lists[2..] } else { &lists[..] };
        let (file, positions) = file.by_name(of_kind)?;
        say_positions(&file.file.path, positions.as_ref());
        let sent = file.file.parameters(&victim.gradient_specs(), Extra::Allow(&BUFFERS))?;
        let buffers = match wanted {
            true => Some(
                file.file
                    .parameters(&victim.buffer_specs(), Extra::Any)
                    .context("the batch-norm statistics of the client (capture --send-buffers)")?,
            ),
            false => None,
        };
        let sent = sent.into_iter().map(|t| t.data).collect();
        let gradient = mean_gradient(victim, protocol, kind, batch, sent);
        Ok((gradient, buffers.map(|b| b.into_iter().map(|t| t.data).collect())))
    }
}

/// Arrays without names were taken in order: says for what.
pub fn say_positions(path: &Path, positions: Option<&PositionReport>) {
    if let Some(report) = positions {
        let _ = writeln!(io::stderr(), "{}: {report}", path.display());
    }
}

/// An update needs the local training that made it, a gradient has none.
pub fn check_kind(kind: Kind, protocol: &Protocol) -> anyhow::Result<()> {
    match (kind, protocol.local) {
        (Kind::Gradient, Some(_)) => Err(misuse(
            "a gradient comes from one step: leave out --local-steps and --local-lr, or give --kind update",
        )),
        (Kind::Update | Kind::Model, None) => Err(misuse(format!(
            "{} is what local training makes: give --local-steps and --local-lr",
            if kind == Kind::Update { "an update" } else { "a trained model" }
        ))),
        _ => Ok(()),
    }
}

/// What the last bias shows of a wrong sign or scale: an update passed as a gradient, or the reverse.
/// Noise makes the bias gradient's sum differ from 0: then its signs prove nothing, and there is a warning.
pub fn check_sign(victim: &Victim, gradient: &[Vec<f32>], batch: usize, path: &Path) -> anyhow::Result<()> {
    let Some(bias) = gradient.get(victim.last_weight() + 1) else { return Ok(()) };
    let mut found = check_gradient(bias, batch);
    let noisy = found.iter().any(|s| matches!(s, Suspicion::SumNotZero { .. }));
    // The plainest first.
    found.sort_by_key(|s| !matches!(s, Suspicion::Reversed { .. }));
    for suspicion in found {
        match suspicion {
            Suspicion::Reversed { .. } | Suspicion::Scale { .. } if !noisy => {
                anyhow::bail!("{}: {suspicion}: is it an update, or another --kind?", path.display());
            }
            _ => {
                let _ = writeln!(io::stderr(), "warning: {}: {suspicion}", path.display());
            }
        }
    }
    Ok(())
}
