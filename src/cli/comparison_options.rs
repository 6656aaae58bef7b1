//! How hypotheses are compared, and what their leads are held against.

use std::path::PathBuf;

use clap::Args;

use super::{help::group, misuse, options::count_to, spelled::spelled};
use crate::{
    attack::{config::AttackConfig, threat::Use},
    audit::{Audit, Clients, FeatureNames, Public, public::public_use},
    data::Dataset,
    device::Device,
    hypotheses::{Calibrate, Comparison, HypothesesError},
};

/// Gradients of public pictures for the comparison by features, where nothing else is said: they cost no attack.
const REHEARSALS: usize = 200;

/// How hypotheses are compared.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::NAMING)]
pub(crate) struct ComparisonOptions {
    /// How hypotheses are compared
    ///
    /// A gradient does not depend on what a class is called: matching alone, after names have let go (free), reaches the same loss
    /// whatever the name.
    #[arg(long, value_parser = spelled::<Comparison>(), default_value = "constant")]
    pub compare: Comparison,
    /// Gradients of public pictures that leads are held against
    ///
    /// Each is tried with candidates that have nothing to do with it and with its own names among them, which costs twice as many
    /// hypotheses as one batch. Without it 200 for --compare features, which attacks nothing, else none. From 40 on there is a claim at 5 % false positives.
    #[arg(long, value_name = "N", value_parser = count_to(100_000))]
    calibrate: Option<usize>,
    /// Public pictures with names, for --compare features and --calibrate
    ///
    /// A folder with a folder per class, or a data set; pictures that a client has are left out. Without it the pictures
    /// inside the program, where the names are theirs.
    #[arg(long, value_name = "DIR")]
    public: Option<PathBuf>,
}

/// What public pictures serve for.
pub(crate) struct PublicParts {
    features: Option<FeatureNames>,
    calibrating: Option<Public>,
    gradients: usize,
}

impl ComparisonOptions {
    fn gradients(&self) -> usize {
        self.calibrate.unwrap_or(if self.compare.attacks() { 0 } else { REHEARSALS })
    }

    /// Public pictures, where any are wanted: opened before anything is computed.
    pub(crate) fn open(&self) -> anyhow::Result<Option<Dataset>> {
        let wanted = !self.compare.attacks() || self.gradients() > 0;
        if self.public.is_some() && !wanted {
            return Err(misuse("--public is for --compare features and --calibrate"));
        }
        Ok(self.public.as_deref().map(Dataset::open).transpose()?)
    }

    /// Halves of them where both are wanted: what is learned from one is tried on the other.
    pub(crate) fn parts(
        &self,
        device: &dyn Device,
        audit: &Audit,
        given: Option<&Dataset>,
        names: &[String],
        clients: Option<&Clients>,
    ) -> anyhow::Result<PublicParts> {
        let (by_features, gradients) = (!self.compare.attacks(), self.gradients());
        if !by_features && gradients == 0 {
            return Ok(PublicParts { features: None, calibrating: None, gradients });
        }
        let Some(public) = audit.public(given, names, clients)? else {
            return Err(match by_features {
                true => misuse(format!("--compare {}", HypothesesError::NoPublic)),
                false => misuse(
                    "--calibrate: expected public pictures with the candidate names, found none: give --public DIR, and a \
                     threat model that grants public-data",
                ),
            });
        };
        let (learning, calibrating) = match (by_features, gradients > 0) {
            (true, true) => {
                let [one, other] = public.halves();
                (Some(one), Some(other).filter(|half| !half.is_empty()))
            }
            (true, false) => (Some(public), None),
            _ => (None, Some(public)),
        };
        let features = learning.map(|public| audit.feature_names(device, &public)).transpose()?;
        Ok(PublicParts { features, calibrating, gradients })
    }

    /// What the comparison changes of an attack: see [`Comparison::configure`].
    pub(crate) fn configure(&self, config: &mut AttackConfig, guided: bool) -> anyhow::Result<()> {
        if guided && !self.compare.pulls() {
            return Err(misuse(format!(
                "--guide-weight, --guide-schedule and --guide-views say how names pull: --compare {} has no pull",
                self.compare
            )));
        }
        self.compare.configure(config).map_err(|error| misuse(format!("--compare {}: {error}", self.compare)))
    }
}

impl PublicParts {
    pub(crate) fn features(&self) -> Option<&FeatureNames> {
        self.features.as_ref()
    }

    pub(crate) fn calibrate(&self) -> Option<Calibrate<'_>> {
        self.calibrating.as_ref().map(|public| Calibrate { public, gradients: self.gradients })
    }

    /// What an eavesdropper must know for it.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let used = self.features.is_some() || self.calibrating.is_some();
        if used { vec![public_use()] } else { vec![] }
    }
}
