//! The arrows between the modules: each uses only what stands below it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the bottom to the top; those of one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["files", "random", "spelling", "tape", "watch"],
    &["plan", "data", "nn", "weights"],
    &["device", "statistics"],
    &["tensor_file"],
    &["federated", "metrics"],
    &["train"],
    &["clip"],
    &["attack"],
    &["semantic", "bench"],
    &["report"],
    &["audit"],
    &["hypotheses", "sweep"],
    &["study"],
    &["cli"],
];

/// Modules that a text names: a line's number, and the module. Tests at a file's end may look anywhere.
fn named(text: &str) -> Vec<(usize, String)> {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let mut found = vec![];
    for (at, _) in text.match_indices("crate::") {
        // Not `$crate::`, not `a_crate::`.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let from = at + "crate::".len();
        let ends = match text[from..].strip_prefix('{') {
            Some(_) => group(&text[from..]).into_iter().map(|start| from + start).collect(),
            None => vec![from],
        };
        for start in ends {
            let name: String =
                text[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push((1 + text[..start].matches('\n').count(), name));
        }
    }
    found
}

/// Where the names of `{a, b::{c, d}}` begin that stand directly in its braces.
fn group(text: &str) -> Vec<usize> {
    let (mut depth, mut expected, mut starts) = (0, true, vec![]);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => expected = true,
            c if depth == 1 && expected && (c.is_alphabetic() || c == '_') => {
                starts.push(at);
                expected = false;
            }
            _ => {}
        }
    }
    starts
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// What stands in a file of this module and points up or sideways.
fn turned(module: &str, file: &Path, text: &str) -> Vec<String> {
    let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer: give it one"));
    let wrong = |(line, other): (usize, String)| {
        let above = other != module && layer(&other).is_some_and(|layer| layer >= own);
        above.then(|| {
            format!("{}:{line}: {module} uses {other}, which stands above or beside it", file.display())
        })
    };
    named(text).into_iter().filter_map(wrong).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_module_uses_only_what_stands_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    assert!(files.len() > 300, "only {} files in {}", files.len(), root.display());
    let mut wrong = vec![];
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if !matches!(module, "lib" | "main") {
            wrong.extend(turned(module, inside, &fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_arrow_that_is_turned_round_is_found_with_its_line() {
    let text = "//! A page.\n\nuse crate::{\n    data::{Picture, same_name},\n    audit::Audit,\n};\n\nfn f() {\n    \
                crate::cli::main();\n}\n\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    let expected = ["report/page.rs:5: report uses audit", "report/page.rs:9: report uses cli"];
    let found = turned("report", Path::new("report/page.rs"), text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:?}");
    assert!(turned("audit", Path::new("audit/mod.rs"), "use crate::report::Page;").is_empty());
}
