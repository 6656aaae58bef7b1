//! Which generator an attack takes that moves one's numbers.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Audit, AuditError, generator_of, read_generator};
use crate::{
    attack::{
        config::{AttackConfig, GeneratorClass},
        generated::Prior,
        threat::{Knowledge, ThreatModel},
    },
    tensor_file::TensorFile,
    watch::Watch,
};

const FILE: &[u8] = include_bytes!("../../weights/generator.safetensors");
/// As the option and tables write it.
const BUILTIN: &str = "builtin";
/// The same of one that nobody trained.
const UNTRAINED: &str = "untrained";
/// `[C, H, W]` of its pictures.
const IMAGE: [usize; 3] = [3, 32, 32];

/// Which generator: what stands in `--generator`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratorChoice {
    /// Class-conditional, trained on CIFAR-10's training pictures; see `weights/README.md`.
    Builtin,
    /// One that nobody trained.
    Untrained,
    /// Weights of a DCGAN with PyTorch's names.
    File(PathBuf),
}

impl FromStr for GeneratorChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            BUILTIN => GeneratorChoice::Builtin,
            UNTRAINED => GeneratorChoice::Untrained,
            path => GeneratorChoice::File(path.into()),
        })
    }
}

impl fmt::Display for GeneratorChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            GeneratorChoice::Builtin => f.write_str(BUILTIN),
            GeneratorChoice::Untrained => f.write_str(UNTRAINED),
            GeneratorChoice::File(path) => path.display().fmt(f),
        }
    }
}

/// The generator inside the program: class-conditional, 3×32×32, trained on CIFAR-10's training pictures.
///
/// # Errors
/// Only in a program that was built with a damaged file.
pub fn builtin_generator() -> Result<Prior, AuditError> {
    generator_of(&TensorFile::from_bytes(Path::new(BUILTIN), FILE)?, None)
}

/// The generator that an attack takes on pictures of this shape, `[C, H, W]`; `None`: one that nobody trained, or the attack
/// takes none. Where nothing is chosen, the built-in one if it fits and is granted, which is said. Its class is left open
/// where `config` asks for none. `trained_on`: what is known of a file's data.
///
/// # Errors
/// A file that is no generator's.
pub fn choose_generator(
    choice: Option<&GeneratorChoice>,
    trained_on: Option<&str>,
    (config, image): (&mut AttackConfig, [usize; 3]),
    threat_model: Option<&ThreatModel>,
    watch: &dyn Watch,
) -> Result<Option<Prior>, AuditError> {
    if !config.sought.takes_generator() {
        return Ok(None);
    }
    let granted = threat_model.is_none_or(|model| model.grants.contains(&Knowledge::GenerativePrior));
    let reason = match (granted, image == IMAGE) {
        (false, _) => Some("the threat model does not grant generative-prior"),
        (true, false) => Some("the built-in one makes 3×32×32"),
        (true, true) => None,
    };
    let assumed = match (choice, reason) {
        (Some(GeneratorChoice::File(path)), _) => return read_generator(path, trained_on).map(Some),
        (Some(GeneratorChoice::Untrained), _) => return Ok(None),
        (Some(GeneratorChoice::Builtin), _) => false,
        (None, None) => true,
        (None, Some(reason)) => {
            watch.note(&format!("generator: {UNTRAINED} (assumed, for {reason}: --generator)"));
            return Ok(None);
        }
    };
    if assumed {
        watch.note(&format!("generator: {BUILTIN} (assumed: --generator)"));
    }
    config.generator_class.get_or_insert(GeneratorClass::Open);
    builtin_generator().map(Some)
}

impl Audit {
    /// Takes the generator that [`choose_generator`] finds for this attack, victim and threat model.
    ///
    /// # Errors
    /// As it says.
    pub fn choose_generator(
        &mut self,
        choice: Option<&GeneratorChoice>,
        trained_on: Option<&str>,
        watch: &dyn Watch,
    ) -> Result<(), AuditError> {
        let image = self.victim.image_shape();
        let attack = (&mut self.attack, image);
        self.generator = choose_generator(choice, trained_on, attack, self.threat_model.as_ref(), watch)?;
        Ok(())
    }
}
