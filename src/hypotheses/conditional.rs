//! Hypotheses by what a class-conditional generator can make: each is attacked by the latents alone, the generator asked for the
//! names. What it cannot make of a name, no pixel can make up for.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use super::HypothesesError;
use crate::{
    attack::{
        AttackError, Hooks,
        generated::{Classes, Latent, Prior, Source},
        guidance::{Guide, Hypothesis},
        invert::{Setting, Target, invert_in_stages},
        stage::{Begin, Stage},
    },
    audit::{Audit, AuditError, Outcome},
    data::place_of_name,
    device::Device,
    report::Timing,
    watch::{self, Watch},
};

/// The generator's class of each name; refuses a generator that knows none, or not these.
pub(super) fn classes_of(
    generator: Option<&Prior>,
    names: &[String],
    used: &BTreeSet<usize>,
) -> Result<Vec<Option<usize>>, HypothesesError> {
    let Some(generator) = generator else { return Err(HypothesesError::NoGenerator) };
    if generator.class_names.is_empty() {
        return Err(HypothesesError::NoClasses);
    }
    let known = &generator.class_names;
    let classes: Vec<Option<usize>> = names.iter().map(|name| place_of_name(known, name)).collect();
    match used.iter().find(|&&name| classes[name].is_none()) {
        Some(&name) => {
            Err(HypothesesError::UnknownClass { name: names[name].clone(), classes: known.join(", ") })
        }
        None => Ok(classes),
    }
}

/// Attacks every target under each of its hypotheses, from the same latents and with the same budget. `labels`: of each target;
/// `classes`: of each name of the guide's.
pub(super) fn attack(
    device: &dyn Device,
    audit: &Audit,
    (batch, targets): (usize, &[Target]),
    labels: &[Vec<usize>],
    guide: &Guide,
    classes: &[Option<usize>],
    watch: &dyn Watch,
) -> Result<Outcome, AuditError> {
    let Some(prior) = &audit.generator else { return Err(AuditError::misuse("there is no generator")) };
    let of_picture = |hypothesis: &Hypothesis, label: &usize| {
        hypothesis.get(label).and_then(|&name| classes[name]).unwrap_or(0)
    };
    let of_target = |(hypotheses, labels): (&Vec<Hypothesis>, &Vec<usize>)| -> Vec<Vec<usize>> {
        hypotheses.iter().map(|h| labels.iter().map(|label| of_picture(h, label)).collect()).collect()
    };
    let by_target: Vec<Vec<Vec<usize>>> = guide.hypotheses.iter().zip(labels).map(of_target).collect();
    let stage = watch::Stage::new(watch, "reconstructing by latents under hypotheses");
    let started = Instant::now();
    let mut progress = |done: usize, of: usize, latest: &[f32]| stage.iterations(done, of, latest);
    let stop: &(dyn Fn() -> bool + Sync) = &|| watch.is_stopped();
    let found = audit.with_setting(batch, |setting: &Setting| {
        let source = Source {
            generator: prior.generator.clone(),
            image: setting.victim.image_shape(),
            normalisation: setting.normalisation.clone(),
            output: setting.config.output,
            classes: Classes::Targets { first: setting.first, of: Arc::new(by_target) },
        };
        let config = setting.config;
        let unknown = Latent { batch, source, tensors: prior.tensors.clone(), latent_kl: config.latent_kl };
        let stages = [Stage::whole(Box::new(unknown), Begin::Anew, config.optimiser, config.iterations)];
        let checkpoints = audit.checkpoints.as_deref();
        let hooks = &mut Hooks { progress: &mut progress, stop, checkpoints };
        invert_in_stages(device, setting, Some(guide), &stages, targets, hooks)
    });
    let found = found.map_err(|error: AttackError| AuditError::from(error))?;
    let trials = found.iter().map(|r| r.trials.len()).sum();
    let timing = Timing::new(started.elapsed().as_secs_f64(), audit.attack.iterations, trials);
    Ok(Outcome { interrupted: watch.is_stopped(), ..audit.outcome(found, targets, timing)? })
}
