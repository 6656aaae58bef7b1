//! Which generator an attack takes that moves one's numbers.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use super::{AuditError, read_generator};
use crate::attack::{config::AttackConfig, generated::Prior};

/// As the option and tables write one that nobody trained.
const UNTRAINED: &str = "untrained";

/// Which generator: what stands in `--generator`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratorChoice {
    /// One that nobody trained.
    Untrained,
    /// Weights of a DCGAN with PyTorch's names.
    File(PathBuf),
}

impl FromStr for GeneratorChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            UNTRAINED => GeneratorChoice::Untrained,
            path => GeneratorChoice::File(path.into()),
        })
    }
}

/// The generator that an attack takes; `None`: one that nobody trained, or it takes none. `trained_on`: what is known of a
/// file's data.
///
/// # Errors
/// A file that is no generator's.
pub fn choose_generator(
    choice: Option<&GeneratorChoice>,
    trained_on: Option<&str>,
    config: &AttackConfig,
) -> Result<Option<Prior>, AuditError> {
    match choice {
        Some(GeneratorChoice::File(path)) if config.sought.takes_generator() => {
            read_generator(path, trained_on).map(Some)
        }
        _ => Ok(None),
    }
}
