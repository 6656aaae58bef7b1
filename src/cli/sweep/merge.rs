//! `gia-gpu sweep merge`

use std::{env, path::PathBuf};

use anyhow::Context;
use clap::Args;

use super::{finish, named, prepared::Prepared};
use crate::{
    cli::{help::group, misuse, options::DeviceOptions, progress::Terminal},
    sweep::{Journal, shard_journals},
};

/// Put the journals of shards together: tables, plots and page, as the unsharded sweep writes them.
///
/// The sweep's options are those that the shards were begun with. Pictures are compared and named here.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu sweep --shard 1/2 --out study & gia-gpu sweep --shard 2/2 --out study; wait; \
                  gia-gpu sweep merge study"
)]
pub(crate) struct Merge {
    /// Folders with journals of shards; the results go into the first
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Print all cells as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Merge {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let whole = |folder: &PathBuf| {
            folder.canonicalize().map_err(|cause| misuse(format!("{}: {cause}", folder.display())))
        };
        let folders = self.folders.iter().map(whole).collect::<anyhow::Result<Vec<_>>>()?;
        let journals = shard_journals(&folders[0]).map_err(named)?;
        let Some(first) = journals.first() else {
            let folder = folders[0].display();
            return Err(misuse(format!("{folder}: no journal of a sweep's shard (journal-001-of-….jsonl)")));
        };
        let (command, place) = Journal::command(first).map_err(named)?;
        // Paths among the options are those of the folder where the shards were begun.
        if place.is_dir() {
            env::set_current_dir(&place)
                .with_context(|| format!("{}, where the shards were begun", place.display()))?;
        }
        // The program and `sweep`, whatever options stand between.
        let own: Vec<_> = command.iter().skip(1).skip_while(|word| *word != "sweep").skip(1).collect();
        let own: Vec<std::ffi::OsString> = own.into_iter().map(Into::into).collect();
        let file = config_of(&own);
        let prepared = Prepared::new(file.as_deref(), own, command.clone())?;
        prepared.with_plan(|plan, model| {
            let device = self.device.open()?;
            let namer = prepared.sweep.naming.namer_of(model, &*device)?;
            let swept = plan.merge(&*device, namer, &folders, &Terminal).map_err(named)?;
            finish(&swept, self.json)
        })
    }
}

/// The file of options that a command named.
fn config_of(own: &[std::ffi::OsString]) -> Option<PathBuf> {
    let text = |word: &std::ffi::OsString| word.to_string_lossy().into_owned();
    let mut words = own.iter().map(text);
    while let Some(word) = words.next() {
        match word.strip_prefix("--config=") {
            Some(path) => return Some(path.into()),
            None if word == "--config" => return words.next().map(PathBuf::from),
            None => {}
        }
    }
    None
}
