//! What a file from a client holds, and what it is worth.

use std::path::Path;

use super::AuditError;
use crate::{
    attack::labels::{Suspicion, check_gradient},
    federated::{Kind, Protocol, Victim, observed::mean_gradient, state_dict_lists},
    tensor_file::{Extra, GradientFile, GradientInfo, PositionReport},
    watch::Watch,
};

/// Buffers whose last part is one of these may stand beside gradients.
const BUFFERS: [&str; 2] = ["running_mean", "running_var"];

/// What was read of a file.
pub struct Sent {
    /// The mean gradient of the client's steps, one tensor a trainable parameter.
    pub gradient: Vec<Vec<f32>>,
    /// The buffers that were sent with it, where they were wanted.
    pub buffers: Option<Vec<Vec<f32>>>,
}

/// What the file holds: as it says, or the user; else an update after local training, or a gradient.
///
/// # Errors
/// The user contradicts the file, or an update has no local training that made it.
pub fn kind_of(
    said: Option<Kind>,
    info: &GradientInfo,
    path: &Path,
    protocol: &Protocol,
) -> Result<Kind, AuditError> {
    let in_file = info.kind.as_deref().and_then(|kind| kind.parse::<Kind>().ok());
    let kind = match (in_file, said) {
        (Some(in_file), Some(said)) if in_file != said => {
            return Err(AuditError::Misuse(format!(
                "{}: the file holds {} ('kind' in its metadata), --kind says {}",
                path.display(),
                in_file.name(),
                said.name()
            )));
        }
        _ => in_file.or(said).unwrap_or(match protocol.local {
            Some(_) => Kind::Update,
            None => Kind::Gradient,
        }),
    };
    match (kind, protocol.local) {
        (Kind::Gradient, Some(_)) => Err(AuditError::misuse(
            "a gradient comes from one step: leave out --local-steps and --local-lr, or give --kind update",
        )),
        (Kind::Update | Kind::Model, None) => Err(AuditError::Misuse(format!(
            "{} is what local training makes: give --local-steps and --local-lr",
            if kind == Kind::Update { "an update" } else { "a trained model" }
        ))),
        _ => Ok(kind),
    }
}

impl Sent {
    /// The file's tensors; `wanted`: its buffers must be there, too.
    pub fn read(
        file: GradientFile,
        victim: &Victim,
        protocol: &Protocol,
        kind: Kind,
        wanted: bool,
        watch: &dyn Watch,
    ) -> Result<Sent, AuditError> {
        let lists = state_dict_lists(&victim.declarations);
        let of_kind = if kind == Kind::Gradient { &lists[2..] } else { &lists[..] };
        let (file, positions) = file.by_name(of_kind)?;
        note_positions(&file.file.path, positions.as_ref(), watch);
        let sent = file.file.parameters(&victim.gradient_specs(), Extra::Allow(&BUFFERS))?;
        let buffers = wanted.then(|| file.file.parameters(&victim.buffer_specs(), Extra::Any)).transpose();
        let buffers = buffers.map_err(|cause| AuditError::Within {
            what: "the batch-norm statistics of the client (capture --send-buffers)".into(),
            cause: Box::new(cause.into()),
        })?;
        let sent = sent.into_iter().map(|t| t.data).collect();
        let gradient = mean_gradient(victim, protocol, kind, sent);
        Ok(Sent { gradient, buffers: buffers.map(|b| b.into_iter().map(|t| t.data).collect()) })
    }

    /// What the last bias shows of a wrong sign or scale: an update passed as a gradient, or the reverse. Noise makes the
    /// bias gradient's sum differ from 0: then its signs prove nothing, and there is a warning.
    pub fn check_sign(
        &self,
        victim: &Victim,
        batch: usize,
        path: &Path,
        watch: &dyn Watch,
    ) -> Result<(), AuditError> {
        let Some(bias) = victim.last_bias().and_then(|bias| self.gradient.get(bias)) else { return Ok(()) };
        let mut found = check_gradient(bias, batch);
        let noisy = found.iter().any(|s| matches!(s, Suspicion::SumNotZero { .. }));
        // The plainest first.
        found.sort_by_key(|s| !matches!(s, Suspicion::Reversed { .. }));
        for suspicion in found {
            match suspicion {
                Suspicion::Reversed { .. } | Suspicion::Scale { .. } if !noisy => {
                    return Err(AuditError::File(format!(
                        "{}: {suspicion}: is it an update, or another --kind?",
                        path.display()
                    )));
                }
                _ => watch.warning(&format!("{}: {suspicion}", path.display())),
            }
        }
        Ok(())
    }
}

/// Arrays without names were taken in order: says for what.
pub fn note_positions(path: &Path, positions: Option<&PositionReport>, watch: &dyn Watch) {
    if let Some(report) = positions {
        watch.note(&format!("{}: {report}", path.display()));
    }
}
