//! One arm of the study: its batches are captured, attacked, compared and read.

use std::{collections::BTreeSet, path::Path};

use super::{
    GuidanceStudy, Scene,
    arms::{Arm, Phase, Towards},
    made,
    table::{Measured, OfBatch},
};
use crate::{
    attack::{
        config::{AttackConfig, GeneratorClass},
        guidance::Guidance,
    },
    audit::{Attacked, Audit, AuditError, ClientBatch, Clients, Meanings, Outcome, read_batches},
    clip::zero_shot::Namer,
    data::{Picture, atomic},
    metrics::compare,
    report::{Skipped, picture_grid},
    semantic::{Assignment, Scorer, Seen, Truth},
    sweep::SweepError,
    watch::{Silent, Watch},
};

/// Pictures of an arm of the confirmation that are shown.
const SHOWN: usize = 16;

impl GuidanceStudy<'_> {
    pub(super) fn measure(
        &self,
        scene: &mut Scene,
        arm: Arm,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<Measured, SweepError> {
        let Scene { audit, order, namers, judge, pictures } = scene;
        let chosen = self.chosen(arm.phase, arm.batch_size, audit.seed)?;
        let mut batches = read_batches(self.dataset, &audit.victim, chosen)?;
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let names = order.names(&self.dataset.class_names);
        let told = match arm.towards {
            Towards::Nothing => None,
            Towards::TrueNames => Some(names.clone()),
            Towards::OtherNames => {
                let mut others = names.clone();
                others.rotate_left(1);
                Some(others)
            }
        };
        let audit = &Audit { attack: self.attack(audit, arm, told.as_deref()), ..audit.clone() };
        // A generator is told what it is to make; of everything else, the model that compares pictures with names pulls.
        let pulling = told.as_ref().filter(|_| arm.weight.is_some());
        let held = |index| batches.iter().any(|b| b.labels.contains(&index));
        let puller = &self.models[arm.puller].1;
        let meanings = pulling
            .map(|told| Meanings::oracle(told).only(held).encoded(puller, self.device, watch))
            .transpose()?;
        let Attacked { outcome, kept, skipped } =
            audit.run_possible(self.device, &batches, meanings.as_ref(), watch)?;
        for Skipped { batch, reason } in &skipped {
            watch.note(&format!("{arm}: batch {batch} is left out: {reason}"));
        }
        let Some(outcome) = outcome else { return Ok(Measured { arm, batches: vec![], skipped }) };
        let batches: Vec<ClientBatch> = kept.iter().map(|&i| batches[i].clone()).collect();
        let named = named_right(&mut namers[arm.puller], &names, &batches, &outcome)?;
        // Where nothing pulls, the model itself is no less a witness than another.
        let mut judge = judge.as_mut().or_else(|| namers.first_mut().filter(|_| !self.pulls()));
        let mut by_judge = |names: &[Option<String>]| {
            judge.as_mut().map(|judge| named_right(judge, names, &batches, &outcome)).transpose()
        };
        let judged = by_judge(&names)?;
        let as_told = told.as_deref().map(&mut by_judge).transpose()?.flatten();
        let clients = Clients {
            batches: batches.clone(),
            names: names.clone(),
            order: order.clone(),
            data: self.dataset.name.clone(),
            others: vec![],
        };
        let likeness = audit.likeness(self.device, &clients, &outcome.pictures, self.lpips)?;
        if arm.phase == Phase::Confirmation {
            pictures.extend(show(arm, &batches, &outcome, out)?);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let of_batch = |i: usize| {
            let compared = compare(&batches[i].pictures, &outcome.pictures[i]).map_err(AuditError::from)?;
            Ok(OfBatch {
                batch: kept[i],
                ssim: compared.ssim.one_to_one,
                psnr: compared.psnr.one_to_one,
                lpips: likeness[i].lpips.as_deref().map(mean),
                fmse: mean(&likeness[i].fmse),
                named: named[i],
                judged: judged.as_ref().map(|judged| judged[i]),
                judged_as_told: as_told.as_ref().map(|told| told[i]),
                objective: f64::from(outcome.found[i].best().objective),
            })
        };
        let of_batches = (0..batches.len()).map(of_batch).collect::<Result<_, SweepError>>()?;
        Ok(Measured { arm, batches: of_batches, skipped })
    }
}

impl GuidanceStudy<'_> {
    /// The arm's attack; `told`: what each index is taken to mean, if names guide.
    fn attack(&self, audit: &Audit, arm: Arm, told: Option<&[Option<String>]>) -> AttackConfig {
        let moved = arm.parameterisation;
        if moved.is_made() {
            let told = told.map(|told| GeneratorClass::Labels(Meanings::oracle(told).names));
            let generator_class = told.or(Some(GeneratorClass::Open));
            return AttackConfig { generator_class, ..made(audit, moved) };
        }
        let guidance = arm.weight.map(|weight| Guidance { weight, views: arm.views, ..self.schedule });
        AttackConfig { guidance, sought: moved.sought(), ..audit.attack.clone() }
    }
}

/// The first pictures of an arm over their originals.
fn show(
    arm: Arm,
    batches: &[ClientBatch],
    outcome: &Outcome,
    out: &Path,
) -> Result<Option<std::path::PathBuf>, SweepError> {
    let originals: Vec<Picture> = batches.iter().flat_map(|b| b.pictures.clone()).take(SHOWN).collect();
    let mut found = vec![];
    for (batch, pictures) in batches.iter().zip(&outcome.pictures) {
        // Each original over the reconstruction that is likest to it.
        let assigned = compare(&batch.pictures, pictures).map_err(AuditError::from)?.assignment_mse;
        let of = |original: usize| assigned.iter().position(|&own| own == original);
        found.extend((0..pictures.len()).map(|i| pictures[of(i).unwrap_or(i)].clone()));
    }
    found.truncate(SHOWN);
    let kind = format!("{}-{}", arm.towards.name(), arm.parameterisation);
    let path = out.join(format!("pictures-B{}-{kind}.png", arm.batch_size));
    let rows = [("original", &originals[..]), ("reconstruction", &found[..])];
    let grid = picture_grid(&rows, &[]).map_err(AuditError::from)?;
    atomic::write_bytes(&path, &grid)?;
    Ok(Some(path))
}

/// Share of each batch's indices named right, from it alone.
fn named_right(
    namer: &mut Namer,
    names: &[Option<String>],
    batches: &[ClientBatch],
    outcome: &Outcome,
) -> Result<Vec<f64>, AuditError> {
    let truth = Truth::new(names, &namer.labels);
    let mut shares = vec![];
    for ((batch, found), pictures) in batches.iter().zip(&outcome.found).zip(&outcome.pictures) {
        let shown = pictures.iter().map(|p| ("a reconstruction".to_string(), Ok(p.clone())));
        let rows = namer.rows(shown, &Silent)?;
        let seen = [Seen { indices: found.labels.clone(), rows: rows.probabilities }];
        let present = [batch.labels.iter().copied().collect::<BTreeSet<usize>>()];
        let scorer = Scorer { seen: &seen, present: &present, truth: &truth, weights: &[1.0] };
        let (right, of) = scorer.right(Assignment::Greedy, &[0])?;
        shares.push(right as f64 / of.max(1) as f64);
    }
    Ok(shares)
}
