//! One or many observed gradients in, pictures out: restarts and targets run as trials of one plan.

use super::{
    AttackError, Hooks, Outcome,
    config::{LabelStrategy, Optimiser},
    exact::ExactRecord,
    guidance::Guide,
    labels::{LabelError, Method},
    last_layer::of_gradient,
    recompute::Recomputed,
    round::Round,
    rounds,
    sought::Labelled,
    stage::{self, Stage, of_config},
    way,
};
use crate::{
    data::{DataError, Picture},
    device::Device,
};

pub use super::setting::{Setting, Target, Trial};

impl Setting<'_> {
    /// Reconstructions as pictures, a list a target.
    pub fn pictures(&self, found: &[Reconstruction]) -> Result<Vec<Vec<Picture>>, DataError> {
        let [_, height, width] = self.victim.image_shape();
        found.iter().map(|f| self.normalisation.denormalise(&f.best().images, height, width)).collect()
    }
}

/// Where a reconstruction's labels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// The eavesdropper was told them.
    Given,
    /// Read off the last layer's gradient by this method.
    Restored(Method),
    /// Optimised together with the pictures.
    Joint,
    /// Read with the exactly restored pictures.
    Exact,
}

impl LabelSource {
    /// As reports write it: `given`, `joint`, `spear` or the method's name.
    pub fn name(self) -> &'static str {
        match self {
            LabelSource::Given => "given",
            LabelSource::Restored(method) => method.name(),
            LabelSource::Joint => "joint",
            LabelSource::Exact => "spear",
        }
    }
}

impl serde::Serialize for LabelSource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What the attack makes of one target.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Every restart, in order; under guidance all restarts of the first hypothesis, then of the second, and so on.
    pub trials: Vec<Outcome>,
    /// The trial with the lowest objective.
    pub best: usize,
    /// `(B)`
    pub labels: Vec<usize>,
    /// Where `labels` come from.
    pub label_source: LabelSource,
    /// Where the method that restored the labels finds its assumptions broken.
    pub label_warnings: Vec<String>,
    /// What of it is exact, if anything is.
    pub exact: Option<ExactRecord>,
    /// Why this attack was made, where that was left open.
    pub reason: Option<String>,
    /// The gradient that it would give itself; absent where there was no memory to compute it, or it is not finite.
    pub recomputed: Option<Recomputed>,
}

impl Reconstruction {
    /// The trial with the lowest objective.
    pub fn best(&self) -> &Outcome {
        &self.trials[self.best]
    }
}

/// What is known of a target's labels before the attack.
pub(super) struct Known {
    /// `None`: they are to be learned.
    pub labels: Option<Vec<usize>>,
    pub source: LabelSource,
    pub warnings: Vec<String>,
}

/// Attacks every target; the result's order is the targets'. Told to stop, it returns what it has of the first of them.
///
/// # Errors
/// [`AttackError::Stopped`] where it has nothing yet.
pub fn invert(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    invert_guided(device, setting, None, targets, hooks)
}

/// As [`invert`], each target under each of its hypotheses: same starts, same budget, trials of the same plans. Where
/// the configuration has no guidance, or one of weight 0, hypotheses change nothing.
///
/// # Errors
/// A hypothesis names a label that no target has; labels that the attack is to learn; an optimiser that is not Adam.
pub fn invert_guided(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    way::attack(device, setting, guide, targets, hooks)
}

/// As [`invert_guided`], by gradient matching whatever the configuration's way.
pub(super) fn matched(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    let before = labels_before(setting, guide, targets)?;
    let labels: Vec<Option<Vec<usize>>> = before.iter().map(|known| known.labels.clone()).collect();
    let hypotheses: Vec<usize> = (0..targets.len()).map(|target| hypotheses_of(guide, target)).collect();
    let labelled = Labelled { first: setting.first, labels: &labels, hypotheses: &hypotheses };
    let stages = of_config(setting, guide.is_some(), labelled)?;
    invert_known(device, setting, guide, &stages, (targets, before), hooks)
}

/// As [`invert_guided`], by stages that are not the configuration's own, such as those of another
/// [`Unknown`](super::unknown::Unknown) than pixels.
///
/// # Errors
/// Also a stage that cannot take what the one before hands over.
pub fn invert_in_stages(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    stages: &[Stage],
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    let before = labels_before(setting, guide, targets)?;
    invert_known(device, setting, guide, stages, (targets, before), hooks)
}

/// What is known of the labels of targets that can be attacked.
fn labels_before(
    setting: &Setting,
    guide: Option<&Guide>,
    targets: &[Target],
) -> Result<Vec<Known>, AttackError> {
    setting.check(guide, targets)?;
    match targets.iter().position(Target::is_zero) {
        Some(target) => Err(AttackError::ZeroGradient { target }),
        None => restored(setting, targets),
    }
}

/// Under how many hypotheses a target is attacked.
fn hypotheses_of(guide: Option<&Guide>, target: usize) -> usize {
    guide.map_or(1, |guide| guide.hypotheses[target].len().max(1))
}

