//! What a file from a client holds, and what it is worth.

use std::path::Path;

use super::AuditError;
use crate::{
    attack::{
        labels::{Suspicion, check_gradient, sign_and_scale},
        last_layer::last_layer,
    },
    federated::{Kind, Protocol, Victim, received::Received},
    tensor_file::{GradientFile, GradientInfo, PositionReport},
    watch::Watch,
};

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

/// What the file's tensors come to, of `batch` pictures; `wanted`: its buffers must be there, too.
pub fn read(
    file: GradientFile,
    victim: &Victim,
    protocol: &Protocol,
    kind: Kind,
    batch: usize,
    wanted: bool,
    watch: &dyn Watch,
) -> Result<Received, AuditError> {
    let path = file.file.path.clone();
    let received = Received::read(file, victim, protocol, kind, batch, wanted)?;
    received.notes.iter().for_each(|text| watch.note(&format!("{}: {text}", path.display())));
    Ok(received)
}

/// What the last layer shows of a wrong sign or scale: an update passed as a gradient, or the reverse.
///
/// # Errors
/// The evidence decides against the sign, and the file is not `trusted`.
pub fn check_sign(
    gradient: &[Vec<f32>],
    victim: &Victim,
    batch: usize,
    path: &Path,
    trusted: bool,
    watch: &dyn Watch,
) -> Result<Vec<String>, AuditError> {
    let layer = last_layer(victim, gradient)
        .map_err(|error| AuditError::File(format!("{}: {error}", path.display())))?;
    let found = sign_and_scale(&layer, batch);
    if found.is_reversed() && !trusted {
        return Err(AuditError::File(format!(
            "{}: {found}. Give another --kind or --local-lr, or --trust-file if the file is what you say",
            path.display()
        )));
    }
    let noise = victim
        .last_bias()
        .and_then(|bias| gradient.get(bias))
        .map_or(vec![], |bias| check_gradient(bias, batch));
    let noise = noise.iter().filter(|s| matches!(s, Suspicion::SumNotZero { .. })).map(ToString::to_string);
    let warnings: Vec<String> = found.warning().into_iter().chain(noise).collect();
    warnings.iter().for_each(|text| watch.warning(&format!("{}: {text}", path.display())));
    Ok(warnings)
}

/// Arrays without names were taken in order: says for what.
pub fn note_positions(path: &Path, positions: Option<&PositionReport>, watch: &dyn Watch) {
    if let Some(report) = positions {
        watch.note(&format!("{}: {report}", path.display()));
    }
}
