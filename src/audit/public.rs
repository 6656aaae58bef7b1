//! Public pictures with names: what they teach an eavesdropper who has the weights, with and without a gradient.

use std::collections::HashSet;

use super::{Audit, AuditError, Clients, Outcome};
use crate::{
    attack::{
        exact::{features::LastLayer64, inputs::LayerInputs, layers::linear_layers, matrix::Matrix},
        threat::{Knowledge, Use},
    },
    data::{Dataset, Picture, place_of_name, samples},
    device::Device,
    semantic::{
        PublicRows,
        model_alone::{confusion, names_of},
    },
};

/// Pictures a name at most.
const MOST: usize = 400;
/// One picture in so many of a name is kept for the temperature.
const HELD_OUT: usize = 5;

/// Pictures that anybody may have, of the kind that the clients have, and none of theirs.
pub struct Public {
    /// Where they come from.
    pub source: String,
    /// With the place of each one's name among the candidates, fitted to the victim's input.
    pub(super) pictures: Vec<(usize, Picture)>,
    /// `N`: candidate names.
    pub(super) names: usize,
    /// Pictures that were left out because a client has them.
    pub clients_own: usize,
}

/// That this knowledge is used.
pub fn public_use() -> Use {
    Use::new(Knowledge::PublicData, "what public pictures with names say (--public)")
}

impl Public {
    /// The pictures of a data set whose classes are candidate names, without those that a client has.
    ///
    /// # Errors
    /// A picture that cannot be read.
    pub fn of(
        dataset: &Dataset,
        names: &[String],
        shape: [usize; 3],
        clients: Option<&Clients>,
    ) -> Result<Public, AuditError> {
        let own = clients.map(Clients::originals).unwrap_or_default();
        let own: HashSet<&[u8]> = own.iter().map(|picture| bytemuck::cast_slice(&picture.pixels)).collect();
        let columns: Vec<Option<usize>> =
            dataset.class_names.iter().map(|name| place_of_name(names, name)).collect();
        let (mut counts, mut pictures, mut clients_own) = (vec![0; names.len()], vec![], 0);
        for (i, &label) in dataset.labels().iter().enumerate() {
            let Some(column) = columns[label].filter(|&column| counts[column] < MOST) else { continue };
            let picture = dataset.picture(i)?.fitted(shape)?;
            if own.contains(bytemuck::cast_slice::<f32, u8>(&picture.pixels)) {
                clients_own += 1;
                continue;
            }
            counts[column] += 1;
            pictures.push((column, picture));
        }
        Ok(Public { source: dataset.name.clone(), pictures, names: names.len(), clients_own })
    }

    /// Every other picture of each name, and the rest: what is learned from one half is tried on the other.
    pub fn halves(self) -> [Public; 2] {
        let mut counts = vec![0_usize; self.names];
        let (mut one, mut other) = (vec![], vec![]);
        for (name, picture) in self.pictures {
            counts[name] += 1;
            let half = if counts[name] % 2 == 1 { &mut one } else { &mut other };
            half.push((name, picture));
        }
        let of =
            |pictures| Public { source: self.source.clone(), pictures, names: self.names, clients_own: 0 };
        [of(one), of(other)]
    }

    /// Whether there is nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Which pictures keep out of the regression, so that the temperature is one of unseen pictures.
    pub(super) fn held_out(&self) -> Vec<bool> {
        let each = |nth: usize| -> Vec<bool> {
            let mut counts = vec![0_usize; self.names];
            let held = |(name, _): &(usize, Picture)| {
                counts[*name] += 1;
                counts[*name].is_multiple_of(nth)
            };
            self.pictures.iter().map(held).collect()
        };
        let held = each(HELD_OUT);
        // Of few pictures a name, every other one.
        if held.contains(&true) { held } else { each(2) }
    }
}

