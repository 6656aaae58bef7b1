//! Which attack is made: gradient matching, SPEAR, or the first that applies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackError, Found, Hooks, Outcome,
    config::LabelStrategy,
    exact::{
        ExactError, Spear,
        batch::{ExactBatch, check_protocol, check_victim, restore_batch},
        inversion::{Features, pictures},
        layers::{linear_layers, relu_layer},
    },
    guidance::Guide,
    invert::{LabelSource, Reconstruction, Setting, Target, matched, restore_labels},
    labels::Method,
    patches::{self, PatchError, Patches},
    recompute::{Recomputing, does_not_fit},
};
use crate::{device::Device, federated::Victim};

/// What restores the pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "spear")]
pub enum Way {
    /// Gradient matching, as the other settings say.
    Matching,
    /// SPEAR: exact inputs of a linear layer with ReLU (Dimitrov 2024).
    Spear(Spear),
    /// A vision transformer's picture from the gradients of its patches and positions (Lu 2022).
    Patches,
    /// SPEAR where it gives pictures, then patches; else matching, for one picture with the exact label.
    Auto(Spear),
}

/// Attacks every target in the configuration's way, and recomputes the gradient of each reconstruction.
///
/// # Errors
/// As of matching; SPEAR's, where it is asked for by name.
pub fn attack(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    setting.check(guide, targets)?;
    let mut found = match &setting.config.way {
        Way::Matching => matched(device, setting, guide, targets, hooks)?,
        Way::Spear(settings) => {
            let mut found = vec![];
            for (number, target) in targets.iter().enumerate() {
                match restored(setting, settings, target, hooks.stop) {
                    Ok(batch) => found.push(reconstruction(device, setting, batch, number, target, hooks)?),
                    // As matching does: what was found until then.
                    Err(ExactError::Stopped { .. }) if number > 0 => break,
                    Err(cause) => return Err(AttackError::Exact { target: number, cause }),
                }
            }
            found
        }
        Way::Patches => {
            let each = targets.iter().enumerate();
            each.map(|(number, target)| patched(setting, number, target)).collect::<Result<_, _>>()?
        }
        Way::Auto(settings) => auto(device, setting, settings, guide, targets, hooks)?,
    };
    recompute(device, setting, targets, &mut found)?;
    Ok(found)
}

/// Whether the attack that is asked for by name can be made on such a victim and protocol.
pub(super) fn check(setting: &Setting, guide: Option<&Guide>) -> Result<(), AttackError> {
    if setting.config.way == Way::Patches {
        return patches_apply(setting, guide).map_err(|cause| AttackError::Patches { target: 0, cause });
    }
    let Way::Spear(settings) = &setting.config.way else { return Ok(()) };
    let can = match guide {
        Some(_) => Err(ExactError::Guided),
        None => check_protocol(setting.protocol, setting.batch)
            .and_then(|()| check_victim(setting.victim, setting.batch, settings)),
    };
    can.map_err(|cause| AttackError::Exact { target: 0, cause })
}

/// Each target by the first attack that applies.
fn auto(
    device: &dyn Device,
    setting: &Setting,
    settings: &Spear,
    guide: Option<&Guide>,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    let mut exact: Vec<Result<Reconstruction, String>> = vec![];
    for (number, target) in targets.iter().enumerate() {
        let batch =
            applies(setting, settings, guide).and_then(|()| tried(setting, settings, target, hooks.stop));
        exact.push(match batch {
            Ok(batch) => {
                let reason = format!(
                    "spear: '{}' takes the pictures themselves and ReLU follows it, so that they can be computed",
                    batch.layer.name
                );
                let found = reconstruction(device, setting, batch, number, target, hooks)?;
                Ok(Reconstruction { reason: Some(reason), ..found })
            }
            Err(reason) => match patches_apply(setting, guide).map(|()| patched(setting, number, target)) {
                Ok(Ok(found)) if found.label_warnings.is_empty() => Ok(found),
                _ => Err(reason),
            },
        });
    }
    let left: Vec<Target> =
        targets.iter().zip(&exact).filter(|(_, found)| found.is_err()).map(|(t, _)| t.clone()).collect();
    let mut matched = match left.is_empty() {
        true => vec![],
        false => matched(device, setting, guide, &left, hooks)?,
    }
    .into_iter();
    let mut next = |why: String| {
        let found = matched.next()?;
        let way = match found.label_source {
            LabelSource::Restored(Method::Exact) => "gradient matching with the exact label of one picture",
            _ => "gradient matching",
        };
        Some(Reconstruction { reason: Some(format!("{way}; spear was passed over: {why}")), ..found })
    };
    // Told to stop, matching has fewer: then what follows the first gap is left out, too.
    Ok(exact.into_iter().map_while(|found| found.map_or_else(&mut next, Some)).collect())
}

