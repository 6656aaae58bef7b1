//! How pixels become the network's input: what the user says, what a file says, or CIFAR-10's, assumed.

use super::AuditError;
use crate::{
    data::{Normalisation, NormalisationPreset},
    watch::Watch,
};

/// What the user says.
#[derive(Clone, Debug, PartialEq)]
pub enum SaidNormalisation {
    /// For any number of channels.
    Preset(NormalisationPreset),
    /// Mean and deviation of each channel.
    Values(Normalisation),
}

/// What the user says, else what is known, else CIFAR-10's, or its mean over the channels where there are not three;
/// which one it is is noted.
///
/// # Errors
/// It is of other channels.
pub fn choose_normalisation(
    said: Option<&SaidNormalisation>,
    known: Option<Normalisation>,
    channels: usize,
    watch: &dyn Watch,
) -> Result<Normalisation, AuditError> {
    let (chosen, from) = match (said, known) {
        (Some(SaidNormalisation::Preset(preset)), _) => (preset.of(channels), "given"),
        (Some(SaidNormalisation::Values(values)), _) => (values.clone(), "given"),
        (None, Some(known)) => (known, "as the file says"),
        (None, None) => {
            (Normalisation::default().for_channels(channels), "assumed: --normalisation, or --mean and --std")
        }
    };
    chosen.check_channels(channels).map_err(AuditError::misuse)?;
    let name = NormalisationPreset::of_values(&chosen).map_or(String::new(), |preset| format!("{preset}, "));
    let (mean, std) = (chosen.mean(), chosen.std());
    watch.note(&format!("normalisation: {name}mean {mean:?}, std {std:?} ({from})"));
    Ok(chosen)
}
