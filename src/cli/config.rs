//! `--config FILE`: a TOML file whose keys are the command's options, so that there is one list of options.

use std::{ffi::OsString, path::Path};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::misuse;
use crate::{files::incoming, spelling::did_you_mean};

/// The options that a file may hold: all but the file itself.
pub(crate) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let own =
        |option: &&Arg| option.get_long().is_some_and(|name| name != "config") && !option.is_global_set();
    command.get_arguments().filter(own)
}

/// What a file calls it.
pub(crate) fn key(option: &Arg) -> &str {
    option.get_long().unwrap_or_default()
}

/// The file's settings as arguments; those of the command line come after them and win.
pub(crate) fn arguments(path: &Path, command: &Command) -> anyhow::Result<Vec<OsString>> {
    let text = incoming::read_text(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| match error.message() {
        message if message.contains("duplicate key") => {
            misuse(format!("{} contradicts itself: {error}", path.display()))
        }
        _ => anyhow::Error::from(error).context(format!("{} is not TOML", path.display())),
    })?;
    let mut arguments = Vec::new();
    for (name, value) in &table {
        let Some(option) = options(command).find(|option| key(option) == name) else {
            let names: Vec<&str> = options(command).map(key).collect();
            let (path, meant) = (path.display(), did_you_mean(name, &names));
            return Err(misuse(format!(
                "{path}: unknown option '{name}'{meant}; known are: {}",
                names.join(", ")
            )));
        };
        match (value, option.get_action().takes_values()) {
            (Value::Boolean(true), false) => arguments.push(format!("--{name}").into()),
            (Value::Boolean(false), false) => {}
            (Value::Array(items), true) if is_list(option) => {
                for item in items {
                    let text = match item {
                        Value::Table(own) => own_options(own, name, path)?,
                        item => plain(item, name, path)?,
                    };
                    arguments.push(format!("--{name}={text}").into());
                }
            }
            (value, true) => {
                let value = plain(value, name, path)?;
                // The default contradicts nothing: as good as not said.
                if default(option) != Some(toml_value(&value)) {
                    arguments.push(format!("--{name}={value}").into());
                }
            }
            (other, false) => return Err(unexpected(path, name, "true or false", other)),
        }
    }
    Ok(arguments)
}

/// Whether the option may be given several times, or with several values.
fn is_list(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

/// A table as the text of an option whose value has options of its own, as `gia-gpu sweep --victim` has.
fn own_options(table: &Table, name: &str, path: &Path) -> anyhow::Result<String> {
    let mut words = vec![];
    for (key, value) in table {
        match value {
            Value::Boolean(true) => words.push(format!("--{key}")),
            Value::Boolean(false) => {}
            value => words.push(format!("--{key}={}", plain(value, &format!("{name}.{key}"), path)?)),
        }
    }
    shlex::try_join(words.iter().map(String::as_str))
        .map_err(|error| misuse(format!("{}: option '{name}': {error}", path.display())))
}

/// Whether several values follow the option, each an argument of its own.
fn takes_several(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.max_values() > 1)
}

fn plain(value: &Value, key: &str, path: &Path) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(s) => s.clone(),
        Value::Integer(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Array(items) => {
            items.iter().map(|i| plain(i, key, path)).collect::<Result<Vec<_>, _>>()?.join(",")
        }
        other => return Err(unexpected(path, key, "text, a number or a list of these", other)),
    })
}

fn unexpected(path: &Path, key: &str, expected: &str, found: &Value) -> anyhow::Error {
    let (path, kind) = (path.display(), found.type_str());
    misuse(format!("{path}: option '{key}': expected {expected}, found {kind} {found}"))
}

/// The option's default as TOML, if it has one.
pub(crate) fn default(option: &Arg) -> Option<String> {
    if !option.get_action().takes_values() {
        return Some("false".into());
    }
    let defaults = option.get_default_values();
    let one = |value: &clap::builder::OsStr| toml_value(&value.to_string_lossy());
    (!defaults.is_empty()).then(|| defaults.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// What the option came to, as TOML; `None` where it was not given and has no default.
pub(crate) fn effective(option: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = option.get_id().as_str();
    if !option.get_action().takes_values() {
        return Some(matches.get_flag(id).to_string());
    }
    let values: Vec<String> =
        matches.get_raw(id)?.map(|value| toml_value(&value.to_string_lossy())).collect();
    Some(if takes_several(option) { format!("[{}]", values.join(", ")) } else { values.join(", ") })
}

/// Numbers as numbers, anything else as text.
fn toml_value(text: &str) -> String {
    let number = text.parse::<i64>().is_ok() || text.parse::<f64>().is_ok_and(f64::is_finite);
    match number && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !text.ends_with('.') {
        true => text.into(),
        false => Value::String(text.into()).to_string(),
    }
}
