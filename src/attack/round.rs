//! One round of trials: what it attacks, and what the host writes to its problem's inputs.

use super::{
    AttackError,
    config::Objective,
    guidance::{Guide, Inputs},
    problem::Problem,
    setting::{Setting, Target, Trial},
    unknown::{Unknown, of_all, write_constants},
};
use crate::{device::Executable, nn::loss::one_hot, random};

/// What a round attacks, and from which labels.
#[derive(Clone, Copy)]
pub(crate) struct Round<'a> {
    pub setting: &'a Setting<'a>,
    pub targets: &'a [Target],
    /// Labels of each target; `None` where the attack is to learn them, for all or for none.
    pub known: &'a [Option<Vec<usize>>],
    pub guide: Option<&'a Guide<'a>>,
    pub trials: &'a [Trial],
}

impl Round<'_> {
    /// Whether labels are learned with the pictures.
    pub(crate) fn joint(&self) -> bool {
        self.known.iter().any(Option::is_none)
    }
}

/// A trial's first label logits `(B,K)`.
pub(crate) fn logits(setting: &Setting, Trial { target, restart, .. }: Trial) -> Vec<f32> {
    let mut generator = random::generator(setting.seed, &format!("labels {target} {restart}"));
    random::normal(&mut generator, setting.batch * setting.victim.model.classes)
}

/// Called when the device has taken the plan: what does not fit is refused before anything is drawn. `starts[t]`: the
/// problem's variables of trial `t`.
pub(crate) fn fill(
    round: &Round,
    problem: &Problem,
    unknown: &dyn Unknown,
    starts: &[Vec<Vec<f32>>],
    exe: &mut dyn Executable,
) -> Result<(), AttackError> {
    let Round { setting, targets, known, trials, .. } = *round;
    for (i, moved) in problem.variables.iter().enumerate() {
        exe.write(moved.var, &of_all(starts, i))?;
    }
    write_constants(unknown, &problem.constants, exe)?;
    if !problem.sizes.joint_labels {
        let classes = setting.victim.model.classes;
        let rows = |t: &Trial| one_hot(known[t.target].as_deref().unwrap_or_default(), classes);
        exe.write(problem.labels, &trials.iter().flat_map(rows).collect::<Vec<_>>())?;
    }
    let observed: Vec<&Target> = match problem.sizes.shared_target {
        true => vec![&targets[trials[0].target]],
        false => trials.iter().map(|t| &targets[t.target]).collect(),
    };
    for (i, &input) in problem.observed.iter().enumerate() {
        let values: Vec<f32> = observed.iter().flat_map(|t| t.gradient[i].iter().copied()).collect();
        exe.write(input, &values)?;
    }
    if let Some(weights) = problem.weights {
        let values: Vec<f32> = observed.iter().flat_map(|t| t.weights.clone().unwrap_or_default()).collect();
        exe.write(weights, &values)?;
    }
    if let Some(unit) = problem.unit {
        let values: Vec<f32> = observed.iter().map(|t| (1.0 / t.norm()) as f32).collect();
        exe.write(unit, &values)?;
    }
    if let (Some(threshold), Objective::CosineTop(share)) = (problem.threshold, setting.config.objective) {
        let unit = |t: &Target| if problem.unit.is_some() { 1.0 / t.norm() } else { 1.0 };
        let least = |t: &&Target| (f64::from(magnitude_above(&t.gradient, share)) * unit(t)) as f32;
        let values: Vec<f32> = observed.iter().map(least).collect();
        exe.write(threshold, &values)?;
    }
    for (i, &(mean, variance)) in problem.statistics.iter().enumerate() {
        let values = |which: usize| -> Vec<f32> {
            let all = observed.iter().flat_map(|t| t.statistics.as_ref().map(|s| s[2 * i + which].clone()));
            all.flatten().collect()
        };
        exe.write(mean, &values(0))?;
        exe.write(variance, &values(1))?;
    }
    for (parameter, tensor) in problem.parameters.iter().zip(&setting.victim.tensors) {
        exe.write(parameter.stored, tensor)?;
    }
    match (problem.guidance, round.guide) {
        (Some(inputs), Some(guide)) => fill_names(round, &inputs, guide, exe),
        _ => Ok(()),
    }
}

/// The vector of each picture's name, of the first name where a picture has none and it does not count.
fn fill_names(
    round: &Round,
    inputs: &Inputs,
    guide: &Guide,
    exe: &mut dyn Executable,
) -> Result<(), AttackError> {
    let (mut names, mut named) = (vec![], vec![]);
    for trial in round.trials {
        let hypothesis = guide.hypotheses[trial.target].get(trial.hypothesis);
        for label in round.known[trial.target].iter().flatten() {
            let name = hypothesis.and_then(|h| h.get(label));
            let row = name.map_or(0, |&name| name * guide.width);
            names.extend(&guide.names[row..row + guide.width]);
            named.push(f32::from(u8::from(name.is_some())));
        }
    }
    exe.write(inputs.names, &names)?;
    Ok(exe.write(inputs.named, &named)?)
}

/// The magnitude that a share of all entries reaches.
fn magnitude_above(gradient: &[Vec<f32>], share: f64) -> f32 {
    let mut magnitudes: Vec<f32> = gradient.iter().flatten().map(|v| v.abs()).collect();
    let kept = ((magnitudes.len() as f64 * share).ceil() as usize).clamp(1, magnitudes.len());
    let (_, value, _) = magnitudes.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    *value
}
