//! Names in the order in which people count: `round-2` before `round-10`.

use std::path::{Path, PathBuf};

/// A name as text and numbers in turn, so that numbers are compared as such, leading zeros or not.
pub fn natural(name: &str) -> Vec<(String, Option<u128>)> {
    let mut parts = vec![];
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(text);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        parts.push((text.to_string(), number.parse().ok()));
        rest = after;
    }
    parts
}

/// The paths in the order of the names in them; equal ones by their text.
pub fn in_natural_order(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut ordered = paths.to_vec();
    let key = |path: &Path| {
        let parts = path.components().map(|part| natural(&part.as_os_str().to_string_lossy()));
        parts.collect::<Vec<_>>()
    };
    ordered.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.cmp(b)));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_counted_and_not_spelled() {
        let given = ["r/round-10.npz", "r/round-1.npz", "r/round-02.npz", "r/round-2.npz", "q/round-11.npz"];
        let ordered = in_natural_order(&given.map(PathBuf::from));
        let expected =
            ["q/round-11.npz", "r/round-1.npz", "r/round-02.npz", "r/round-2.npz", "r/round-10.npz"];
        assert_eq!(ordered, expected.map(PathBuf::from));
    }
}
