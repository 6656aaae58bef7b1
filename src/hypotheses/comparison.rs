//! How hypotheses are compared. A gradient does not depend on what a class is called, so what matching alone reaches, once
//! nothing pulls any more, is the same whatever the name: a comparison can tell names apart only while they constrain what is
//! compared.

use crate::{
    attack::{
        config::{AttackConfig, GeneratorClass, Sought},
        guidance::Anneal,
    },
    spelling::choices,
};

choices! {
    /// How hypotheses are compared.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Comparison {
        /// By matching and the names' pull together, at the optimum of both: λ stays
        Constant = "constant",
        /// By the least matching loss over the latents of a class-conditional generator, which is asked for the names
        Conditional = "conditional",
        /// By how likely the features that the gradient holds are under each name's public pictures
        Features = "features",
        /// By matching alone, after the pull has gone
        Free = "free",
    }
}

impl Comparison {
    /// Whether names pull at pictures, by a model that compares these.
    pub fn pulls(self) -> bool {
        matches!(self, Comparison::Constant | Comparison::Free)
    }

    /// Whether each hypothesis is an attack of its own.
    pub fn attacks(self) -> bool {
        self != Comparison::Features
    }

    /// What it changes of an attack: λ stays or goes, or latents alone are moved.
    ///
    /// # Errors
    /// What the attack is told speaks against it, in words.
    pub fn configure(self, config: &mut AttackConfig) -> Result<(), String> {
        if !self.pulls() {
            config.guidance = None;
        }
        match (self, &mut config.guidance) {
            (Comparison::Constant, Some(guidance)) if !guidance.stays() => {
                Err(format!("expected a pull that stays (constant), found {}", guidance.schedule))
            }
            (Comparison::Free, Some(guidance)) if guidance.stays() => {
                Err("expected a pull that goes, found one that stays (constant)".into())
            }
            (Comparison::Conditional, _) => {
                if !config.sought.takes_generator() {
                    return Err(format!("expected latents of a generator (gias), found {}", config.sought));
                }
                if let Some(GeneratorClass::Names(names)) = &config.generator_class {
                    return Err(format!("each hypothesis says the classes, found {}", names.join(", ")));
                }
                config.sought = Sought::Latent;
                config.generator_class = Some(GeneratorClass::Open);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// How λ goes where nothing is said.
    pub fn schedule(self) -> Anneal {
        if self == Comparison::Constant { Anneal::constant() } else { Anneal::default() }
    }

    /// What a hypothesis is ranked by.
    pub fn measure(self) -> &'static str {
        match self {
            Comparison::Constant => "matching and pull",
            Comparison::Conditional => "matching by latents",
            Comparison::Features => "likelihood of features",
            Comparison::Free => "matching alone",
        }
    }

    /// In what units differences of its losses count.
    pub(super) fn unit(self) -> Unit {
        if self.attacks() { Unit::Spread } else { Unit::One }
    }
}

/// In what units losses of a gradient's hypotheses are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Of their own deviation: matching losses of two gradients have no common scale.
    Spread,
    /// As they are: negative logarithms of likelihoods.
    One,
}
