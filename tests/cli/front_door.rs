//! What a newcomer meets: the program alone, its version, completions, manual pages, typos, how much it says.

use std::{fs, path::Path};

use crate::{options::commands, support::*};

#[test]
fn the_program_alone_says_what_to_do_first() {
    let text = succeed("");
    assert!(text.contains("Begin with\n  gia-gpu run") && text.contains("gia-gpu -h"), "{text}");
}

#[test]
fn the_version_has_commit_and_devices() {
    let text = succeed("--version");
    assert_eq!(text, succeed("-V"));
    let first = text.lines().next().unwrap();
    let commit = first.strip_prefix(concat!("gia-gpu ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    let commit = commit.strip_suffix(')').unwrap();
    assert!(commit == "unknown" || commit.bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    assert!(text.lines().nth(1).unwrap().starts_with("cpu "), "{text}");
    assert!(text.lines().last().unwrap().starts_with("default device: "), "{text}");
}

#[test]
fn completions_know_options_and_values() {
    for (shell, words) in [
        ("bash", ["--restore-labels", "bias-corrected"]),
        ("zsh", ["--restore-labels", "bias-corrected"]),
        ("fish", ["restore-labels", "bias-corrected"]),
        ("elvish", ["--restore-labels", "run"]),
        ("powershell", ["--restore-labels", "run"]),
    ] {
        let text = succeed(&format!("completions {shell}"));
        assert!(words.iter().all(|word| text.contains(word)), "{shell}");
    }
    fail(2, "completions tcsh", &["tcsh", "bash"]);
}

#[test]
fn there_is_a_manual_page_of_every_command() {
    assert!(succeed("man").contains(".TH gia-gpu 1"));
    let out = folder();
    succeed(&format!("man --out {}", out.path().join("man1").display()));
    let pages = files(&out.path().join("man1"));
    for command in commands() {
        let name = format!("{}.1", command.path.replace(' ', "-"));
        let page = pages.get(Path::new(&name)).unwrap_or_else(|| panic!("no {name}"));
        assert!(String::from_utf8_lossy(page).contains(".SH"), "{name}");
    }
    fail(1, &format!("man --out {}/man1/gia-gpu.1/x", out.path().display()), &["cannot be written to"]);
}

#[test]
fn typos_are_met_with_a_suggestion() {
    fail(2, "rum", &["'rum'", "'run'"]);
    fail(2, "run --iteration 3", &["--iteration", "--iterations"]);
    fail(2, "run --preset modren", &["modren", "'modern'"]);
    fail(2, "run --schedule cosin", &["cosin", "'cosine'"]);
    fail(2, "plan --arch resent18", &["unknown architecture 'resent18', did you mean 'resnet18'?"]);
    let folder = folder();
    let path = folder.path().join("a.toml");
    fs::write(&path, "iteration = 3").unwrap();
    fail(
        2,
        &format!("run --config {}", path.display()),
        &["unknown option 'iteration', did you mean 'iterations'?"],
    );
}

#[test]
fn quiet_and_verbose_stand_before_or_behind_the_command() {
    let out = folder();
    let file = out.path().join("a.toml");
    fs::write(&file, "iterations = 2\nbatches = 1\nno-names = true\ndevice = \"cpu\"\n").unwrap();
    let options =
        format!("run --config {} --force --out {}", file.display(), out.path().join("out").display());
    let said = |arguments: &str| {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        stderr(&output)
    };
    assert_eq!(said(&format!("-q {options}")), "");
    assert_eq!(said(&format!("{options} --quiet")), "");
    for arguments in [format!("--verbose {options}"), format!("{options} -v")] {
        let said = said(&arguments);
        assert!(said.contains("gia-gpu 0.") && said.contains("computes on cpu"), "{said}");
        assert!(said.lines().last().unwrap().contains(" s"), "{said}");
    }
    fail(2, "devices -q -v", &["--quiet", "--verbose"]);
    // A note is no warning.
    let none = |quiet: &str| format!("{quiet} metrics --reference nowhere --reconstruction nowhere");
    fail(1, &none("-q"), &["error: "]);
    let guided = format!("sweep --config {}", file.display());
    assert!(!succeed(&format!("config -q show --config {}", file.display())).is_empty(), "{guided}");
}