/// Whether a picture can be found from its patches.
fn patches_apply(setting: &Setting, guide: Option<&Guide>) -> Result<(), PatchError> {
    if guide.is_some() || !setting.views.is_empty() {
        return Err(PatchError::Changed);
    }
    check_protocol(setting.protocol, setting.batch)
        .map_err(|error| PatchError::Protocol(error.to_string()))?;
    patches::check(setting.victim, setting.batch)
}

/// The picture of a vision transformer's gradient, with the label restored or given.
fn patched(setting: &Setting, number: usize, target: &Target) -> Result<Reconstruction, AttackError> {
    let found = patches::picture(setting.victim, &target.gradient, setting.batch)
        .map_err(|cause| AttackError::Patches { target: number, cause })?;
    let known =
        restore_labels(setting, target).map_err(|cause| AttackError::Labels { target: number, cause })?;
    let labels = known.labels.ok_or_else(|| {
        AttackError::Invalid("patches are found with a label, not before it is learned".into())
    })?;
    let Patches { picture, tokens, rank, condition } = found;
    let mut label_warnings = known.warnings;
    if rank < tokens {
        label_warnings.push(format!(
            "the derivatives by the {tokens} patches have rank {rank}: the picture is not exact"
        ));
    }
    let images = Outcome {
        images: picture,
        label_logits: None,
        objective: 0.0,
        norm_ratio: 1.0,
        stopped: None,
        history: vec![],
        film: vec![],
        stages: vec![],
    };
    Ok(Reconstruction {
        trials: vec![images],
        best: 0,
        labels,
        label_source: known.source,
        label_warnings,
        exact: None,
        reason: Some(format!(
            "patches: a position embedding is added to each, and its gradient has rank {rank} of {tokens}, condition {condition:.0}"
        )),
        recomputed: None,
    })
}

/// Whether SPEAR would give pictures.
fn applies(setting: &Setting, settings: &Spear, guide: Option<&Guide>) -> Result<(), String> {
    if guide.is_some() {
        return Err("names guide the pictures, which only matching can follow".into());
    }
    if !setting.views.is_empty() {
        return Err("the client's defence changes the gradient".into());
    }
    check_protocol(setting.protocol, setting.batch).map_err(|error| error.to_string())?;
    let first = relu_layer(setting.victim, settings.layer.as_deref()).map_err(|error| error.to_string())?;
    let layer = linear_layers(setting.victim).swap_remove(first);
    match layer.reads_picture {
        true => Ok(()),
        false => Err(format!("'{}' takes features, not pictures", layer.name)),
    }
}

/// What SPEAR makes of a target, if its pictures agree with the gradient.
fn tried(
    setting: &Setting,
    settings: &Spear,
    target: &Target,
    stop: &dyn Fn() -> bool,
) -> Result<ExactBatch, String> {
    let batch = restored(setting, settings, target, stop).map_err(|error| error.to_string())?;
    match batch.agrees {
        true => Ok(batch),
        false => Err(format!(
            "after {} sets of rows, the pictures switch on only {:.1} % of the units that the gradient says",
            batch.record.row_sets,
            100.0 * batch.record.agreement
        )),
    }
}

/// Whether the label of one picture is left to the exact rule, which needs the last layer's bias.
pub(super) fn takes_exact_label(setting: &Setting) -> bool {
    matches!(setting.config.way, Way::Auto(_) | Way::Patches)
        && setting.batch == 1
        && setting.config.labels == LabelStrategy::Auto
        && setting.victim.last_layer().1.is_some()
}

