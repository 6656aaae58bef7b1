//! One or many observed gradients in, pictures out: restarts and targets run as trials of one plan.

use super::{
    AttackError, Hooks, Outcome, adam,
    config::{AttackConfig, LabelStrategy, Optimiser, Start},
    labels, lbfgs,
    minimise::Lbfgs,
    problem::{Problem, Sizes},
};
use crate::{
    data::Normalisation,
    device::{Device, Executable},
    federated::Victim,
    nn::loss::one_hot,
    random,
};

/// Most trials of one plan, and the memory they may take together.
const MAX_TRIALS: usize = 64;
const MAX_BYTES: u64 = 4 << 30;

/// An observed gradient and what is known of its batch.
#[derive(Clone, Debug)]
pub struct Target {
    /// One tensor a trainable parameter, row-major.
    pub gradient: Vec<Vec<f32>>,
    /// In the order of the reconstructed images, if the eavesdropper is given them.
    pub labels: Option<Vec<usize>>,
}

/// What all targets have in common.
pub struct Setting<'a> {
    pub victim: &'a Victim,
    /// `B`
    pub batch: usize,
    pub normalisation: &'a Normalisation,
    pub config: &'a AttackConfig,
    /// Restarts of each target.
    pub restarts: usize,
    pub seed: u64,
}

/// Where a reconstruction's labels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    Given,
    Idlg,
    Joint,
}

/// What the attack makes of one target.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Every restart, in order.
    pub trials: Vec<Outcome>,
    /// The restart with the lowest objective.
    pub best: usize,
    /// `(B)`
    pub labels: Vec<usize>,
    pub label_source: LabelSource,
}

impl Reconstruction {
    pub fn best(&self) -> &Outcome {
        &self.trials[self.best]
    }
}

/// Attacks every target; the result's order is the targets'.
pub fn invert(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
    hooks: &mut Hooks,
) -> Result<Vec<Reconstruction>, AttackError> {
    if targets.iter().any(|t| t.labels.is_some() != targets[0].labels.is_some()) {
        return Err(AttackError::Invalid("labels are given for some targets and not for others".into()));
    }
    let zero = |t: &Target| t.gradient.iter().flatten().all(|&v| v == 0.0);
    if let Some(target) = targets.iter().position(zero) {
        return Err(AttackError::ZeroGradient { target });
    }
    let known = targets.iter().map(|t| restore_labels(setting, t)).collect::<Result<Vec<_>, _>>()?;
    // (target, restart)
    let trials: Vec<(usize, usize)> =
        (0..targets.len()).flat_map(|t| (0..setting.restarts.max(1)).map(move |r| (t, r))).collect();
    let joint = known.iter().any(Option::is_none);
    let round = trials_at_once(setting, joint, trials.len());
    let rounds = trials.len().div_ceil(round);
    let mut outcomes = Vec::with_capacity(trials.len());
    for (i, now) in trials.chunks(round).enumerate() {
        let mut progress = |done: usize, of: usize, latest: &[f32]| {
            (hooks.progress)(i * of + done, rounds * of, latest);
        };
        outcomes.extend(attack(
            device,
            setting,
            targets,
            &known,
            now,
            &mut Hooks { progress: &mut progress },
        )?);
    }
    let mut outcomes = outcomes.into_iter();
    (0..targets.len())
        .map(|target| {
            let trials: Vec<Outcome> = outcomes.by_ref().take(setting.restarts.max(1)).collect();
            let best = (0..trials.len())
                .min_by(|&a, &b| trials[a].objective.total_cmp(&trials[b].objective))
                .filter(|&b| trials[b].objective.is_finite())
                .ok_or(AttackError::NotFinite { target })?;
            let (labels, label_source) = match (&targets[target].labels, &known[target]) {
                (Some(given), _) => (given.clone(), LabelSource::Given),
                (None, Some(restored)) => (restored.clone(), LabelSource::Idlg),
                (None, None) => (learned(&trials[best], setting), LabelSource::Joint),
            };
            Ok(Reconstruction { trials, best, labels, label_source })
        })
        .collect()
}

/// Labels before the attack; `None` where it is to learn them.
fn restore_labels(setting: &Setting, target: &Target) -> Result<Option<Vec<usize>>, AttackError> {
    if let Some(labels) = &target.labels {
        return Ok(Some(labels.clone()));
    }
    match setting.config.labels {
        LabelStrategy::Joint => Ok(None),
        LabelStrategy::Idlg if setting.batch != 1 => Err(AttackError::Invalid(format!(
            "iDLG restores the label of a batch of 1, this batch is {}: give the labels, or learn them with \
             the preset dlg",
            setting.batch
        ))),
        LabelStrategy::Idlg => {
            let last = setting.victim.last_weight().ok_or_else(|| {
                AttackError::Invalid(format!("{} has no linear layer for iDLG to read", setting.victim.name))
            })?;
            Ok(Some(vec![labels::idlg(&target.gradient[last], setting.victim.classes)]))
        }
    }
}

