//! `gia-gpu config` and the files that it writes.

use std::fs;

use crate::support::*;

/// `key = value` lines without their comments.
fn settings(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split("  #").next().unwrap().to_string()).collect()
}

#[test]
fn the_documented_file_has_every_option_and_its_defaults_are_those_of_run() {
    let folder = folder();
    let path = folder.path().join("audit.toml");
    let text = succeed(&format!("config init {}", path.display()));
    assert!(text.contains("audit.toml"), "{text}");
    let file = fs::read_to_string(&path).unwrap();
    assert_eq!(file.trim_end(), succeed("config init").trim_end());
    let help = succeed("run --help");
    let options: Vec<&str> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| {
            !["config", "help", "max-pixels"].contains(word) && help.contains(&format!("\n      --{word}"))
        })
        .collect();
    assert!(options.len() > 40, "{options:?}");
    for option in options {
        assert!(file.contains(&format!("\n# {option} = ")), "no {option} in\n{file}");
    }
    // As written nothing is set; with every default uncommented it comes to the same.
    let shown = succeed("config show");
    let with = |text: &str| {
        fs::write(&path, text).unwrap();
        settings(&succeed(&format!("config show --config {}", path.display())))
    };
    assert_eq!(with(&file), settings(&shown));
    let is_setting = |line: &&str| line.contains(" = ") && !line.ends_with("# no default");
    let uncommented: String = file
        .lines()
        .filter(is_setting)
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.split(" = ").next().unwrap().bytes().all(|b| b == b'-' || b.is_ascii_lowercase()))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(uncommented.contains("seed = 42") && uncommented.contains("out = \"out[-N]\""), "{uncommented}");
    assert_eq!(with(&uncommented), settings(&shown));
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let folder = folder();
    let path = folder.path().join("mine.toml");
    fs::write(&path, "seed = 1").unwrap();
    fail(2, &format!("config init {}", path.display()), &["mine.toml is there already"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "seed = 1");
    fail(1, &format!("config init {}/none/a.toml", folder.path().display()), &["a.toml cannot be written"]);
}

#[test]
fn what_would_be_used_says_where_it_comes_from() {
    let folder = folder();
    let path = folder.path().join("a.toml");
    fs::write(&path, "seed = 7\nbatch = 4\npreset = \"dlg\"\nno-names = true\n").unwrap();
    let shown = succeed(&format!("config show --config {} --batch 2", path.display()));
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    assert!(line("seed = 7  # ").ends_with("a.toml"), "{shown}");
    assert_eq!(line("batch = "), "batch = 2  # command line");
    assert_eq!(line("device = "), "device = \"auto\"  # default");
    assert!(line("no-names = true  # ").ends_with("a.toml"));
    assert_eq!(line("# data "), "# data is not set");
    assert!(shown.contains("#   preset = \"dlg\""), "{shown}");
    // It is a file for `run` itself.
    let copy = folder.path().join("b.toml");
    fs::write(&copy, &shown).unwrap();
    let again = succeed(&format!("config show --config {}", copy.display()));
    assert_eq!(settings(&again), settings(&shown));
}

#[test]
fn contradictions_are_misuse() {
    let folder = folder();
    let path = folder.path().join("c.toml");
    let check = |text: &str, words: &[&str]| {
        fs::write(&path, text).unwrap();
        let file = path.display().to_string();
        for command in ["run", "config show"] {
            fail(2, &format!("{command} --config {file} --force --out {}/o", folder.path().display()), words);
        }
    };
    check("seed = 1\nseed = 2\n", &["contradicts itself", "duplicate key", "seed = 2"]);
    check("no-names = true\nnames = [\"dog\", \"cat\"]\n", &["--no-names", "--names"]);
    check("data = \"x\"\ngradient = [\"a\", \"b\"]\nweights = \"w\"\n", &["--gradient", "--data"]);
    check("gradient = [\"a\"]\n", &["--weights"]);
    check("steps = 3\n", &["unknown option 'steps'"]);
    check("seed = true\n", &["'seed'", "boolean true"]);
    check("assignment = \"best\"\n", &["assignment", "best", "one-to-one"]);
    assert!(!folder.path().join("o").exists());
}