fn invert_known(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    stages: &[Stage],
    (targets, before): (&[Target], Vec<Known>),
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    let weight = setting.config.guidance.map_or(0.0, |guidance| guidance.weight);
    stage::check(stages, setting, guide.is_some() && weight != 0.0)?;
    let known: Vec<Option<Vec<usize>>> = before.iter().map(|k| k.labels.clone()).collect();
    if let Some(guide) = guide {
        check_guide(setting, guide, &known)?;
    }
    let restarts = setting.restarts;
    let trials: Vec<Trial> = (0..targets.len())
        .flat_map(|target| (0..hypotheses_of(guide, target)).map(move |hypothesis| (target, hypothesis)))
        .flat_map(|(target, hypothesis)| {
            (0..restarts).map(move |restart| Trial { target, hypothesis, restart })
        })
        .collect();
    let all = Round { setting, targets, known: &known, guide, trials: &trials };
    let outcomes = rounds::attack(device, &all, stages, hooks)?;
    let told = (hooks.stop)();
    let (mut outcomes, mut found) = (outcomes.into_iter(), vec![]);
    for target in 0..targets.len() {
        let own = hypotheses_of(guide, target) * restarts;
        let trials: Vec<Outcome> = outcomes.by_ref().take(own).collect();
        // Where the attack was told to stop, the last targets may have no trials, not all of them, or none with a result.
        if trials.len() < own || told && trials.iter().all(nothing_counts_yet) {
            break;
        }
        let best = (0..trials.len())
            .min_by(|&a, &b| trials[a].objective.total_cmp(&trials[b].objective))
            .filter(|&b| trials[b].objective.is_finite())
            .ok_or(AttackError::NotFinite { target })?;
        let (label_source, label_warnings) = (before[target].source, before[target].warnings.clone());
        let labels = known[target].clone().unwrap_or_else(|| learned(&trials[best], setting));
        found.push(Reconstruction {
            trials,
            best,
            labels,
            label_source,
            label_warnings,
            exact: None,
            reason: None,
            recomputed: None,
        });
    }
    if found.is_empty() { Err(AttackError::Stopped) } else { Ok(found) }
}

/// Whether a trial was told to stop before an iterate of it could be kept: what names still guide is no candidate.
fn nothing_counts_yet(trial: &Outcome) -> bool {
    trial.objective == f32::INFINITY && trial.stopped.is_none()
}

/// The labels of each target before the attack: given, or restored; `None` where the attack is to learn them.
pub fn known_labels(setting: &Setting, targets: &[Target]) -> Result<Vec<Option<Vec<usize>>>, AttackError> {
    setting.check(None, targets)?;
    Ok(restored(setting, targets)?.into_iter().map(|known| known.labels).collect())
}

fn restored(setting: &Setting, targets: &[Target]) -> Result<Vec<Known>, AttackError> {
    let of = |(target, t)| restore_labels(setting, t).map_err(|cause| AttackError::Labels { target, cause });
    targets.iter().enumerate().map(of).collect()
}

/// Whether the attack can be guided so.
fn check_guide(setting: &Setting, guide: &Guide, known: &[Option<Vec<usize>>]) -> Result<(), AttackError> {
    let invalid = |message: String| Err(AttackError::Invalid(message));
    if !matches!(setting.config.optimiser, Optimiser::Adam { .. }) {
        return invalid(format!("guidance needs Adam, preset {} uses L-BFGS", setting.config.preset));
    }
    let channels = setting.victim.image_shape()[0];
    if !matches!(channels, 1 | 3) {
        return invalid(format!("guidance needs pictures of 1 or 3 channels, the victim's have {channels}"));
    }
    if known.iter().any(Option::is_none) {
        return invalid(
            "guidance needs labels that are given or restored before the attack, these are learned with it"
                .into(),
        );
    }
    let mut labels: Vec<usize> = known.iter().flatten().flatten().copied().collect();
    labels.sort_unstable();
    labels.dedup();
    let guided = guide.hypotheses.iter().flatten().flat_map(|hypothesis| hypothesis.keys());
    match guided.copied().find(|label| !labels.contains(label)) {
        Some(label) => Err(AttackError::GuidedLabel { label, labels }),
        None => Ok(()),
    }
}

/// Labels before the attack, and the method that restored them; `None` where the attack is to learn them.
pub(super) fn restore_labels(setting: &Setting, target: &Target) -> Result<Known, LabelError> {
    if let Some(labels) = &target.labels {
        return Ok(Known { labels: Some(labels.clone()), source: LabelSource::Given, warnings: vec![] });
    }
    let read = |method| of_gradient(setting.victim, &target.gradient, method, setting.batch);
    let restored = match setting.config.labels {
        LabelStrategy::Joint => {
            return Ok(Known { labels: None, source: LabelSource::Joint, warnings: vec![] });
        }
        LabelStrategy::Auto => {
            let exact = way::takes_exact_label(setting).then(|| read(Method::Exact));
            match exact.unwrap_or_else(|| read(Method::Ilrg)) {
                // Without a bias, or with a gradient of it that was left out, the rows of ∇W still say.
                Err(LabelError::NoBias { .. } | LabelError::NoFeature { .. }) if setting.batch == 1 => {
                    read(Method::Idlg)?
                }
                restored => restored?,
            }
        }
        LabelStrategy::Restore(method) => read(method)?,
    };
    Ok(Known {
        labels: Some(restored.labels()),
        source: LabelSource::Restored(restored.method),
        warnings: restored.warnings,
    })
}

fn learned(outcome: &Outcome, setting: &Setting) -> Vec<usize> {
    let logits = outcome.label_logits.as_deref().unwrap_or_default();
    let largest = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
    logits.chunks(setting.victim.model.classes).map(largest).collect()
}