fn restored(
    setting: &Setting,
    settings: &Spear,
    target: &Target,
    stop: &dyn Fn() -> bool,
) -> Result<ExactBatch, ExactError> {
    check_protocol(setting.protocol, setting.batch)?;
    check_sent(setting.victim, settings, target)?;
    let batch =
        restore_batch(setting.victim, &target.gradient, Some(setting.batch), settings, setting.seed, stop)?;
    Ok(match &target.labels {
        Some(labels) => batch.ordered_as(labels),
        None => batch,
    })
}

/// Tensors that the client did not send are 0 and count nothing.
fn check_sent(victim: &Victim, settings: &Spear, target: &Target) -> Result<(), ExactError> {
    let Some(weights) = &target.weights else { return Ok(()) };
    let first = relu_layer(victim, settings.layer.as_deref())?;
    let needed = linear_layers(victim).split_off(first);
    let mut tensors = needed.iter().flat_map(|layer| layer.weight..=layer.weight + usize::from(layer.bias));
    match tensors.find(|&at| weights[at] == 0.0) {
        Some(at) => {
            let name = &victim.gradient_specs()[at].name;
            Err(ExactError::Changed(format!("the gradient of '{name}' was not sent")))
        }
        None => Ok(()),
    }
}

/// An exact batch as a reconstruction: its inputs are the pictures, or features that pictures are found for.
fn reconstruction(
    device: &dyn Device,
    setting: &Setting,
    batch: ExactBatch,
    number: usize,
    target: &Target,
    hooks: &mut Hooks,
) -> Result<Reconstruction, AttackError> {
    let inputs: Vec<f32> = batch.inputs.values.iter().map(|&v| v as f32).collect();
    let given = target.labels.as_ref().is_some_and(|labels| *labels == batch.labels);
    let mut warnings = batch.warnings();
    if target.labels.is_some() && !given {
        warnings.push("the labels that the gradient shows are not those that were given".into());
    }
    let trials: Vec<Outcome> = if batch.record.pictures {
        // The objective follows when the gradient is recomputed.
        vec![Outcome {
            images: inputs,
            label_logits: None,
            objective: 0.0,
            norm_ratio: 1.0,
            stopped: None,
            history: vec![],
            film: vec![],
            stages: vec![],
        }]
    } else {
        let features = Features { layer: &batch.layer, at: batch.at, values: &inputs, target: number };
        let found = pictures(device, setting, &features, hooks)?;
        let outcome = |mut found: Found| Outcome {
            images: found.values.swap_remove(0),
            label_logits: None,
            objective: found.objective,
            norm_ratio: found.norm_ratio,
            stopped: found.stopped,
            history: found.history,
            film: vec![],
            stages: vec![],
        };
        found.into_iter().map(outcome).collect()
    };
    let best = (0..trials.len())
        .min_by(|&a, &b| trials[a].objective.total_cmp(&trials[b].objective))
        .filter(|&b| trials[b].objective.is_finite())
        .ok_or(AttackError::NotFinite { target: number })?;
    Ok(Reconstruction {
        trials,
        best,
        labels: batch.labels,
        label_source: if given { LabelSource::Given } else { LabelSource::Exact },
        label_warnings: warnings,
        exact: Some(batch.record),
        reason: None,
        recomputed: None,
    })
}

/// The gradient of every best reconstruction beside the observed one; where the device has no memory for it, not.
fn recompute(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
    found: &mut [Reconstruction],
) -> Result<(), AttackError> {
    let mut recomputing = match Recomputing::new(device, setting) {
        Err(error) if does_not_fit(&error) => return Ok(()),
        recomputing => recomputing?,
    };
    for (found, target) in found.iter_mut().zip(targets) {
        found.recomputed = recomputing.of(&found.best().images, &found.labels, target)?;
        let computed = found.exact.is_none() && found.best().history.is_empty();
        let pictures = computed || found.exact.as_ref().is_some_and(|exact| exact.pictures);
        if let (true, Some(again)) = (pictures, found.recomputed) {
            let best = &mut found.trials[found.best];
            best.objective = again.cosine_distance as f32;
            best.norm_ratio = again.norm_ratio as f32;
        }
    }
    Ok(())
}
