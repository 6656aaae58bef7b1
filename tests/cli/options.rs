//! Commands and options: each is tried by some test, described in the documents, and shown in a help that one can read.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::*;

/// The groups of options, in the order of the help.
const GROUPS: [&str; 10] = [
    "Measurement",
    "Input",
    "Victim",
    "Client",
    "Attack",
    "Training",
    "Naming",
    "Output",
    "Device",
    "Global options",
];

/// A command as `gia-gpu reference` has it.
pub(crate) struct Command {
    /// `gia-gpu study labels`
    pub(crate) path: String,
    text: String,
    /// `--seed`, aliases too.
    options: BTreeSet<String>,
    headings: Vec<String>,
}

/// Every command of the program, from its own list.
pub(crate) fn commands() -> Vec<Command> {
    let reference = succeed("reference");
    let sections = reference.split("\n## ").skip(1);
    sections
        .map(|text| {
            let items = text.lines().filter(|line| line.starts_with("- `"));
            let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
            Command {
                path: text.lines().next().unwrap().into(),
                text: text.into(),
                // An option, and what follows "also".
                options: items
                    .flat_map(|line| named(line).into_iter().take(1).chain(aliases(line)))
                    .collect(),
                headings: headings.filter(|h| *h != "Examples").map(String::from).collect(),
            }
        })
        .collect()
}

fn aliases(line: &str) -> Vec<String> {
    line.split_once("; also ").map_or(vec![], |(_, rest)| named(rest))
}

/// The `--options` in a text.
fn named(text: &str) -> Vec<String> {
    let starts = text.match_indices("--").map(|(at, _)| at);
    let starts = starts.filter(|&at| !text[..at].ends_with(|c: char| c == '-' || c.is_ascii_alphanumeric()));
    let name = |at: usize| {
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        format!("--{}", rest[..end].trim_end_matches('-'))
    };
    starts.map(name).filter(|name| name.as_bytes().get(2).is_some_and(u8::is_ascii_lowercase)).collect()
}

/// The files of a folder with this ending, without those of folders in it.
fn sources(folder: &str, ending: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = paths.filter(|path| path.extension().is_some_and(|e| e == ending));
    wanted.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_option_is_given_in_some_test() {
    let tests = sources("tests/cli", "rs");
    let given: BTreeSet<String> = tests.iter().flat_map(|(_, text)| named(text)).collect();
    let missing: Vec<String> = commands()
        .iter()
        .flat_map(|command| command.options.iter().map(|option| format!("{} {option}", command.path)))
        .filter(|both| !given.contains(both.rsplit(' ').next().unwrap()))
        .collect();
    assert!(missing.is_empty(), "no test gives {missing:#?}");
}

#[test]
fn the_reference_is_the_programs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(
        found.trim_end() == succeed("reference").trim_end(),
        "docs/reference.md is not up to date: gia-gpu reference > docs/reference.md"
    );
}

/// Options in the documents that are of other programs: cargo's, and those of the scripts in benches/.
const FOREIGN: [&str; 8] = [
    "--release",
    "--example",
    "--profile",
    "--rows",
    "--quick",
    "--rounds",
    "--timings",
    "--no-default-features",
];

