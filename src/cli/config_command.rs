//! `gia-gpu config`: a file of all options of `run`, and what such a file comes to.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Arg, ArgMatches, Args, Subcommand, parser::ValueSource};

use super::{config, misuse, own_arguments, print_line, run::Run};
use crate::files::outgoing::Outgoing;

/// Columns of the file's comments.
const WIDTH: usize = 100;

/// Write a documented file of options for `gia-gpu run --config`, or show what a run would use.
#[derive(Args)]
#[command(after_help = "Examples:\n  gia-gpu config init audit.toml\n  gia-gpu run --config audit.toml\n  \
                  gia-gpu config show --config audit.toml --batch 4")]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write a TOML file with every option of `run`, its default and what it does
    #[command(after_help = "Example: gia-gpu config init audit.toml")]
    Init {
        /// File to write, which must not be there yet; standard output without it
        #[arg(value_name = "FILE", help_heading = super::help::group::OUTPUT)]
        file: Option<PathBuf>,
    },
    /// Print what `run` with these options would use, as TOML, and where each value comes from
    #[command(
        override_usage = "gia-gpu config show [OPTIONS]",
        after_help = "Example: gia-gpu config show --config audit.toml --batch 4"
    )]
    Show(Box<Run>),
}

impl ConfigCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Init { file: None } => print_line(document().trim_end()),
            Action::Init { file: Some(path) } => {
                write_new(&path)?;
                print_line(format!("wrote {}", path.display()))
            }
            Action::Show(run) => show(*run),
        }
    }
}

/// Writes the documented file unless something is there.
fn write_new(path: &Path) -> anyhow::Result<()> {
    let unwritable = || format!("{} cannot be written", path.display());
    let mut file = Outgoing::new(path).with_context(unwritable)?;
    file.write_all(document().as_bytes()).with_context(unwritable)?;
    match file.keep_new() {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(misuse(format!("{} is there already: give another name, or remove it", path.display())))
        }
        Err(error) => Err(error).with_context(unwritable),
    }
}

/// Every option of `run` as a line that can be uncommented, under its help text.
fn document() -> String {
    let mut text = String::from(
        "# Options of `gia-gpu run`, for `gia-gpu run --config FILE`. Remove the # before what you change.\n\
         # Each is an option of the command line, too, and wins there.\n",
    );
    for option in config::options(&Run::command()) {
        text.push('\n');
        let help = option.get_long_help().or(option.get_help()).map(ToString::to_string).unwrap_or_default();
        comment(&mut text, &format!("{}.", help.replace("\n\n", ". ").trim_end_matches('.')));
        let values = option.get_possible_values();
        if !values.is_empty() && option.get_action().takes_values() {
            let value = |value: &clap::builder::PossibleValue| match value.get_help() {
                Some(help) => format!("{} ({help})", value.get_name()),
                None => value.get_name().to_string(),
            };
            comment(
                &mut text,
                &format!("One of: {}.", values.iter().map(value).collect::<Vec<_>>().join("; ")),
            );
        }
        let _ = match config::default(option) {
            Some(default) => writeln!(text, "# {} = {default}", config::key(option)),
            None => writeln!(text, "# {} = {}  # no default", config::key(option), placeholder(option)),
        };
    }
    text
}

/// Words as comment lines.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{line}");
}

fn placeholder(option: &Arg) -> String {
    let names = option.get_value_names().unwrap_or_default();
    format!("\"{}\"", names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "))
}

/// The effective value of every option, with its source; then the attack that they amount to.
fn show(run: Run) -> anyhow::Result<()> {
    let arguments = || own_arguments(2);
    let command = Run::command();
    let flags = command.clone().try_get_matches_from([OsString::from("run")].into_iter().chain(arguments()));
    // They were parsed once already, as options of this command.
    let flags = flags.map_err(misuse)?;
    let file = run.file().map(Path::to_path_buf);
    let (run, matches) = match &file {
        Some(path) => Run::resolve(path, arguments())?,
        None => (run, flags.clone()),
    };
    let attack = run.attack_config()?;
    let given = |matches: &ArgMatches, id| matches.value_source(id) == Some(ValueSource::CommandLine);
    let mut text = String::new();
    for option in config::options(&command) {
        let (id, key) = (option.get_id().as_str(), config::key(option));
        let source = match &file {
            _ if given(&flags, id) => "command line".to_string(),
            Some(path) if given(&matches, id) => path.display().to_string(),
            _ => "default".into(),
        };
        let _ = match config::effective(option, &matches) {
            Some(value) => writeln!(text, "{key} = {value}  # {source}"),
            None => writeln!(text, "# {key} is not set"),
        };
    }
    text.push_str("\n# The attack, if the options name its architecture:\n");
    for line in toml::to_string(&attack)?.lines() {
        let _ = writeln!(text, "{}", format!("#   {line}").trim_end());
    }
    print_line(text.trim_end())
}
