//! Whether the update tells who took part.

use super::{Audit, AuditError, Clients, Measure};
use crate::{
    audit::Suspects,
    data::Picture,
    device::Device,
    statistics::{Estimate, fraction_p_value},
    watch::Watch,
};

/// Fewer outsiders say too little of false alarms.
const FEWEST: usize = 19;

impl Audit {
    /// Share of the clients' pictures that are nearer to what their update spans than every picture of no client: members
    /// found at no false alarm. By chance it is one in as many as there are outsiders and the picture. `None` where the
    /// update has no such span (several local steps, batch norm in train mode, a batch too large for every layer), which is
    /// noted, and with fewer than 19 outsiders.
    ///
    /// # Errors
    /// What the clients' training refuses.
    pub fn membership(
        &self,
        device: &dyn Device,
        clients: &Clients,
        watch: &dyn Watch,
    ) -> Result<Option<Measure>, AuditError> {
        if clients.others.len() < FEWEST {
            return Ok(None);
        }
        let targets = self.capture(device, &clients.batches, watch)?.targets;
        let mut shares = vec![];
        for (target, batch) in targets.iter().zip(&clients.batches) {
            let named = |picture: &Picture| (String::new(), picture.clone());
            let candidates: Vec<(String, Picture)> = batch.pictures.iter().map(named).collect();
            let suspects =
                Suspects { candidates: &candidates, outsiders: &clients.others, alpha: 0.01, layer: None };
            let found = match self.contains(device, candidates.len(), target, &suspects) {
                Ok(found) => found,
                Err(why) => {
                    watch.note(&format!("membership is not measured: {why}"));
                    return Ok(None);
                }
            };
            let nearest = found.strangers.iter().copied().fold(f64::INFINITY, f64::min);
            let members = found.candidates.iter().filter(|c| c.verdict.distance < nearest).count();
            shares.push(members as f64 / candidates.len() as f64);
        }
        let (estimate, batches) = (Estimate::of_shares(&shares), shares.len() as f64);
        let floor = 1.0 / (clients.others.len() + 1) as f64;
        Ok(Some(Measure {
            estimate: estimate.mean,
            interval: estimate.interval_95,
            floor,
            p_value: Some(fraction_p_value(estimate.mean * batches, batches, floor)),
        }))
    }
}