impl Audit {
    /// The public pictures with these names that the eavesdropper has: `given`, or those inside the program, where the names
    /// are theirs and the threat model grants it.
    ///
    /// # Errors
    /// Given ones that are not granted, have none of the names, or all are a client's.
    pub fn public(
        &self,
        given: Option<&Dataset>,
        names: &[String],
        clients: Option<&Clients>,
    ) -> Result<Option<Public>, AuditError> {
        let shape = self.victim.image_shape();
        let Some(given) = given else {
            let embedded = samples();
            let theirs = |name: &String| place_of_name(&embedded.class_names, name).is_some();
            let match_all = names.len() == embedded.class_names.len() && names.iter().all(theirs);
            if !match_all || self.granted(&[public_use()]).is_err() {
                return Ok(None);
            }
            return Ok(Some(Public::of(&embedded, names, shape, clients)?).filter(|p| !p.is_empty()));
        };
        self.granted(&[public_use()])?;
        let public = Public::of(given, names, shape, clients)?;
        if public.is_empty() {
            return Err(AuditError::Misuse(match public.clients_own {
                0 => format!(
                    "--public {}: expected classes that are candidate names, found {}; the names are {}",
                    given.name,
                    given.class_names.join(", "),
                    names.join(", ")
                ),
                own => format!("--public {}: all {own} pictures are a client's", given.name),
            }));
        }
        Ok(Some(public))
    }

    /// What public pictures say of the indices in this outcome; rows of the candidate names that [`Public::of`] was given.
    ///
    /// # Errors
    /// What the device fails at, and features that cannot be told apart.
    pub fn public_rows(
        &self,
        device: &dyn Device,
        public: &Public,
        outcome: &Outcome,
    ) -> Result<PublicRows, AuditError> {
        let labels: Vec<usize> = public.pictures.iter().map(|(name, _)| *name).collect();
        let last = linear_layers(&self.victim).len() - 1;
        let mut inputs = LayerInputs::new(device, &self.victim, last, public.len())?;
        let plain = self.public_features(&mut inputs, public, false)?;
        let rows = PublicRows {
            source: format!("{} pictures of {}", public.len(), public.source),
            alone: self.alone(&plain, &labels, public.names),
            ..PublicRows::default()
        };
        let Some(classes) = outcome.features.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else {
            return Ok(rows);
        };
        let mirrored = self.public_features(&mut inputs, public, true)?;
        let names = self.learned(&plain, &mirrored, public)?;
        let features = Some(classes.into_iter().map(|found| names.of(found)).collect());
        Ok(PublicRows { features, classifier: Some(names.record()), ..rows })
    }

    /// Mean probability of each class index for the public pictures of each name, `(N,K)`.
    pub(super) fn shares(&self, features: &Matrix, public: &Public) -> Vec<f64> {
        let labels: Vec<usize> = public.pictures.iter().map(|(name, _)| *name).collect();
        self.confused(features, &labels, public.names)
    }

    fn confused(&self, features: &Matrix, labels: &[usize], names: usize) -> Vec<f64> {
        let layer = LastLayer64::of(&self.victim);
        let predicted = labels.iter().enumerate().map(|(i, &name)| (name, layer.predict(features.row(i))));
        confusion(&predicted.collect::<Vec<_>>(), names, self.victim.model.classes)
    }

    /// The name of every index by the model alone, as rows.
    pub(super) fn alone(&self, features: &Matrix, labels: &[usize], names: usize) -> Vec<Vec<f64>> {
        let classes = self.victim.model.classes;
        let shares = self.confused(features, labels, names);
        let all: Vec<usize> = (0..classes).collect();
        match names_of(&shares, names, classes, &all) {
            // One name an index, as they are assigned together.
            Ok(chosen) => chosen
                .into_iter()
                .map(|chosen| (0..names).map(|name| f64::from(u8::from(name == chosen))).collect())
                .collect(),
            // Fewer names than indices: each by itself.
            Err(_) => (0..classes)
                .map(|index| {
                    let row: Vec<f64> = (0..names).map(|name| shares[name * classes + index]).collect();
                    let sum = row.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                    row.into_iter().map(|share| share / sum).collect()
                })
                .collect(),
        }
    }
}
