//! Commands as words: some options taken out.

use std::ffi::OsStr;

/// Options that do not change what a sweep finds, with a value and without.
const WITH_VALUE: [&str; 3] = ["--out", "--shard", "--time-limit"];
const ALONE: [&str; 5] = ["--json", "-q", "--quiet", "-v", "--verbose"];

/// The command that would find the same, however the work was split and wherever it was written.
pub fn shown(command: &[String]) -> Vec<String> {
    without(command, &WITH_VALUE, &ALONE)
}

/// The words without these options: those with a value, as `--out x` or `--out=x`, and those that stand alone.
pub fn without<W: AsRef<OsStr> + Clone>(words: &[W], with_value: &[&str], alone: &[&str]) -> Vec<W> {
    let (mut kept, mut skips) = (vec![], false);
    for word in words {
        let text = word.as_ref().to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        if !std::mem::take(&mut skips) && !alone.contains(&name) {
            match with_value.contains(&name) {
                true => skips = !text.contains('='),
                false => kept.push(word.clone()),
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_command_shown_does_not_depend_on_shards_and_folders() {
        let of = |text: &str| shown(&text.split(' ').map(String::from).collect::<Vec<_>>()).join(" ");
        let plain = "gia-gpu sweep --batches 4 --seeds=1,2";
        assert_eq!(of("gia-gpu sweep --shard 1/4 --batches 4 --out=x --seeds=1,2 --json"), plain);
        assert_eq!(of("gia-gpu sweep --batches 4 --out y --seeds=1,2 --time-limit 60 -q"), plain);
    }
}
