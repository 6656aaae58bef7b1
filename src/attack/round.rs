//! One round: as many trials as fit, in one plan.

use super::{
    AttackError, Hooks, Outcome,
    adam::{self, Adam},
    config::{Objective, Optimiser},
    course::Course,
    guidance::{Guide, Inputs},
    invert::{Setting, Target},
    lbfgs,
    minimise::Lbfgs,
    problem::{Problem, Scene, Sizes},
    start::{self, Trial},
};
use crate::{
    device::{Device, DeviceError, Executable},
    nn::loss::one_hot,
    plan::Plan,
};

/// Most trials of one plan. More save nothing: what a step costs beside its work is spread thin long before, and more
/// leave the caches.
pub const MAX_TRIALS: usize = 64;
/// Memory that they may take together on a device that has more.
const MAX_BYTES: u64 = 4 << 30;

/// A coarse scale takes this share of the iterations.
const COARSE_SHARE: usize = 4;

/// What a round attacks, and from which labels.
pub struct Round<'a> {
    pub setting: &'a Setting<'a>,
    pub targets: &'a [Target],
    /// Labels of each target; `None` where the attack is to learn them.
    pub known: &'a [Option<Vec<usize>>],
    pub guide: Option<&'a Guide<'a>>,
    pub trials: &'a [Trial],
}

/// Runs every scale, the coarsest first.
pub fn attack(device: &dyn Device, round: &Round, hooks: &mut Hooks) -> Result<Vec<Outcome>, AttackError> {
    let config = round.setting.config;
    let coarse = (config.iterations / COARSE_SHARE).max(1);
    let all = config.scales.len() * coarse + config.iterations;
    let mut starts: Vec<Vec<f32>> = vec![];
    let mut before = None;
    for (i, &scale) in config.scales.iter().enumerate() {
        starts = round.starts(&starts, before, scale);
        let mut progress = |done: usize, _: usize, latest: &[f32]| {
            (hooks.progress)(i * coarse + done, all, latest);
        };
        let hooks = &mut Hooks { progress: &mut progress };
        let outcomes = round.at_scale(device, scale, coarse, &starts, hooks)?;
        starts = outcomes.into_iter().map(|o| o.images).collect();
        before = Some(scale);
    }
    starts = round.starts(&starts, before, 1);
    let mut progress = |done: usize, of: usize, latest: &[f32]| {
        (hooks.progress)(all - of + done, all, latest);
    };
    round.at_scale(device, 1, config.iterations, &starts, &mut Hooks { progress: &mut progress })
}

/// As many of `wanted` trials as the device has memory for. Trials that influence each other, those of one target under
/// group consistency, stay together: if they do not fit, the device refuses their plan.
pub fn trials_at_once(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
    guide: Option<&Guide>,
    joint: bool,
    wanted: usize,
) -> Result<usize, AttackError> {
    let together = if setting.config.group_consistency != 0.0 { setting.restarts.max(1) } else { 1 };
    let (mut fits, mut too_many) = (1, MAX_TRIALS.min(wanted).div_ceil(together).max(1) + 1);
    let mut next = too_many - 1;
    // Everything at once, or the largest number of groups by bisection.
    while too_many - fits > 1 {
        let sizes = Sizes {
            shared_target: false,
            groups: (0..next * together).map(|trial| trial / together).collect(),
            ..Sizes::one_target(next * together, setting.batch, joint)
        };
        match device.required(&plan(setting, targets, guide, sizes)) {
            Ok(bytes) if bytes <= MAX_BYTES => fits = next,
            Ok(_) | Err(DeviceError::TooLarge { .. }) => too_many = next,
            Err(error) => return Err(error.into()),
        }
        next = (fits + too_many) / 2;
    }
    Ok(fits * together)
}

/// What a round of these sizes would run.
fn plan(setting: &Setting, targets: &[Target], guide: Option<&Guide>, sizes: Sizes) -> Plan {
    let weighted = targets.iter().any(|t| t.weights.is_some());
    let guide = guide.map(|g| (g, setting.normalisation));
    let (mut problem, _) = Problem::guided(&scene(setting, weighted), sizes, guide);
    let config = setting.config;
    match Adam::of(config.optimiser, setting.seed) {
        Some(adam) => {
            let bounds = setting.normalisation.bounds();
            let bounds = config.clamp.then_some(bounds.as_slice());
            adam::Iteration::new(&mut problem, adam, config.iterations, bounds).plan
        }
        None => lbfgs::plan(&problem),
    }
}

