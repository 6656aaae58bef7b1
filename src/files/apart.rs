//! Outputs over inputs: what a command writes never is, holds or lies in what it reads.

use std::path::{Component, Path, PathBuf};

/// An output that would touch an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {how} an input ({}): results go elsewhere", output.display(), input.display())]
pub struct Touches {
    output: PathBuf,
    input: PathBuf,
    how: &'static str,
}

/// Whether all outputs stand apart from all inputs. Neither need exist; links are followed.
///
/// # Errors
/// The first output that is an input, holds one, or lies in one.
pub fn check<'p>(
    outputs: impl IntoIterator<Item = &'p Path>,
    inputs: impl IntoIterator<Item = &'p Path> + Clone,
) -> Result<(), Touches> {
    for output in outputs {
        let real = real(output);
        for input in inputs.clone() {
            let own = self::real(input);
            let how = match () {
                () if real == own => "is",
                () if own.starts_with(&real) => "holds",
                () if real.starts_with(&own) => "lies in",
                () => continue,
            };
            return Err(Touches { output: output.into(), input: input.into(), how });
        }
    }
    Ok(())
}

/// The path without links, as far as it exists; the rest as it is written.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut missing = vec![];
    let mut rest = absolute.as_path();
    loop {
        if let Ok(real) = rest.canonicalize() {
            let mut whole = real;
            for part in missing.iter().rev() {
                match part {
                    Component::ParentDir => drop(whole.pop()),
                    part => whole.push(part),
                }
            }
            return whole;
        }
        let (Some(last), Some(parent)) = (rest.components().next_back(), rest.parent()) else {
            return absolute;
        };
        missing.push(last);
        rest = parent;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_output_is_no_input_and_neither_holds_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("data/cat")).unwrap();
        fs::write(at("g.npz"), "x").unwrap();
        let how = |output: &str, input: &str| {
            let (output, input) = (at(output), at(input));
            check([output.as_path()], [input.as_path()]).err().map(|touches| touches.how)
        };
        assert_eq!(how("g.npz", "g.npz"), Some("is"));
        assert_eq!(how("data/out", "data"), Some("lies in"));
        assert_eq!(how("data/new/deeper", "data"), Some("lies in"));
        assert_eq!(how("other/../data/out", "data"), Some("lies in"));
        assert_eq!(how(".", "g.npz"), Some("holds"));
        assert_eq!(how("data-2", "data"), None);
        assert_eq!(how("out", "data"), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("data"), at("link")).unwrap();
            assert_eq!(how("link/out", "data"), Some("lies in"));
            assert_eq!(how("out", "link"), None);
        }
    }
}
