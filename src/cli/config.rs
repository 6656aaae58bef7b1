//! `--config FILE`: a TOML file whose keys are the command's options, so that there is one list of options.

use std::{ffi::OsString, path::Path};

use anyhow::Context;
use toml::{Table, Value};

use super::misuse;

/// The file's settings as arguments; those of the command line come after them and win.
pub fn arguments(path: &Path, command: &clap::Command) -> anyhow::Result<Vec<OsString>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    let known: Vec<&str> =
        command.get_arguments().filter_map(|a| a.get_long()).filter(|l| *l != "config").collect();
    let mut arguments = Vec::new();
    for (key, value) in &table {
        if !known.contains(&key.as_str()) {
            return Err(misuse(format!(
                "{}: unknown option '{key}'; known are: {}",
                path.display(),
                known.join(", ")
            )));
        }
        match value {
            Value::Boolean(true) => arguments.push(format!("--{key}").into()),
            Value::Boolean(false) => {}
            value => arguments.push(format!("--{key}={}", plain(value, key, path)?).into()),
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
        other => {
            return Err(misuse(format!(
                "{}: option '{key}': expected text, a number, true, false or a list of these, found {}",
                path.display(),
                other.type_str()
            )));
        }
    })
}
