//! Who reads pictures that another model has pulled at.

use std::path::PathBuf;

use clap::Args;

use super::{
    clip_options::{naming_error, open_encoder},
    help::group,
    progress::Terminal,
};
use crate::{
    audit::{AuditError, NamingModel},
    clip::zero_shot::Namer,
    device::Device,
};

/// An independent reader.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct JudgeOptions {
    /// Model that reads the pictures beside the one that pulled at them
    ///
    /// As --clip. A model finds in pictures what it has pulled for, so its own reading is no evidence.
    #[arg(long, value_name = "MODEL")]
    judge: Option<PathBuf>,
}

impl JudgeOptions {
    pub(crate) fn is_given(&self) -> bool {
        self.judge.is_some()
    }

    /// The reader with the same names and templates as the model that pulls.
    pub(crate) fn open(&self, puller: &NamingModel) -> anyhow::Result<Option<NamingModel>> {
        let Some(judge) = &self.judge else { return Ok(None) };
        let encoder = open_encoder(Some(judge), None)?;
        Ok(Some(NamingModel { encoder, names: puller.names.clone(), templates: puller.templates.clone() }))
    }

    /// The same, ready for about so many pictures.
    pub(crate) fn namer<'m>(
        judge: Option<&'m NamingModel>,
        device: &'m dyn Device,
        pictures: usize,
    ) -> anyhow::Result<Option<Namer<'m>>> {
        let Some(judge) = judge else { return Ok(None) };
        let namer = judge.namer(device, pictures, &Terminal).map_err(|error| match error {
            AuditError::Clip(error) => naming_error("--judge", error),
            error => error.into(),
        })?;
        Ok(Some(namer))
    }
}