#[test]
fn every_option_in_the_documents_exists() {
    let commands = commands();
    let all: BTreeSet<&str> = commands.iter().flat_map(|c| &c.options).map(String::as_str).collect();
    let documents = [sources(".", "md"), sources("docs", "md")].concat();
    assert!(documents.len() > 3);
    let mut seen = 0;
    for (path, text) in documents {
        // A command goes on behind a backslash.
        for line in text.replace("\\\n", " ").lines() {
            let own = line.split("python ").next().unwrap_or_default();
            // Behind `--` stand an example's own.
            let own =
                if own.contains("--example ") { own.split(" -- ").next().unwrap_or_default() } else { own };
            for option in named(own) {
                let known = all.contains(option.as_str()) || FOREIGN.contains(&option.as_str());
                assert!(known, "{path}: there is no {option}: {line}");
                seen += 1;
            }
            for (at, _) in own.match_indices("gia-gpu ") {
                let called = own[at..].split(['`', '#', '|', ';', '>']).next().unwrap_or_default();
                let called = called.split(" `").next().unwrap_or_default();
                let starts = |command: &&Command| {
                    called == command.path || called.starts_with(&format!("{} ", command.path))
                };
                let Some(command) = commands.iter().filter(starts).max_by_key(|c| c.path.len()) else {
                    continue;
                };
                // A sweep's victim has options of its own in quotes, which are the sweep's too.
                for option in named(called) {
                    let global = commands[0].options.contains(&option);
                    assert!(
                        command.options.contains(&option) || global,
                        "{path}: {} has no {option}: {called}",
                        command.path
                    );
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn every_option_is_in_a_group() {
    for command in commands() {
        let known: Vec<&str> =
            GROUPS.into_iter().filter(|g| command.headings.iter().any(|h| h == g)).collect();
        // A heading that is none of them is that of options without a group.
        assert_eq!(
            command.headings.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            known.into_iter().collect()
        );
    }
    let group = |command: &str, option: &str| {
        let all = commands();
        let command = all.iter().find(|c| c.path == command).unwrap();
        let before = command.text.split(&format!("- `{option}")).next().unwrap();
        before.rsplit("### ").next().unwrap().lines().next().unwrap().to_string()
    };
    for (command, option, expected) in [
        ("gia-gpu run", "--data", "Input"),
        ("gia-gpu run", "--mean", "Input"),
        ("gia-gpu run", "--arch", "Victim"),
        ("gia-gpu run", "--class-order", "Victim"),
        ("gia-gpu run", "--defence", "Client"),
        ("gia-gpu run", "--guide ", "Attack"),
        ("gia-gpu run", "--seed", "Attack"),
        ("gia-gpu run", "--assignment", "Naming"),
        ("gia-gpu run", "--json", "Output"),
        ("gia-gpu sweep", "--memory", "Device"),
        ("gia-gpu train victim", "--epochs", "Training"),
        ("gia-gpu train victim", "--out", "Output"),
        ("gia-gpu bench", "--seconds", "Measurement"),
        ("gia-gpu", "-q", "Global options"),
    ] {
        assert_eq!(group(command, option), expected, "{command} {option}");
    }
}

#[test]
fn the_short_help_fits_a_screen_and_every_command_has_an_example() {
    for command in commands() {
        let own = command.path.strip_prefix("gia-gpu").unwrap();
        let (short, long) = (succeed(&format!("{own} -h")), succeed(&format!("{own} --help")));
        for text in [&short, &long] {
            assert!(
                text.contains("Example: gia-gpu") || text.contains("Examples:\n  gia-gpu"),
                "{own}: {text}"
            );
        }
        let lines = short.lines().count();
        let most = if own == " run" { 40 } else { 55 };
        assert!(lines <= most, "{own} -h has {lines} lines:\n{short}");
        assert!(short.lines().all(|line| line.chars().count() <= 100), "{short}");
        for option in &command.options {
            assert!(
                long.contains(option.as_str()) || long.contains("restarts"),
                "{own} --help lacks {option}"
            );
        }
    }
    let short = succeed("run -h");
    for group in
        ["Input:", "Victim:", "Client:", "Attack:", "Naming:", "Output:", "Device:", "Global options:"]
    {
        assert!(short.lines().any(|line| line == group), "no {group} in\n{short}");
    }
    assert!(short.contains("--preset") && !short.contains("--langevin"), "{short}");
}

#[test]
fn a_value_is_spelled_in_one_way() {
    let out = folder();
    let file = out.path().join("a.toml");
    let settings = [
        ("objective", "cosine-top:0.3", "objective"),
        ("layers", "last:4", "layers"),
        ("layer-weights", "rising", "layer_weights"),
        ("start", "normal-pixels", "start"),
        ("restore-labels", "bias-corrected", "labels"),
        ("bn-target", "batch", "batch_norm_target"),
    ];
    let lines: Vec<String> = settings.iter().map(|(key, value, _)| format!("{key} = \"{value}\"")).collect();
    let rest = "iterations = 2\nbatches = 1\nno-names = true\ndevice = \"cpu\"\nsign = \"soft:50\"\nschedule = \"steps\"";
    fs::write(&file, format!("{}\n{rest}\n", lines.join("\n"))).unwrap();
    let shown = succeed(&format!("config show --config {}", file.display()));
    let report: serde_json::Value = serde_json::from_str(&succeed(&format!(
        "run --config {} --json --force --out {}",
        file.display(),
        out.path().join("out").display()
    )))
    .unwrap();
    for (key, value, field) in settings {
        assert!(shown.contains(&format!("\n{key} = \"{value}\"  #")), "{shown}");
        assert!(shown.contains(&format!("#   {field} = \"{value}\"")), "{shown}");
        assert_eq!(report["attack"][field], value, "{field}");
    }
    assert_eq!(report["attack"]["optimiser"]["sign"], "soft:50");
    assert_eq!(report["attack"]["optimiser"]["schedule"], "steps");
    for (option, value, words) in [
        ("objective", "cosine-top:2", "share in (0, 1]"),
        ("layers", "last:0", "N from 1"),
        ("sign", "soft:-1", "slope above 0"),
        ("guide-schedule", "step:2", "0 ≤ FROM ≤ TO < 1"),
        ("batch-labels", "equal:0", "expected any, stratified, distinct or equal:N"),
        ("norm", "group:0", "G from 1"),
    ] {
        fail(2, &format!("run --{option} {value}"), &[option, value, words]);
    }
}
