//! Public pictures with names.

use std::path::PathBuf;

use clap::Args;

use super::help::group;
use crate::data::Dataset;

/// What the eavesdropper has beside the update.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct PublicOptions {
    /// Public pictures with names, which tell names from features and from the model alone
    ///
    /// A folder with a folder per class, or a data set; pictures that a client has are left out. Without it the pictures
    /// inside the program, where the names are theirs.
    #[arg(long, value_name = "DIR", conflicts_with = "no_names")]
    public: Option<PathBuf>,
}

impl PublicOptions {
    /// The pictures that were given.
    pub(crate) fn open(&self) -> anyhow::Result<Option<Dataset>> {
        Ok(self.public.as_deref().map(Dataset::open).transpose()?)
    }
}
