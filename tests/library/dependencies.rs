//! The program and its tests share one build of what they depend on.

use std::{collections::BTreeSet, process::Command};

/// Every package that edges of these kinds lead to on this machine, with the features that it is asked for.
fn packages(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_string()).collect()
}

/// A dependency that tests want with more features than the program does is compiled a second time, and with it all that
/// depends on it: minutes, for one feature of `syn`.
#[test]
fn tests_ask_no_dependency_of_the_program_for_other_features() {
    let [program, with_tests] = ["normal,build", "normal,build,dev"].map(packages);
    assert!(program.len() > 100 && with_tests.len() > program.len());
    assert_eq!(program.difference(&with_tests).collect::<Vec<_>>(), Vec::<&String>::new());
}
