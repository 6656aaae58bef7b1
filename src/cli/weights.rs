//! `gia-gpu weights`

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{help::group, misuse, print_json, print_line, progress::Terminal};
use crate::{
    clip::builtin,
    weights::{
        BESIDE, Checked, Checks, Content, Fetched, KNOWN, Known, WEIGHTS, WeightsError, cache_folder, cached,
        check_there, fetch, fetch_copy, known, parse_sha256,
    },
};

/// Published CLIP weights on this machine.
#[derive(Args)]
#[command(after_help = "Examples:\n  gia-gpu weights list\n  gia-gpu weights get clip-vit-b32")]
pub(crate) struct Weights {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Download weights, or take up a download that broke off
    Get(Get),
    /// List what is built in, on this machine, and can be had
    List(List),
}

#[derive(Args)]
#[command(next_help_heading = group::INPUT, after_help = "Examples:\n  gia-gpu weights get clip-vit-b32\n  \
                  gia-gpu weights get clip-vit-b16 --from https://mirror.example/clip-vit-base-patch16\n  \
                  gia-gpu weights get clip-vit-b32 --from /media/stick/clip")]
struct Get {
    /// A name from `gia-gpu weights list`
    name: String,
    /// Folder to take the files from, in place of Hugging Face
    ///
    /// On this machine or on a server; it holds model.safetensors and config.json.
    #[arg(long, value_name = "URL|DIR")]
    from: Option<String>,
    /// SHA-256 that model.safetensors must have
    ///
    /// In place of the one known here or said by the server.
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = group::OUTPUT, after_help = "Examples:\n  gia-gpu weights list\n  gia-gpu weights list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Weights {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Get(get) => get.run(),
            Command::List(list) => list.run(),
        }
    }
}

impl Get {
    fn run(self) -> anyhow::Result<()> {
        let entry = known(&self.name).map_err(misuse)?;
        let checks = self.checks(entry)?;
        if let Some(there) = cached(entry)? {
            check_there(&there.folder.join(WEIGHTS), &checks)?;
            return print_line(format!("{} is on this machine: {}", entry.name, there.folder.display()));
        }
        let folder = cache_folder(entry)?;
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        // The weights come last: their file says that all is there.
        for file in BESIDE {
            match self.bring(entry, file, &folder, &Checks { content: Content::Json, ..Checks::default() }) {
                // They are not needed: what they say is guessed, and the user is told so.
                Err(WeightsError::Status { status: 404, .. }) => {}
                Err(WeightsError::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {}
                result => drop(result?),
            }
        }
        let found = self.bring(entry, WEIGHTS, &folder, &checks)?;
        let checked = match found.checked {
            Checked::Hash(by) => format!("SHA-256 {} ({by})", found.sha256),
            Checked::Size => {
                format!("SHA-256 {}, compared with nothing: the server says the length alone", found.sha256)
            }
            Checked::Nothing => format!("SHA-256 {}, compared with nothing", found.sha256),
        };
        let name = entry.name;
        let path = folder.display();
        print_line(format!("{path}: {} bytes, {checked}\nuse it with --clip {name}", found.size))
    }

    fn checks(&self, entry: &Known) -> anyhow::Result<Checks> {
        let checks = Checks { content: Content::Safetensors, ..Checks::default() };
        if let Some(text) = &self.sha256 {
            let hash = parse_sha256(text).map_err(|error| misuse(format!("--sha256: {error}")))?;
            return Ok(Checks { sha256: Some((hash, "--sha256 says so")), ..checks });
        }
        Ok(match entry.source.weights {
            Some((size, hash)) => {
                Checks { size: Some(size), sha256: Some((hash.into(), "known here")), ..checks }
            }
            None => checks,
        })
    }

    fn bring(
        &self,
        entry: &Known,
        file: &str,
        folder: &Path,
        checks: &Checks,
    ) -> Result<Fetched, WeightsError> {
        let target = folder.join(file);
        let address = match &self.from {
            None => entry.files().into_iter().find(|(name, _)| *name == file).expect("a file of the entry").1,
            Some(from) if from.contains("://") => format!("{}/{file}", from.trim_end_matches('/')),
            Some(from) => return fetch_copy(&PathBuf::from(from).join(file), &target, checks),
        };
        fetch(&address, &target, checks, &Terminal)
    }
}

/// A line of the list.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    /// `built in`, `on this machine`, `can be had` or `not in this build`.
    state: &'static str,
    folder: Option<PathBuf>,
    source: Option<String>,
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let about = "a small model that comes with the program and knows some names";
        let built_in = Line { name: builtin::NAME, about, state: "built in", folder: None, source: None };
        let mut lines = vec![built_in];
        for entry in &KNOWN {
            let there = cached(entry)?;
            let state = if there.is_some() { "on this machine" } else { "can be had" };
            let source = Some(entry.files()[0].1.clone());
            let folder = there.map(|there| there.folder);
            lines.push(Line { name: entry.name, about: entry.about, state, folder, source });
        }
        if self.json {
            return print_json(&lines);
        }
        for Line { name, about, state, folder, .. } in lines {
            let place = folder.map(|folder| format!(", {}", folder.display())).unwrap_or_default();
            print_line(format!("{name:13} {state:18} {about}{place}"))?;
        }
        Ok(())
    }
}
