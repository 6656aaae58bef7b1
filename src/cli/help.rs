//! What `-h` and `--help` look like: options in groups, and the common ones alone in the short help.

use clap::{Arg, Command};

/// The groups, in the order in which the help has them.
pub(crate) mod group {
    pub(crate) const MEASUREMENT: &str = "Measurement";
    pub(crate) const INPUT: &str = "Input";
    pub(crate) const VICTIM: &str = "Victim";
    pub(crate) const CLIENT: &str = "Client";
    pub(crate) const ATTACK: &str = "Attack";
    pub(crate) const TRAINING: &str = "Training";
    pub(crate) const NAMING: &str = "Naming";
    pub(crate) const OUTPUT: &str = "Output";
    pub(crate) const DEVICE: &str = "Device";
    pub(crate) const GLOBAL: &str = "Global options";
}

/// Options that the short help shows of a command that has many.
const COMMON: [&str; 24] = [
    "arch",
    "batch",
    "batch-sizes",
    "batches",
    "data",
    "defence",
    "defences",
    "device",
    "distractors",
    "epochs",
    "gradient",
    "help",
    "iterations",
    "names",
    "only",
    "out",
    "preset",
    "scaling",
    "seeds",
    "test",
    "time",
    "trials",
    "victim",
    "weights",
];
/// More options than this are many.
const MANY: usize = 20;

/// The command and all below it, with a short help that fits a screen.
pub(crate) fn shortened(command: Command) -> Command {
    let options = command.get_arguments().filter(|option| !option.is_global_set()).count();
    let common = |option: &Arg| option.get_long().is_none_or(|name| COMMON.contains(&name));
    let command = command.mut_args(|option| {
        let rare = options > MANY && !option.is_required_set() && !common(&option);
        let hidden = rare || option.is_hide_short_help_set();
        option.hide_short_help(hidden)
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_string()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, shortened))
}
