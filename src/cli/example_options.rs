//! Names by example.

use std::path::PathBuf;

use clap::Args;

use super::{clip_options::ClipOptions, help::group, misuse, note, progress::Terminal};
use crate::{
    audit::{Audit, AuditError, Clients, NamingModel},
    clip::{ClipError, Encoder, Examples},
    device::Device,
};

/// Pictures in place of the text of names.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct ExampleOptions {
    /// Learn names from pictures: a folder per name, a few public pictures each
    ///
    /// No text is needed: names become means of the model's image features, of --clip, or with `--clip victim` of the
    /// victim's own last features, where no naming model fits (X-rays, handwriting). How often the examples are named
    /// right, each held out once, is printed first; a verdict by names needs more than chance.
    #[arg(long, value_name = "DIR")]
    names_from: Option<PathBuf>,
}

impl ExampleOptions {
    pub(crate) fn is_given(&self) -> bool {
        self.names_from.is_some()
    }

    /// The pictures, without those that a client has; `None` where none were given.
    pub(crate) fn open(
        &self,
        audit: Option<&Audit>,
        clients: Option<&Clients>,
    ) -> anyhow::Result<Option<Examples>> {
        let Some(folder) = &self.names_from else { return Ok(None) };
        let examples = Examples::open(folder).map_err(named)?;
        match audit {
            Some(audit) => {
                Ok(Some(audit.examples(examples, clients, &Terminal).map_err(|error| match error {
                    AuditError::Clip(error) => named(error),
                    error => error.into(),
                })?))
            }
            None => Ok(Some(examples)),
        }
    }

    /// Learns the names, and says first how well they are known.
    pub(crate) fn learn(
        &self,
        examples: &Examples,
        clip: &ClipOptions,
        audit: Option<&Audit>,
        device: &dyn Device,
    ) -> anyhow::Result<NamingModel> {
        let encoder: Box<dyn Encoder> = match (clip.is_victim(), audit) {
            (true, Some(audit)) => Box::new(audit.own_features()),
            (true, None) => {
                return Err(misuse("--clip victim: there is no victim here whose features could name"));
            }
            (false, _) => clip.open()?,
        };
        let model = NamingModel::by_example(device, encoder, examples, &Terminal);
        let model = model.map_err(|error| match error {
            AuditError::Clip(error) => named(error),
            error => error.into(),
        })?;
        if let Some(held_out) = model.encoder.held_out() {
            note(&held_out.sentence());
        }
        Ok(model)
    }
}

/// What is wrong with the examples is misuse of the option; a picture that cannot be read is a failure.
fn named(error: ClipError) -> anyhow::Error {
    match error {
        ClipError::Examples { .. } => misuse(format!("--names-from: {error}")),
        error => anyhow::Error::from(error).context("--names-from"),
    }
}