fn scene<'a>(setting: &Setting<'a>, weighted: bool) -> Scene<'a> {
    Scene {
        model: &setting.victim.model,
        protocol: setting.protocol,
        config: setting.config,
        views: setting.views,
        weighted,
    }
}

impl Round<'_> {
    /// The first of each trial at this scale.
    fn starts(&self, coarse: &[Vec<f32>], before: Option<usize>, scale: usize) -> Vec<Vec<f32>> {
        match before {
            None => self.trials.iter().map(|&t| start::images(self.setting, t, scale)).collect(),
            Some(before) => {
                coarse.iter().map(|c| start::from_coarse(self.setting, c, before, scale)).collect()
            }
        }
    }

    fn at_scale(
        &self,
        device: &dyn Device,
        scale: usize,
        iterations: usize,
        starts: &[Vec<f32>],
        hooks: &mut Hooks,
    ) -> Result<Vec<Outcome>, AttackError> {
        let Round { setting, targets, known, trials, .. } = *self;
        let joint = known[trials[0].target].is_none();
        let sizes = Sizes {
            trials: trials.len(),
            batch: setting.batch,
            shared_target: trials.iter().all(|t| t.target == trials[0].target),
            joint_labels: joint,
            scale,
            groups: groups(trials),
        };
        let weighted = targets[0].weights.is_some();
        match setting.config.optimiser {
            Optimiser::Adam { .. } => self.adam(device, sizes, iterations, starts, hooks),
            Optimiser::Lbfgs { inner, history, stop } => {
                let problem = Problem::new(&scene(setting, weighted), sizes);
                let mut exe = lbfgs::compile(device, &problem)?;
                self.fill(&problem, &mut *exe, starts)?;
                let settings = Lbfgs { iterations: (iterations * inner) as u64, history, stop };
                let points = starts.iter().zip(trials).map(|(s, &t)| match joint {
                    true => [s.clone(), start::logits(setting, t)].concat(),
                    false => s.clone(),
                });
                lbfgs::run(&problem, &mut *exe, points.collect(), iterations, settings, hooks)
            }
        }
    }

    /// With a plan that guides until λ is 0, and from there on with one that knows nothing of names: the image encoder
    /// costs more than a small victim.
    fn adam(
        &self,
        device: &dyn Device,
        sizes: Sizes,
        iterations: usize,
        starts: &[Vec<f32>],
        hooks: &mut Hooks,
    ) -> Result<Vec<Outcome>, AttackError> {
        let Round { setting, targets, guide, .. } = *self;
        let mut course = Course::new(sizes.trials, iterations);
        let scene = scene(setting, targets[0].weights.is_some());
        let bounds = setting.normalisation.bounds();
        let guidance = setting.config.guidance.filter(|g| guide.is_some() && g.weight != 0.0);
        let mut adam = Adam::of(setting.config.optimiser, setting.seed).expect("it is Adam");
        adam.shared_noise = guidance.is_some();
        let end = guidance.map_or(0, |g| g.end(iterations));
        let mut before = None;
        if end > 0 {
            let with = guide.map(|g| (g, setting.normalisation));
            let (mut problem, frozen) = Problem::guided(&scene, sizes.clone(), with);
            let (iteration, mut exe) =
                adam::compile(device, &mut problem, setting.config, adam, iterations, &bounds)?;
            self.fill(&problem, &mut *exe, starts)?;
            frozen.iter().try_for_each(|(var, values)| exe.write(*var, values))?;
            iteration.begin(&problem, &mut *exe)?;
            course.run(&iteration, &mut *exe, end, hooks)?;
            before = Some(iteration.state(&mut *exe)?);
        }
        let mut problem = Problem::new(&scene, sizes);
        let (iteration, mut exe) =
            adam::compile(device, &mut problem, setting.config, adam, iterations, &bounds)?;
        self.fill(&problem, &mut *exe, starts)?;
        match before {
            None => iteration.begin(&problem, &mut *exe)?,
            Some(state) => iteration.take_over(&mut *exe, &state)?,
        }
        course.run(&iteration, &mut *exe, iterations + 1, hooks)?;
        course.outcomes(&iteration, &mut *exe)
    }

    /// Called when the device has taken the plan: what does not fit is refused before anything is drawn.
    fn fill(
        &self,
        problem: &Problem,
        exe: &mut dyn Executable,
        starts: &[Vec<f32>],
    ) -> Result<(), AttackError> {
        let Round { setting, targets, known, trials, .. } = *self;
        let classes = setting.victim.model.classes;
        exe.write(problem.x, &starts.concat())?;
        let labels: Vec<f32> = match problem.sizes.joint_labels {
            true => trials.iter().flat_map(|&t| start::logits(setting, t)).collect(),
            false => {
                let rows = |t: &Trial| one_hot(known[t.target].as_deref().unwrap_or_default(), classes);
                trials.iter().flat_map(rows).collect()
            }
        };
        exe.write(problem.labels, &labels)?;
        let observed: Vec<&Target> = match problem.sizes.shared_target {
            true => vec![&targets[trials[0].target]],
            false => trials.iter().map(|t| &targets[t.target]).collect(),
        };
        for (i, &input) in problem.observed.iter().enumerate() {
            let values: Vec<f32> = observed.iter().flat_map(|t| t.gradient[i].iter().copied()).collect();
            exe.write(input, &values)?;
        }
        if let Some(weights) = problem.weights {
            let values: Vec<f32> =
                observed.iter().flat_map(|t| t.weights.clone().unwrap_or_default()).collect();
            exe.write(weights, &values)?;
        }
        if let (Some(threshold), Objective::CosineTop(share)) = (problem.threshold, setting.config.objective)
        {
            let values: Vec<f32> = observed.iter().map(|t| magnitude_above(&t.gradient, share)).collect();
            exe.write(threshold, &values)?;
        }
        for (i, &(mean, variance)) in problem.statistics.iter().enumerate() {
            let values = |which: usize| -> Vec<f32> {
                let all =
                    observed.iter().flat_map(|t| t.statistics.as_ref().map(|s| s[2 * i + which].clone()));
                all.flatten().collect()
            };
            exe.write(mean, &values(0))?;
            exe.write(variance, &values(1))?;
        }
        for (parameter, tensor) in problem.parameters.iter().zip(&setting.victim.tensors) {
            exe.write(parameter.stored, tensor)?;
        }
        match (problem.guidance, self.guide) {
            (Some(inputs), Some(guide)) => self.fill_names(&inputs, guide, exe),
            _ => Ok(()),
        }
    }

    /// The vector of each picture's name, of the first name where a picture has none and it does not count.
    fn fill_names(
        &self,
        inputs: &Inputs,
        guide: &Guide,
        exe: &mut dyn Executable,
    ) -> Result<(), AttackError> {
        let (mut names, mut named) = (vec![], vec![]);
        for trial in self.trials {
            let hypothesis = guide.hypotheses[trial.target].get(trial.hypothesis);
            for label in self.known[trial.target].iter().flatten() {
                let name = hypothesis.and_then(|h| h.get(label));
                let row = name.map_or(0, |&name| name * guide.width);
                names.extend(&guide.names[row..row + guide.width]);
                named.push(f32::from(u8::from(name.is_some())));
            }
        }
        exe.write(inputs.names, &names)?;
        Ok(exe.write(inputs.named, &named)?)
    }
}

/// Trials that may draw on each other: the restarts of one target under one hypothesis.
fn groups(trials: &[Trial]) -> Vec<usize> {
    let mut group = 0;
    let mut groups = vec![0; trials.len()];
    for i in 1..trials.len() {
        let [a, b] = [trials[i - 1], trials[i]];
        group += usize::from((a.target, a.hypothesis) != (b.target, b.hypothesis));
        groups[i] = group;
    }
    groups
}

/// The magnitude that a share of all entries reaches.
fn magnitude_above(gradient: &[Vec<f32>], share: f64) -> f32 {
    let mut magnitudes: Vec<f32> = gradient.iter().flatten().map(|v| v.abs()).collect();
    let kept = ((magnitudes.len() as f64 * share).ceil() as usize).clamp(1, magnitudes.len());
    let (_, value, _) = magnitudes.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    *value
}
