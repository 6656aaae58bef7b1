//! `docs/guide.md` has a table of every warning and refusal: its words are those of the code, and none is missing.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The string literals of a source without its tests and comments, each on one line.
fn literals(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = vec![];
    let mut rest = code.as_str();
    while let Some(start) = rest.find('"') {
        let mut literal = String::new();
        let mut characters = rest[start + 1..].char_indices();
        let mut end = rest.len();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    end = start + 1 + at + 1;
                    break;
                }
                '\\' => literal.push(match characters.next() {
                    Some((_, '\n')) => '\u{1}',
                    Some((_, c)) => c,
                    None => ' ',
                }),
                c => literal.push(c),
            }
        }
        // A line that ends in a backslash goes on where the next begins.
        let mut parts = literal.split('\u{1}');
        let mut joined = parts.next().unwrap_or_default().to_string();
        parts.for_each(|part| joined.push_str(part.trim_start()));
        found.push(joined);
        rest = &rest[end..];
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(sources(&path)),
            false => all.push(path),
        }
    }
    all
}

/// The first cells of the tables under "Warnings and refusals", in pieces between what stands for names and numbers.
fn rows() -> Vec<Vec<String>> {
    let guide = fs::read_to_string(root().join("docs/guide.md")).unwrap();
    let section = guide.split("### Warnings and refusals").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).collect();
    let is_heading = |i: usize| lines.get(i + 1).is_some_and(|next| next.starts_with("|---"));
    let cells = lines.iter().enumerate().filter(|(i, line)| !line.starts_with("|---") && !is_heading(*i));
    let piece = |text: &str| text.trim().trim_end_matches("(refused)").trim().to_string();
    let first = |line: &str| line.split('|').nth(1).unwrap_or_default().split('…').map(piece).collect();
    cells.map(|(_, line)| first(line)).collect()
}

/// Where warnings of updates, labels and reconstructions are worded.
const WORDED: [&str; 13] = [
    "attack/labels/bias_corrected.rs",
    "attack/labels/exact.rs",
    "attack/labels/idlg.rs",
    "attack/labels/ilrg.rs",
    "attack/labels/lowest.rs",
    "attack/labels/sign.rs",
    "attack/labels/sign_and_scale.rs",
    "attack/labels/suspicion.rs",
    "attack/labels/warnings.rs",
    "attack/labels/yin.rs",
    "audit/doubts.rs",
    "audit/skipped.rs",
    "federated/received.rs",
];

/// What these files say that is no warning, or a part of one that stands in the table.
const OTHERS: [&str; 6] = [
    "the update is a mean gradient, as stated",
    ". As stated: {}, {:.3} from whole counts",
    "{start}the labels are those of the lowest bias gradients",
    "{start}the labels mean nothing",
    "the update is {factor} times a mean gradient: {cause}",
    "the batch-norm statistics of the client (capture --send-buffers)",
];

/// Shorter texts are no sentences.
const SENTENCE: usize = 30;

#[test]
fn the_guides_table_has_every_warning() {
    let rows = rows();
    assert!(rows.len() > 40, "{}", rows.len());
    let pieces: Vec<&String> = rows.iter().flatten().filter(|piece| piece.len() > 8).collect();
    let mut texts: Vec<(String, String)> = vec![];
    for file in WORDED {
        let path = root().join("src").join(file);
        texts.extend(literals(&path).into_iter().map(|text| (file.to_string(), text)));
    }
    let words = literals(&root().join("src/audit/verdict/words.rs"));
    let of_tests = words.iter().skip_while(|text| !text.starts_with("Not even the original pictures"));
    let of_tests = of_tests.take_while(|text| !text.starts_with("Say how the client trains"));
    texts.extend(of_tests.map(|text| ("audit/verdict/words.rs".to_string(), text.clone())));
    assert!(texts.iter().any(|(_, text)| text.starts_with("The objective was still falling")));
    for (file, text) in texts.iter().filter(|(_, text)| text.chars().count() >= SENTENCE) {
        let known = OTHERS.iter().any(|other| text.starts_with(other));
        let listed = pieces.iter().any(|piece| text.contains(piece.as_str()));
        assert!(known || listed, "{file}: not in the table of docs/guide.md: {text}");
    }
}

#[test]
fn the_guides_table_says_what_the_program_says() {
    let all: Vec<String> = sources(&root().join("src"))
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .flat_map(|path| literals(path))
        .collect();
    for piece in rows().iter().flatten().filter(|piece| !piece.is_empty()) {
        assert!(all.iter().any(|text| text.contains(piece.as_str())), "no message says: {piece}");
    }
}
