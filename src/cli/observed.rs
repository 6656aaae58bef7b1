//! What a file from a client holds, and what it is worth.

use std::{
    io::{self, Write},
    path::Path,
};

use clap::Args;

use super::{help::group, misuse, note, spelled::spelled};
use crate::{
    attack::{
        labels::{Suspicion, check_gradient, sign_and_scale},
        last_layer::last_layer,
    },
    federated::{Kind, Protocol, Victim, received::Received},
    tensor_file::{GradientFile, GradientInfo, PositionReport},
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
    /// Attack the file as what it is said to be, even where its own numbers speak against that
    #[arg(long)]
    trust_file: bool,
}

impl ObservedOptions {
    /// Whether none of them is given.
    pub fn is_default(&self) -> bool {
        self.kind.is_none() && !self.trust_file
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

    /// What the file comes to, of `batch` pictures; its buffers must be there if they are `wanted`.
    pub fn read(
        &self,
        file: GradientFile,
        victim: &Victim,
        protocol: &Protocol,
        kind: Kind,
        batch: usize,
        wanted: bool,
    ) -> anyhow::Result<Received> {
        let path = file.file.path.clone();
        let received = Received::read(file, victim, protocol, kind, batch, wanted)?;
        received.notes.iter().for_each(|text| note(&format!("{}: {text}", path.display())));
        Ok(received)
    }

    /// What the last layer shows of a wrong sign or scale: an update passed as a gradient, or the reverse. Where it
    /// decides against the sign, the file is refused unless it is trusted.
    pub fn check_sign(
        &self,
        victim: &Victim,
        gradient: &[Vec<f32>],
        batch: usize,
        path: &Path,
    ) -> anyhow::Result<()> {
        let layer = match last_layer(victim, gradient) {
            Ok(layer) => layer,
            Err(error) => anyhow::bail!("{}: {error}", path.display()),
        };
        let found = sign_and_scale(&layer, batch);
        if found.is_reversed() && !self.trust_file {
            anyhow::bail!(
                "{}: {found}. Give another --kind or --local-lr, or --trust-file if the file is what you say",
                path.display()
            );
        }
        let noise = gradient.get(victim.last_weight() + 1).map_or(vec![], |bias| check_gradient(bias, batch));
        let noise =
            noise.iter().filter(|s| matches!(s, Suspicion::SumNotZero { .. })).map(ToString::to_string);
        for text in found.warning().into_iter().chain(noise) {
            let _ = writeln!(io::stderr(), "warning: {}: {text}", path.display());
        }
        Ok(())
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
