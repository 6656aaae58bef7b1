//! Choices about an architecture that do not stand in its name.

use std::{fmt, str::FromStr};

use super::Architecture;
use crate::spelling::{Form, Spelled, as_text, choices, expected};

choices! {
    /// How a ResNet or its like begins.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Stem {
        /// torchvision's: 7×7 convolution of stride 2, then 3×3 max pooling of stride 2
        Imagenet = "imagenet",
        /// For small pictures: 3×3 convolution of stride 1, no pooling
        Cifar = "cifar",
    }
}

choices! {
    /// Of the hidden layers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Activation {
        /// max(x, 0)
        Relu = "relu",
        /// σ(x)
        Sigmoid = "sigmoid",
        /// tanh(x)
        Tanh = "tanh",
        /// x·σ(x)
        Silu = "silu",
        /// max(x, 0.01x)
        LeakyRelu = "leaky-relu",
    }
}

/// What stands where an architecture normalises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Batch norm, of the whole batch in train mode.
    Batch,
    /// Group norm (Wu 2018) of at most this many groups: the largest number up to it that divides both it
    /// and the channels.
    Group(usize),
}

/// `None`: as the architecture has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What a ResNet begins with.
    pub stem: Option<Stem>,
    /// Widths of an MLP's hidden layers.
    pub hidden: Option<Vec<usize>>,
    /// The function between layers.
    pub activation: Option<Activation>,
    /// What stands where the architecture normalises.
    pub norm: Option<Norm>,
}

/// Names of the options, as they are displayed.
pub const STEM: &str = "stem";
/// Key of the hidden layers' widths.
pub const HIDDEN: &str = "hidden";
/// Key of the function between layers.
pub const ACTIVATION: &str = "activation";
/// Key of what normalises.
pub const NORM: &str = "norm";

/// Groups of `--norm group`, as in the paper.
const DEFAULT_GROUPS: usize = 32;
/// Widest hidden layer.
const MAX_HIDDEN: usize = 1 << 16;
const MAX_GROUPS: usize = 4096;

impl Options {
    /// The names of the options that are set.
    pub fn set(&self) -> Vec<&'static str> {
        let set = [
            (STEM, self.stem.is_some()),
            (HIDDEN, self.hidden.is_some()),
            (ACTIVATION, self.activation.is_some()),
            (NORM, self.norm.is_some()),
        ];
        set.into_iter().filter(|s| s.1).map(|s| s.0).collect()
    }

    /// Whether an architecture takes them, and sizes are within their bounds.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn check_for(&self, architecture: &dyn Architecture) -> Result<(), String> {
        let taken = architecture.options();
        if let Some(option) = self.set().iter().find(|option| !taken.contains(option)) {
            return Err(format!("it has no --{option}; it takes: --{}", taken.join(", --")));
        }
        let width = self.hidden.iter().flatten().find(|width| !(1..=MAX_HIDDEN).contains(*width));
        match (width, self.norm) {
            (Some(width), _) => Err(format!("expected hidden widths from 1 to {MAX_HIDDEN}, found {width}")),
            (_, Some(Norm::Group(groups))) if !(1..=MAX_GROUPS).contains(&groups) => {
                Err(format!("expected 1 to {MAX_GROUPS} groups, found {groups}"))
            }
            _ => Ok(()),
        }
    }

    /// The options that `self` leaves open, from `other`.
    pub fn or(self, other: Options) -> Options {
        Options {
            stem: self.stem.or(other.stem),
            hidden: self.hidden.or(other.hidden),
            activation: self.activation.or(other.activation),
            norm: self.norm.or(other.norm),
        }
    }
}

impl Spelled for Norm {
    const ABOUT: &'static str = "What stands where an architecture normalises.";
    const FORMS: &'static [Form] = &[
        Form { text: "batch", meaning: "Batch norm" },
        Form { text: "group[:G]", meaning: "Group norm (Wu 2018) of up to G groups, 32 if not given" },
    ];
}

as_text!(Norm);

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Norm::Batch => f.write_str("batch"),
            Norm::Group(groups) => write!(f, "group:{groups}"),
        }
    }
}

impl FromStr for Norm {
    type Err = String;

    fn from_str(text: &str) -> Result<Norm, String> {
        let groups = match text.split_once(':') {
            None if text == "batch" => return Ok(Norm::Batch),
            None if text == "group" => Some(DEFAULT_GROUPS),
            Some(("group", n)) => n.parse().ok(),
            _ => None,
        };
        match groups {
            Some(groups) if (1..=MAX_GROUPS).contains(&groups) => Ok(Norm::Group(groups)),
            _ => {
                Err(format!("expected {} with G from 1 to {MAX_GROUPS}, found '{text}'", expected::<Norm>()))
            }
        }
    }
}

/// `512,256` → hidden widths.
pub fn parse_hidden(text: &str) -> Result<Vec<usize>, String> {
    let width = |part: &str| part.trim().parse().ok().filter(|n| (1..=MAX_HIDDEN).contains(n));
    let widths: Option<Vec<usize>> = text.split(',').map(width).collect();
    widths.ok_or_else(|| format!("expected widths from 1 to {MAX_HIDDEN} as in 512,256, found '{text}'"))
}

/// `stem=cifar norm=group:32`: what is set, for reports and files.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let hidden =
            self.hidden.as_ref().map(|h| h.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
        let parts = [
            (STEM, self.stem.map(|s| s.to_string())),
            (HIDDEN, hidden),
            (ACTIVATION, self.activation.map(|a| a.to_string())),
            (NORM, self.norm.map(|n| n.to_string())),
        ];
        let set: Vec<String> =
            parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        f.write_str(&set.join(" "))
    }
}

impl FromStr for Options {
    type Err = String;

    /// The inverse of `Display`.
    fn from_str(text: &str) -> Result<Options, String> {
        let mut options = Options::default();
        for part in text.split_whitespace() {
            match part.split_once('=') {
                Some((STEM, value)) => options.stem = Some(value.parse()?),
                Some((HIDDEN, value)) => options.hidden = Some(parse_hidden(value)?),
                Some((ACTIVATION, value)) => options.activation = Some(value.parse()?),
                Some((NORM, value)) => options.norm = Some(value.parse()?),
                _ => return Err(format!("expected stem=, hidden=, activation= or norm=, found '{part}'")),
            }
        }
        Ok(options)
    }
}
