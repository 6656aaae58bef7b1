//! Reconstructions beside their originals.

use super::{Audit, AuditError, ClientBatch, Clients};
use crate::{
    data::Picture,
    metrics::{Comparison, MetricsError, compare, flat_grey_floor, noise_like},
    report::{Figures, Floors, figures},
};

/// How like the originals they are, and how like pictures are that know nothing.
pub struct Judged {
    /// `M`
    pub comparisons: Vec<Comparison>,
    /// `M`: flat grey and noise in place of the reconstructions.
    pub grey: Vec<Comparison>,
    /// Uniform noise in place of the reconstructions.
    pub noise: Vec<Comparison>,
    /// Over all batches.
    pub figures: Figures,
    /// The same of `grey` and `noise`.
    pub floors: Floors,
}

impl Audit {
    /// `pictures`: `M` × `B`, the clients' batches reconstructed.
    ///
    /// # Errors
    /// They cannot be compared, or there are none.
    pub fn judge(&self, clients: &Clients, pictures: &[Vec<Picture>]) -> Result<Judged, AuditError> {
        let over_batches = |make: &dyn Fn(&ClientBatch, usize) -> Result<Comparison, MetricsError>| {
            clients.batches.iter().enumerate().map(|(i, b)| make(b, i)).collect::<Result<Vec<_>, _>>()
        };
        let all = |comparisons: &[Comparison]| figures(comparisons).ok_or(MetricsError::Empty);
        let comparisons = over_batches(&|b, i| compare(&b.pictures, &pictures[i]))?;
        let grey = over_batches(&|b, _| flat_grey_floor(&b.pictures))?;
        let noise = over_batches(&|b, i| {
            compare(&b.pictures, &noise_like(&b.pictures, self.seed.wrapping_add(i as u64)))
        })?;
        let floors = Floors { flat_grey: all(&grey)?, noise: all(&noise)? };
        Ok(Judged { figures: all(&comparisons)?, floors, comparisons, grey, noise })
    }
}
