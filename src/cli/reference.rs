//! `gia-gpu reference`: all commands and options as the text of docs/reference.md.

use std::fmt::Write;

use clap::{Arg, Args, Command};

use super::print_line;

/// Print all commands and options as Markdown.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu reference > docs/reference.md")]
pub(crate) struct Reference {}

impl Reference {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut command = super::command();
        command.build();
        let mut text = String::from(
            "# Commands and options\n\n`gia-gpu reference > docs/reference.md` writes this file; a test compares it with the program.\n",
        );
        section(&mut text, &command, "gia-gpu");
        print_line(text.trim_end())
    }
}

/// A command, then those below it.
fn section(text: &mut String, command: &Command, path: &str) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## {path}\n\n{about}\n");
    let usage = command.clone().render_usage().to_string();
    let _ = write!(text, "\n    {}\n", usage.trim_start_matches("Usage: "));
    let options: Vec<&Arg> = command.get_arguments().filter(|option| !option.is_global_set()).collect();
    // Global ones are told once.
    let global = command.get_arguments().filter(|option| option.is_global_set() && path == "gia-gpu");
    let options: Vec<&Arg> = options.into_iter().chain(global).collect();
    let mut headings: Vec<Option<&str>> = vec![];
    for option in &options {
        if !headings.contains(&option.get_help_heading()) {
            headings.push(option.get_help_heading());
        }
    }
    for heading in headings {
        let _ = write!(text, "\n### {}\n\n", heading.unwrap_or("Options"));
        options.iter().filter(|o| o.get_help_heading() == heading).for_each(|option| item(text, option));
    }
    let examples = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    for paragraph in examples.iter().flat_map(|all| all.split("\n\n")) {
        let _ = match paragraph.split_once(":\n  ").or(paragraph.split_once("Example: ")) {
            Some(("Examples" | "", lines)) => {
                let lines = lines.replace("\n  ", "\n    ");
                write!(text, "\n### Examples\n\n    {lines}\n")
            }
            _ => write!(text, "\n{paragraph}\n"),
        };
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        section(text, below, &format!("{path} {}", below.get_name()));
    }
}

/// An option, what it is for, its values and its default.
fn item(text: &mut String, option: &Arg) {
    let name = match (option.get_short(), option.get_long()) {
        (Some(short), Some(long)) => format!("-{short}`, `--{long}"),
        (None, Some(long)) => format!("--{long}"),
        _ => String::new(),
    };
    let values: Vec<String> = match (option.get_action().takes_values(), option.get_value_names()) {
        (false, _) => vec![],
        (true, None) => vec![format!("<{}>", option.get_id().as_str().to_uppercase())],
        (true, Some(names)) => names.iter().map(|name| format!("<{name}>")).collect(),
    };
    let shown = [name, values.join(" ")].join(" ");
    let help = option.get_long_help().or(option.get_help()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "- `{}`: {}", shown.trim(), help.replace("\n\n", ". ").replace('\n', " "));
    for alias in option.get_visible_aliases().unwrap_or_default() {
        let _ = write!(text, "; also `--{alias}`");
    }
    if option.get_action().takes_values() {
        for default in option.get_default_values() {
            let _ = write!(text, " (default `{}`)", default.to_string_lossy());
        }
        text.push('\n');
        for value in option.get_possible_values() {
            let help = value.get_help().map_or(String::new(), |help| format!(": {help}"));
            let _ = writeln!(text, "  - `{}`{help}", value.get_name());
        }
    } else {
        text.push('\n');
    }
}
