//! Names of class features: what public pictures say that the features mean which a gradient holds.

use super::{Audit, AuditError, Public};
use crate::{
    attack::exact::{features::ClassFeatures, inputs::LayerInputs, layers::linear_layers, matrix::Matrix},
    data::Picture,
    device::Device,
    semantic::{Classifier, ClassifierRecord, Seen},
};

/// A classifier of the victim's features, learned from public pictures.
pub struct FeatureNames {
    classifier: Classifier,
}

impl FeatureNames {
    /// What was chosen, and how well it does.
    pub fn record(&self) -> ClassifierRecord {
        self.classifier.record
    }

    /// Of every class that a gradient holds features of: how likely each name is.
    pub fn of(&self, found: &ClassFeatures) -> Seen {
        let rows = (0..found.classes.len()).map(|i| self.classifier.probabilities(found.features.row(i)));
        Seen { indices: found.classes.clone(), rows: rows.collect() }
    }
}

impl Audit {
    /// Learns what the victim's features mean from public pictures with names.
    ///
    /// # Errors
    /// What the device fails at, and features that cannot be told apart.
    pub fn feature_names(&self, device: &dyn Device, public: &Public) -> Result<FeatureNames, AuditError> {
        let last = linear_layers(&self.victim).len() - 1;
        let mut inputs = LayerInputs::new(device, &self.victim, last, public.len())?;
        let plain = self.public_features(&mut inputs, public, false)?;
        let mirrored = self.public_features(&mut inputs, public, true)?;
        self.learned(&plain, &mirrored, public)
    }

    /// What the last layer is given for public pictures, or for their mirror images, `(M, d)`.
    pub(super) fn public_features(
        &self,
        inputs: &mut LayerInputs,
        public: &Public,
        mirrored: bool,
    ) -> Result<Matrix, AuditError> {
        let shown = |picture: &Picture| if mirrored { picture.clone().mirrored() } else { picture.clone() };
        let pictures: Vec<Picture> = public.pictures.iter().map(|(_, picture)| shown(picture)).collect();
        let found = inputs.of(&self.normalisation.normalise(&pictures)?)?;
        let width = found[0].len();
        Ok(Matrix::new(found.len(), width, found.into_iter().flatten().map(f64::from).collect()))
    }

    pub(super) fn learned(
        &self,
        plain: &Matrix,
        mirrored: &Matrix,
        public: &Public,
    ) -> Result<FeatureNames, AuditError> {
        let labels: Vec<usize> = public.pictures.iter().map(|(name, _)| *name).collect();
        let classifier = Classifier::learn(plain, mirrored, &labels, &public.held_out(), public.names)
            .map_err(|error| AuditError::Misuse(format!("public pictures: {error}")))?;
        Ok(FeatureNames { classifier })
    }
}
