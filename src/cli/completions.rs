//! `gia-gpu completions` and `gia-gpu man`: what a shell and `man` know of the commands.

use std::{fs, io, path::PathBuf};

use anyhow::Context;
use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{help::group, print_line, print_text};

/// Print a shell's completions of commands, options and values.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu completions bash > ~/.local/share/bash-completion/completions/gia-gpu\n  \
                  gia-gpu completions zsh > ~/.zfunc/_gia-gpu\n  \
                  gia-gpu completions fish > ~/.config/fish/completions/gia-gpu.fish"
)]
pub(crate) struct Completions {
    /// Shell to complete in
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut text = vec![];
        clap_complete::generate(self.shell, &mut super::command(), "gia-gpu", &mut text);
        print_text(&text)
    }
}

/// Print the manual page, or write those of all commands.
#[derive(Args)]
#[command(
    next_help_heading = group::OUTPUT,
    after_help = "Examples:\n  gia-gpu man | man -l -\n  gia-gpu man --out ~/.local/share/man/man1"
)]
pub(crate) struct Manual {
    /// Folder for a page of every command: gia-gpu.1, gia-gpu-run.1, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Manual {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(out) = self.out else {
            let mut page = vec![];
            Man::new(super::command()).render(&mut page)?;
            return print_text(&page);
        };
        let write = || -> io::Result<()> {
            fs::create_dir_all(&out)?;
            clap_mangen::generate_to(super::command(), &out)
        };
        write().with_context(|| format!("{} cannot be written to", out.display()))?;
        print_line(format!("wrote the pages to {}", out.display()))
    }
}