fn learned(outcome: &Outcome, setting: &Setting) -> Vec<usize> {
    let logits = outcome.label_logits.as_deref().unwrap_or_default();
    let largest = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
    logits.chunks(setting.victim.classes).map(largest).collect()
}

/// As many trials as memory allows, by the memory of a plan for one.
fn trials_at_once(setting: &Setting, joint: bool, wanted: usize) -> usize {
    if wanted == 1 {
        return 1;
    }
    let mut problem = problem(setting, joint, 1, false);
    let plan = match setting.config.optimiser {
        Optimiser::Adam { learning_rate, sign, schedule } => {
            let adam = adam::Adam { learning_rate, sign, schedule };
            adam::Iteration::new(&mut problem, adam, 1, None).plan
        }
        Optimiser::Lbfgs { .. } => lbfgs::plan(&problem),
    };
    let fit = (MAX_BYTES / plan.totals().memory.max(1)) as usize;
    fit.clamp(1, MAX_TRIALS).min(wanted)
}

fn problem(setting: &Setting, joint_labels: bool, trials: usize, shared_target: bool) -> Problem {
    let classes = setting.victim.classes;
    let sizes = Sizes { trials, batch: setting.batch, classes, shared_target, joint_labels };
    Problem::new(&*setting.victim.architecture, setting.config, sizes)
}

/// One round: these trials in one plan.
fn attack(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
    known: &[Option<Vec<usize>>],
    trials: &[(usize, usize)],
    hooks: &mut Hooks,
) -> Result<Vec<Outcome>, AttackError> {
    let shared = trials.iter().all(|t| t.0 == trials[0].0);
    let joint = known[trials[0].0].is_none();
    let mut problem = problem(setting, joint, trials.len(), shared);
    let observed: Vec<&Target> =
        if shared { vec![&targets[trials[0].0]] } else { trials.iter().map(|t| &targets[t.0]).collect() };
    let logits = || trials.iter().map(|&t| start_logits(setting, t));
    let label_rows = || -> Vec<f32> {
        let known = |t: &(usize, usize)| known[t.0].as_deref().unwrap_or_default();
        match joint {
            true => logits().flatten().collect(),
            false => trials.iter().flat_map(|t| one_hot(known(t), setting.victim.classes)).collect(),
        }
    };
    // Called when the device has taken the plan: what does not fit is refused before anything is drawn.
    let fill = |problem: &Problem, exe: &mut dyn Executable| -> Result<(), AttackError> {
        let starts: Vec<f32> = trials.iter().flat_map(|&t| start(setting, t)).collect();
        exe.write(problem.x, &starts)?;
        exe.write(problem.labels, &label_rows())?;
        for (i, &input) in problem.observed.iter().enumerate() {
            let values: Vec<f32> = observed.iter().flat_map(|t| t.gradient[i].iter().copied()).collect();
            exe.write(input, &values)?;
        }
        for (parameter, tensor) in problem.parameters.iter().zip(&setting.victim.tensors) {
            exe.write(parameter.stored, tensor)?;
        }
        Ok(())
    };
    let config = setting.config;
    match config.optimiser {
        Optimiser::Adam { learning_rate, sign, schedule } => {
            let bounds = setting.normalisation.bounds();
            let adam = adam::Adam { learning_rate, sign, schedule };
            let (iteration, mut exe) = adam::compile(device, &mut problem, config, adam, &bounds)?;
            fill(&problem, &mut *exe)?;
            iteration.run(&problem, &mut *exe, config.iterations, hooks)
        }
        Optimiser::Lbfgs { inner, history, stop } => {
            let mut exe = lbfgs::compile(device, &problem)?;
            fill(&problem, &mut *exe)?;
            let settings = Lbfgs { iterations: (config.iterations * inner) as u64, history, stop };
            let starts = trials.iter().map(|&t| start(setting, t));
            let starts = match joint {
                true => starts.zip(logits()).map(|(s, l)| [s, l].concat()).collect(),
                false => starts.collect(),
            };
            lbfgs::run(&problem, &mut *exe, starts, config.iterations, settings, hooks)
        }
    }
}

/// A trial's first images, normalised `(B,C,H,W)`.
fn start(setting: &Setting, (target, restart): (usize, usize)) -> Vec<f32> {
    let [c, h, w] = setting.victim.image_shape();
    let mut generator = random::generator(setting.seed, &format!("start {target} {restart}"));
    let mut x = random::normal(&mut generator, setting.batch * c * h * w);
    if setting.config.start == Start::NormalPixels {
        let (mean, std) = (setting.normalisation.mean(), setting.normalisation.std());
        for (i, plane) in x.chunks_mut(h * w).enumerate() {
            plane.iter_mut().for_each(|v| *v = (*v - mean[i % c]) / std[i % c]);
        }
    }
    x
}

/// A trial's first label logits `(B,K)`.
fn start_logits(setting: &Setting, (target, restart): (usize, usize)) -> Vec<f32> {
    let mut generator = random::generator(setting.seed, &format!("labels {target} {restart}"));
    random::normal(&mut generator, setting.batch * setting.victim.classes)
}
