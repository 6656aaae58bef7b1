//! The options of a sweep, from a file and the command line, and what of them decides its results.

use std::{ffi::OsString, path::Path};

use clap::{Arg, ArgMatches, Command, FromArgMatches};

use crate::{
    cli::{config, misuse},
    sweep::Configuration,
};

/// Options that do not decide the results, or whose content counts and not their text.
const NOT_COMPARED: [&str; 9] =
    ["out", "json", "memory", "device", "isa", "data", "help", "shard", "time-limit"];
/// Options that can be given several times: those of the command line replace the file's.
const LISTS: [&str; 2] = ["--victim", "--defences"];

/// The file's options, then those of the command line once more, which win.
pub(crate) fn resolve<T: FromArgMatches>(
    file: Option<&Path>,
    command: &Command,
    own: Vec<OsString>,
) -> anyhow::Result<(T, ArgMatches)> {
    let starts = |argument: &OsString, option: &str| {
        let argument = argument.to_string_lossy();
        argument == option || argument.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
    };
    let mut all: Vec<OsString> = vec!["gia-gpu sweep".into()];
    if let Some(file) = file {
        let replaced = |argument: &OsString| {
            LISTS.iter().any(|list| starts(argument, list) && own.iter().any(|o| starts(o, list)))
        };
        all.extend(config::arguments(file, command)?.into_iter().filter(|argument| !replaced(argument)));
    }
    all.extend(own);
    let matches = command.clone().try_get_matches_from(all).map_err(|error| match file {
        Some(file) => misuse(format!("with the options of {}: {error}", file.display())),
        None => misuse(error),
    })?;
    Ok((T::from_arg_matches(&matches)?, matches))
}

/// Every option with what it came to.
pub(crate) fn configuration(command: &Command, matches: &ArgMatches) -> Configuration {
    let compared = |option: &&Arg| !NOT_COMPARED.contains(&config::key(option));
    config::options(command).filter(compared).fold(Configuration::default(), |all, option| {
        let values = matches.try_get_raw(option.get_id().as_str()).ok().flatten();
        match values {
            None => all,
            Some(values) => {
                let values: Vec<String> = values.map(|v| v.to_string_lossy().into_owned()).collect();
                all.with(format!("--{}", config::key(option)), values.join("; "))
            }
        }
    })
}
