//! Whether the attack did its work: its objective against the same objective at pictures that know nothing, and at the
//! originals.

use super::{Audit, AuditError, ClientBatch, Outcome, doubts::is_of_another_length};
use crate::{
    attack::{
        config::Objective,
        evaluate::{Candidate, Evaluation},
        invert::{Reconstruction, Target},
    },
    data::{Picture, samples},
    device::Device,
    metrics::{SSIM_WINDOW, noise_like, ssim_table},
    report::{Testing, Validity},
    watch::{Stage, Watch},
};

/// Batches of pictures that know nothing: one of flat grey, these of noise, these of pictures of other people.
const NOISE: usize = 9;
const UNRELATED: usize = 10;

impl Audit {
    /// Holds every reconstruction's objective against what pictures that know nothing reach and, where the clients are
    /// known, against the originals' own; nothing is optimised. `outcome` keeps what was found.
    ///
    /// # Errors
    /// What the device refuses.
    pub fn validate(
        &self,
        device: &dyn Device,
        targets: &[Target],
        clients: Option<&[ClientBatch]>,
        outcome: &mut Outcome,
        watch: &dyn Watch,
    ) -> Result<(), AuditError> {
        if targets.is_empty() {
            return Ok(());
        }
        let stage = Stage::new(watch, "testing the attack");
        let batch = outcome.found[0].labels.len();
        let found = &outcome.found;
        outcome.validity = self.with_setting(batch, |setting| {
            let mut evaluation = Evaluation::new(device, setting, targets, 1 + NOISE + UNRELATED)?;
            let mut all = vec![];
            for (number, (target, found)) in targets.iter().zip(found).enumerate() {
                let mut candidates = self.ignorant(found, clients, number)?;
                let nulls = candidates.len();
                if let Some(client) = clients.map(|all| &all[number]) {
                    let pictures = self.normalisation.normalise(&client.pictures)?;
                    candidates.push(Candidate { pictures, labels: client.labels.clone() });
                }
                let fits: Vec<f32> =
                    evaluation.of(target, &candidates)?.iter().map(|f| f.objective).collect();
                let best = found.best();
                let validity = Validity {
                    objective: best.objective,
                    at_originals: fits.get(nulls).copied(),
                    null: fits[..nulls].to_vec(),
                    norm_ratio: best.norm_ratio,
                    plateau: false,
                    restarts_agree: self.agreement(found)?,
                    failed: vec![],
                };
                let tests = Testing {
                    defended: !self.defences.is_empty(),
                    rounding: self.rounding(target),
                    of_another_length: is_of_another_length(self, best.norm_ratio),
                };
                all.push(validity.judge(&best.history, tests));
                stage.count(number + 1, targets.len());
            }
            Ok::<_, AuditError>(all)
        })?;
        Ok(())
    }

    /// What f32 leaves of an objective that is 0: about so much of what an objective is that matches nothing.
    fn rounding(&self, target: &Target) -> f32 {
        let sum =
            |of: fn(f64) -> f64| target.gradient.iter().flatten().map(|&v| of(f64::from(v))).sum::<f64>();
        let all = match self.attack.objective {
            Objective::L2 => sum(|v| v * v),
            Objective::L1 => sum(f64::abs),
            Objective::Cosine | Objective::CosineTop(_) | Objective::CosineLayerwise => 1.0,
        };
        (1e-6 * all) as f32
    }

    /// Batches of pictures that know nothing of this one, with the labels that were found.
    fn ignorant(
        &self,
        found: &Reconstruction,
        clients: Option<&[ClientBatch]>,
        number: usize,
    ) -> Result<Vec<Candidate>, AuditError> {
        let (shape, batch) = (self.victim.image_shape(), found.labels.len());
        let [channels, height, width] = shape;
        let grey = vec![Picture::flat(channels, height, width, 0.5)?; batch];
        // Of the other clients, from the next one on; the samples where these have too few.
        let wanted = UNRELATED * batch;
        let all = clients.unwrap_or_default();
        let mut others: Vec<Picture> = (1..all.len())
            .flat_map(|step| all[(number + step) % all.len()].pictures.iter().cloned())
            .take(wanted)
            .collect();
        if others.len() < wanted {
            let samples = samples();
            let picture = |i| Ok::<_, AuditError>(samples.picture(i)?.fitted(shape)?);
            let more = (0..samples.len().min(wanted - others.len())).map(picture);
            others.extend(more.collect::<Result<Vec<Picture>, _>>()?);
        }
        let unrelated = (0..UNRELATED).map(|n| {
            // Another shift each time round, so that no batch comes twice while pictures last.
            let at = |i: usize| others[(n * batch + i + n * batch / others.len()) % others.len()].clone();
            (0..batch).map(at).collect::<Vec<Picture>>()
        });
        let noise = (0..NOISE).map(|n| {
            let seed = self.seed.wrapping_add((number * NOISE + n) as u64);
            noise_like(&grey, seed)
        });
        let batches = [grey.clone()].into_iter().chain(noise).chain(unrelated);
        let candidate = |pictures: Vec<Picture>| {
            let pictures = self.normalisation.normalise(&pictures)?;
            Ok(Candidate { pictures, labels: found.labels.clone() })
        };
        batches.map(candidate).collect()
    }

    /// How like each other the reconstructions of different restarts are, picture by picture with its best match.
    fn agreement(&self, found: &Reconstruction) -> Result<Option<f64>, AuditError> {
        let [_, height, width] = self.victim.image_shape();
        let finite: Vec<_> = found.trials.iter().filter(|t| t.objective.is_finite()).collect();
        if finite.len() < 2 || height.min(width) < SSIM_WINDOW {
            return Ok(None);
        }
        let best = self.normalisation.denormalise(&found.best().images, height, width)?;
        let mut likeness = vec![];
        for trial in finite.into_iter().filter(|&t| !std::ptr::eq(t, found.best())) {
            let pictures = self.normalisation.denormalise(&trial.images, height, width)?;
            let table = ssim_table(&best, &pictures)?;
            let rows = table.chunks(pictures.len());
            likeness.extend(rows.map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
        }
        Ok(Some(likeness.iter().sum::<f64>() / likeness.len() as f64))
    }
}
