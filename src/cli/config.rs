//! `--config FILE`: a TOML file whose keys are the command's options, so that there is one list of options.

use std::{ffi::OsString, path::Path};

use anyhow::Context;
use toml::{Table, Value};

use super::misuse;

/// The file's settings as arguments; those of the command line come after them and win.
pub fn arguments(path: &Path, command: &clap::Command) -> anyhow::Result<Vec<OsString>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    let known =
        || command.get_arguments().filter_map(|a| Some((a.get_long()?, a))).filter(|o| o.0 != "config");
    let mut arguments = Vec::new();
    for (key, value) in &table {
        let Some((_, option)) = known().find(|o| o.0 == key) else {
            let names: Vec<&str> = known().map(|o| o.0).collect();
            return Err(misuse(format!(
                "{}: unknown option '{key}'; known are: {}",
                path.display(),
                names.join(", ")
            )));
        };
        match (value, option.get_action().takes_values()) {
            (Value::Boolean(true), false) => arguments.push(format!("--{key}").into()),
            (Value::Boolean(false), false) => {}
            (value, true) => arguments.push(format!("--{key}={}", plain(value, key, path)?).into()),
            (other, false) => return Err(unexpected(path, key, "true or false", other)),
        }
    }
    Ok(arguments)
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
