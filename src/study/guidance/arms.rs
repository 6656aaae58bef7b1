//! The attacks that a study of guidance compares.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::{attack::config::Sought, spelling::choices};

choices! {
    /// What an attack moves, and how names guide it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Moved {
        /// Each pixel by itself, which names pull at
        Pixels = "pixels",
        /// Pictures of several resolutions, which names pull at
        Pyramid = "pyramid",
        /// The latent of a class-conditional generator, whose classes the names are
        Latent = "latent",
        /// The same, and then the generator's weights
        LatentWeights = "latent-weights",
    }
}

impl Moved {
    /// As an attack's configuration has it.
    pub fn sought(self) -> Sought {
        match self {
            Moved::Pixels => Sought::Pixels,
            Moved::Pyramid => Sought::Pyramid,
            Moved::Latent => Sought::Latent,
            Moved::LatentWeights => Sought::LatentWeights,
        }
    }

    /// Whether a generator makes the pictures, and names say what it is asked for.
    pub fn is_made(self) -> bool {
        self.sought().takes_generator()
    }
}

/// What pictures are drawn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Towards {
    /// Nothing: gradient matching alone.
    Nothing,
    /// Each label to the name of its class.
    TrueNames,
    /// Each label to the name of another class: what guidance adds whatever it says.
    OtherNames,
}

impl Towards {
    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Towards::Nothing => "nothing",
            Towards::TrueNames => "true-names",
            Towards::OtherNames => "other-names",
        }
    }
}

/// What a batch serves for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A setting is chosen by it.
    Selection,
    /// The setting that was chosen is tried on it.
    Confirmation,
}

impl Phase {
    /// As in files.
    pub fn name(self) -> &'static str {
        if self == Phase::Selection { "selection" } else { "confirmation" }
    }
}

/// How names guide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// λ; absent where names are a generator's classes, and nothing pulls.
    pub weight: Option<f64>,
    /// Copies of each picture that are looked at.
    pub views: Option<usize>,
    /// What is moved.
    pub parameterisation: Moved,
    /// Place of the model that pulls among the study's.
    pub puller: usize,
}

/// One attack on all batches of a size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What its batches serve for.
    pub phase: Phase,
    /// `B`
    pub batch_size: usize,
    /// What its pictures are drawn to.
    pub towards: Towards,
    /// λ; absent where nothing pulls.
    pub weight: Option<f64>,
    /// Copies of each picture that are looked at.
    pub views: Option<usize>,
    /// What is moved.
    pub parameterisation: Moved,
    /// Place of the model that pulls among the study's.
    pub puller: usize,
}

impl Arm {
    /// Without names.
    pub fn plain(phase: Phase, batch_size: usize, parameterisation: Moved) -> Arm {
        let (towards, weight, views) = (Towards::Nothing, None, None);
        Arm { phase, batch_size, towards, weight, views, parameterisation, puller: 0 }
    }

    /// With names that pull so.
    pub fn guided(phase: Phase, batch_size: usize, towards: Towards, setting: Setting) -> Arm {
        let Setting { weight, views, parameterisation, puller } = setting;
        Arm { phase, batch_size, towards, weight, views, parameterisation, puller }
    }

    /// The same without names.
    pub fn baseline(self) -> Arm {
        Arm::plain(self.phase, self.batch_size, self.parameterisation)
    }

    /// How names guide, if any do.
    pub fn setting(self) -> Option<Setting> {
        let Arm { weight, views, parameterisation, puller, .. } = self;
        (self.towards != Towards::Nothing).then_some(Setting { weight, views, parameterisation, puller })
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Some(weight) = self.weight else { return write!(f, "{}", self.parameterisation) };
        write!(f, "λ = {weight}")?;
        self.views.map_or(Ok(()), |views| write!(f, ", {views} views"))?;
        if self.parameterisation != Moved::Pixels {
            write!(f, ", {}", self.parameterisation)?;
        }
        if self.puller > 0 { write!(f, ", model {}", self.puller + 1) } else { Ok(()) }
    }
}

impl Display for Arm {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let names = match self.towards {
            Towards::Nothing => "no guidance",
            Towards::TrueNames => "true names",
            Towards::OtherNames => "other names",
        };
        write!(f, "B = {}, {names}", self.batch_size)?;
        match self.setting() {
            Some(setting) => write!(f, ", {setting}"),
            None if self.parameterisation != Moved::Pixels => {
                write!(f, ", {}", self.parameterisation)
            }
            None => Ok(()),
        }
    }
}

/// Every size without guidance, then towards both kinds of names in every setting.
pub(super) fn selection(sizes: &[usize], settings: &[Setting]) -> Vec<Arm> {
    let phase = Phase::Selection;
    let of_size = |&size: &usize| {
        let mut arms: Vec<Arm> = vec![];
        for &setting in settings {
            let plain = Arm::plain(phase, size, setting.parameterisation);
            if !arms.contains(&plain) {
                arms.push(plain);
            }
            let both = [Towards::TrueNames, Towards::OtherNames];
            arms.extend(both.map(|towards| Arm::guided(phase, size, towards, setting)));
        }
        arms
    };
    sizes.iter().flat_map(of_size).collect()
}

/// A size without guidance, also by pixels, then towards both kinds of names in the setting that was chosen.
pub(super) fn confirmation(size: usize, setting: Setting) -> Vec<Arm> {
    let phase = Phase::Confirmation;
    let mut arms = vec![Arm::plain(phase, size, Moved::Pixels)];
    let own = Arm::plain(phase, size, setting.parameterisation);
    if !arms.contains(&own) {
        arms.push(own);
    }
    arms.extend([Towards::TrueNames, Towards::OtherNames].map(|to| Arm::guided(phase, size, to, setting)));
    arms
}
