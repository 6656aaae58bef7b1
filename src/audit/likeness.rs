//! Reconstructions beside their originals as networks see them: LPIPS, the victim's features, and whether a picture would be
//! recognised among others.

use super::{Audit, AuditError, Clients};
use crate::{
    attack::exact::{inputs::LayerInputs, layers::linear_layers},
    data::{Normalisation, Picture},
    device::Device,
    federated::Victim,
    metrics::{
        compare,
        identification::rank,
        lpips::{Lpips, distance},
    },
    report::{Likeness, Ranks},
};

impl Audit {
    /// `pictures`: `M` × `B`, the clients' batches reconstructed; the pool is all originals. `lpips`: where its weights are at
    /// hand. One entry a batch.
    ///
    /// # Errors
    /// Pictures that cannot be compared, or that the device has no memory for.
    pub fn likeness(
        &self,
        device: &dyn Device,
        clients: &Clients,
        pictures: &[Vec<Picture>],
        lpips: Option<&Lpips>,
    ) -> Result<Vec<Likeness>, AuditError> {
        let originals: Vec<Picture> = clients.originals();
        let found = pictures.concat();
        let [pool, seen] = [&originals, &found]
            .map(|all| features_of_pictures(device, &self.victim, &self.normalisation, all));
        let (pool, seen) = (pool?, seen?);
        let embedded = match lpips {
            Some(lpips) => Some((lpips.embed(device, &originals)?, lpips.embed(device, &found)?)),
            None => None,
        };
        let mut first = 0;
        let batches =
            clients.batches.iter().zip(pictures).map(|(batch, pictures)| -> Result<Likeness, AuditError> {
                let assigned = compare(&batch.pictures, pictures)?.assignment_mse;
                let pairs: Vec<(usize, usize)> =
                    assigned.iter().enumerate().map(|(i, &original)| (first + i, first + original)).collect();
                first += assigned.len();
                let ranks = |pool: &[Vec<f32>], found: &[Vec<f32>]| {
                    pairs.iter().map(|&(i, original)| rank(&found[i], pool, original)).collect::<Vec<usize>>()
                };
                let fmse = |&(i, original): &(usize, usize)| {
                    distance(&seen[i], &pool[original]) / pool[original].len() as f64
                };
                Ok(Likeness {
                    lpips: embedded.as_ref().map(|(pool, found)| {
                        pairs.iter().map(|&(i, original)| distance(&found[i], &pool[original])).collect()
                    }),
                    fmse: pairs.iter().map(fmse).collect(),
                    identification_rank: Ranks {
                        pool: originals.len(),
                        lpips: embedded.as_ref().map(|(pool, found)| ranks(pool, found)),
                        features: ranks(&pool, &seen),
                    },
                })
            });
        batches.collect()
    }
}

/// What the victim's last layer is given for each picture, in eval mode.
///
/// # Errors
/// Pictures of another shape than the victim's, or that the device has no memory for.
pub fn features_of_pictures(
    device: &dyn Device,
    victim: &Victim,
    normalisation: &Normalisation,
    pictures: &[Picture],
) -> Result<Vec<Vec<f32>>, AuditError> {
    let expected = victim.image_shape();
    if let Some(other) = pictures.iter().find(|picture| picture.shape() != expected) {
        let ([c, h, w], [own_c, own_h, own_w]) = (other.shape(), expected);
        let expected = format!("{own_c}×{own_h}×{own_w} (C×H×W), as the victim takes");
        return Err(AuditError::Misuse(format!("pictures: expected {expected}, found {c}×{h}×{w}")));
    }
    let last = linear_layers(victim).len() - 1;
    let images = normalisation.normalise(pictures)?;
    Ok(LayerInputs::new(device, victim, last, pictures.len())?.of(&images)?)
}
