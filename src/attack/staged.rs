//! The stages of an attack, run for one round: as many trials as fit, in one plan a stage.

use super::{
    AttackError, Found, Frame, Hooks, Outcome, StageOutcome,
    adam::{self, Adam},
    checkpoint::{Kept, RoundCheckpoint, StageCheckpoint},
    config::Optimiser,
    course::Standing,
    guidance::Pull,
    lbfgs,
    minimise::Lbfgs,
    problem::{Problem, Scene, Sizes},
    round::{Round, fill, logits},
    setting::{Setting, Target, Trial},
    stage::{Begin, Goal, Stage},
    surrogate,
    unknown::pictures,
};
use crate::{
    device::{Device, DeviceError},
    plan::Plan,
};

/// Most trials of one plan. More save nothing: what a step costs beside its work is spread thin long before, and more
/// leave the caches.
pub const MAX_TRIALS: usize = 64;
/// Memory that they may take together on a device that has more.
const MAX_BYTES: u64 = 4 << 30;

/// The variables of every trial.
type Values = Vec<Vec<Vec<f32>>>;
/// Gives the first of them, when a device has taken the stage's plan.
type Start<'a> = dyn Fn() -> Result<Values, AttackError> + 'a;

/// Runs every stage in turn. `of_round`: where each is kept.
pub(crate) fn attack(
    device: &dyn Device,
    round: &Round,
    stages: &[Stage],
    hooks: &mut Hooks,
    of_round: Option<&RoundCheckpoint>,
) -> Result<Vec<Outcome>, AttackError> {
    let all: usize = stages.iter().filter(|s| !s.continues()).map(|s| s.iterations).sum();
    let guidance = round.guide.and(round.setting.config.guidance);
    let staged = Staged { device, round, shared_noise: guidance.is_some_and(|g| g.weight != 0.0) };
    let (mut over, mut found, mut standing) = (0, vec![], None);
    let mut films: Vec<Vec<Frame>> = vec![vec![]; round.trials.len()];
    let mut named: Vec<Vec<(StageOutcome, Outcome)>> = vec![vec![]; round.trials.len()];
    for (i, stage) in stages.iter().enumerate() {
        let start = || match &stage.begin {
            Begin::Best(hand_over) => {
                let own = stages[i - 1].unknown.variables().len();
                let best = found.iter().map(|f: &Found| hand_over(&f.values[..own]));
                Ok(staged.with_others(best.collect::<Result<_, _>>()?))
            }
            Begin::Anew | Begin::Continued => Ok(staged.starts(stage)),
        };
        let goes_on = stages.get(i + 1).is_some_and(Stage::continues);
        let mut progress = |done: usize, _: usize, latest: &[f32]| (hooks.progress)(over + done, all, latest);
        let hooks = &mut Hooks { progress: &mut progress, ..*hooks };
        let checkpoint = of_round.map(|of_round| of_round.of_stage(i));
        let checkpoint = checkpoint.as_ref();
        let pass = Pass { stage, start: &start, goes_on, checkpoint };
        let kept = match checkpoint.map(StageCheckpoint::kept).transpose()?.flatten() {
            Some(kept @ (Kept::Found(_) | Kept::HandedOn(_))) => kept,
            before => {
                let before = before.or_else(|| standing.take().map(Kept::Standing));
                let kept = staged.run(&pass, before, hooks)?;
                if let Some(checkpoint) = checkpoint {
                    checkpoint.complete(&kept);
                }
                kept
            }
        };
        standing = None;
        match kept {
            Kept::Found(all) => found = all,
            Kept::HandedOn(stands) | Kept::Standing(stands) => standing = Some(stands),
            Kept::Searching(_) => {}
        }
        if !goes_on {
            staged.add_frames(stage, over, &mut found, &mut films)?;
            staged.add_outcomes(stage, &found, &mut named)?;
            over += stage.iterations;
        }
    }
    match stages.last() {
        Some(last) => {
            let outcomes = staged.outcomes(last, found)?.into_iter().zip(named);
            let outcomes = outcomes.map(|(last, named)| lowest(last, named)).zip(films);
            Ok(outcomes.map(|(outcome, film)| Outcome { film, ..outcome }).collect())
        }
        None => Ok(vec![]),
    }
}

/// One stage of a round.
struct Pass<'a> {
    stage: &'a Stage<'a>,
    start: &'a Start<'a>,
    /// The next stage continues this one.
    goes_on: bool,
    checkpoint: Option<&'a StageCheckpoint<'a>>,
}

/// A round under way.
struct Staged<'a> {
    device: &'a dyn Device,
    round: &'a Round<'a>,
    /// Hypotheses are compared: all trials draw the same noise.
    shared_noise: bool,
}

impl Staged<'_> {
    fn starts(&self, stage: &Stage) -> Values {
        let Round { setting, trials, .. } = *self.round;
        self.with_others(
            trials.iter().map(|&trial| stage.unknown.start(setting.seed, setting.drawn(trial))).collect(),
        )
    }

    /// With the labels' logits behind the unknown's variables, where labels are to be learned, and α, where it is.
    fn with_others(&self, mut values: Values) -> Values {
        let Round { setting, trials, .. } = *self.round;
        if self.round.joint() {
            values
                .iter_mut()
                .zip(trials)
                .for_each(|(v, &trial)| v.push(logits(setting, setting.drawn(trial))));
        }
        if setting.config.surrogate {
            values.iter_mut().for_each(|v| v.push(vec![surrogate::START]));
        }
        values
    }

    fn sizes(&self) -> Sizes {
        let Round { setting, trials, .. } = *self.round;
        Sizes {
            trials: trials.len(),
            batch: setting.batch,
            shared_target: trials.iter().all(|t| t.target == trials[0].target),
            joint_labels: self.round.joint(),
            groups: groups(trials),
        }
    }

    /// `before`: where the stage before stood, if this one continues it, or where this one was stopped.
    fn run(&self, pass: &Pass, before: Option<Kept>, hooks: &mut Hooks) -> Result<Kept, AttackError> {
        match (Adam::of(pass.stage.optimiser, self.round.setting.seed), before) {
            (None, Some(Kept::Searching(search))) => self.lbfgs(pass, Some(search), hooks),
            (None, _) => self.lbfgs(pass, None, hooks),
            (Some(adam), Some(Kept::Standing(standing))) => self.adam(pass, adam, Some(standing), hooks),
            (Some(adam), _) => self.adam(pass, adam, None, hooks),
        }
    }

    fn lbfgs(
        &self,
        pass: &Pass,
        before: Option<lbfgs::Search>,
        hooks: &mut Hooks,
    ) -> Result<Kept, AttackError> {
        let stage = pass.stage;
        let Optimiser::Lbfgs { inner, history, stop } = stage.optimiser else {
            return Ok(Kept::Found(vec![]));
        };
        let problem = Problem::new(&scene(self.round), &*stage.unknown, self.sizes());
        let mut exe = lbfgs::compile(self.device, &problem)?;
        let starts = (pass.start)()?;
        fill(self.round, &problem, &*stage.unknown, &starts, &mut *exe)?;
        let settings = Lbfgs { iterations: (stage.iterations * inner) as u64, history, stop };
        let span =
            lbfgs::Span { iterations: stage.iterations, settings, before, checkpoint: pass.checkpoint };
        Ok(Kept::Found(lbfgs::run(&problem, &mut *exe, &starts, span, hooks)?))
    }

    fn adam(
        &self,
        pass: &Pass,
        adam: Adam,
        standing: Option<Standing>,
        hooks: &mut Hooks,
    ) -> Result<Kept, AttackError> {
        let stage = pass.stage;
        let pull = pull(self.round, stage);
        let (mut problem, frozen) = Problem::guided(&scene(self.round), &*stage.unknown, self.sizes(), pull);
        let adam = Adam { shared_noise: self.shared_noise, ..adam };
        let (iteration, mut exe) =
            adam::compile(self.device, &mut problem, &*stage.unknown, adam, stage.iterations)?;
        let exe = &mut *exe;
        fill(self.round, &problem, &*stage.unknown, &(pass.start)()?, exe)?;
        frozen.iter().try_for_each(|(var, values)| exe.write(*var, values))?;
        let mut course = iteration.stand(&problem, exe, stage.iterations, standing)?;
        course.run(&iteration, exe, stage.end, hooks, pass.checkpoint)?;
        Ok(match pass.goes_on {
            true => Kept::HandedOn(Standing { course, state: iteration.state(exe)? }),
            false => Kept::Found(course.found(&iteration, exe)?),
        })
    }

    /// What each trial of this stage, which began after `over` iterations, was on the way, behind its film so far.
    fn add_frames(
        &self,
        stage: &Stage,
        over: usize,
        found: &mut [Found],
        films: &mut [Vec<Frame>],
    ) -> Result<(), AttackError> {
        let own = stage.unknown.variables().len();
        let kept = found.iter().map(|f| f.film.len()).max().unwrap_or(0);
        for frame in 0..kept {
            // L-BFGS looks at each trial as often as it likes.
            let (mut which, mut values, mut at) = (vec![], vec![], vec![]);
            for (trial, found) in found.iter_mut().enumerate() {
                let Some((iteration, all)) = found.film.get_mut(frame) else { continue };
                which.push(trial);
                at.push(over + *iteration);
                values.push(all.drain(..).take(own).collect::<Vec<_>>());
            }
            let images = pictures(self.device, &*stage.unknown, &values)?;
            for ((trial, iteration), images) in which.into_iter().zip(at).zip(images) {
                films[trial].push(Frame { iteration, images });
            }
        }
        Ok(())
    }

    /// What each trial of this stage came to, if it may be the result.
    fn add_outcomes(
        &self,
        stage: &Stage,
        found: &[Found],
        named: &mut [Vec<(StageOutcome, Outcome)>],
    ) -> Result<(), AttackError> {
        let Some(name) = &stage.name else { return Ok(()) };
        for (named, outcome) in named.iter_mut().zip(self.outcomes(stage, found.to_vec())?) {
            let (name, objective, images) = (name.clone(), outcome.objective, outcome.images.clone());
            named.push((StageOutcome { name, objective, images }, outcome));
        }
        Ok(())
    }

    /// With the pictures that the last stage's best iterates stand for.
    fn outcomes(&self, stage: &Stage, found: Vec<Found>) -> Result<Vec<Outcome>, AttackError> {
        let own = stage.unknown.variables().len();
        let (values, rest): (Values, Vec<Outcome>) =
            found.into_iter().map(|f| f.split(own, self.round.joint())).unzip();
        let images = pictures(self.device, &*stage.unknown, &values)?;
        Ok(rest.into_iter().zip(images).map(|(outcome, images)| Outcome { images, ..outcome }).collect())
    }
}

/// Of the stages that may be the result the one of the lowest objective, the later of equals; else the last.
fn lowest(last: Outcome, named: Vec<(StageOutcome, Outcome)>) -> Outcome {
    let (stages, outcomes): (Vec<StageOutcome>, Vec<Outcome>) = named.into_iter().unzip();
    let best = outcomes.into_iter().rev().min_by(|a, b| a.objective.total_cmp(&b.objective));
    Outcome { stages, ..best.unwrap_or(last) }
}

impl Found {
    /// The unknown's variables, and the outcome, its pictures still to be made.
    fn split(mut self, own: usize, joint: bool) -> (Vec<Vec<f32>>, Outcome) {
        let label_logits = self.values.drain(own..).next().filter(|_| joint);
        let Found { values, objective, norm_ratio, stopped, history, .. } = self;
        let (images, film, stages) = (vec![], vec![], vec![]);
        (values, Outcome { images, label_logits, objective, norm_ratio, stopped, history, film, stages })
    }
}

/// As many of the round's trials as the device has memory for, in every stage. Trials that influence each other, those
/// of one target under group consistency, stay together: if they do not fit, the device refuses their plan.
pub(crate) fn trials_at_once(
    device: &dyn Device,
    round: &Round,
    stages: &[Stage],
) -> Result<usize, AttackError> {
    let setting = round.setting;
    let together = if setting.config.group_consistency != 0.0 { setting.restarts } else { 1 };
    let (mut fits, mut too_many) = (1, MAX_TRIALS.min(round.trials.len()).div_ceil(together).max(1) + 1);
    let mut next = too_many - 1;
    // Everything at once, or the largest number of groups by bisection.
    while too_many - fits > 1 {
        let sizes = Sizes {
            shared_target: false,
            groups: (0..next * together).map(|trial| trial / together).collect(),
            ..Sizes::one_target(next * together, setting.batch, round.joint())
        };
        let most = stages.iter().map(|stage| device.required(&plan(round, stage, sizes.clone())));
        match most.collect::<Result<Vec<u64>, _>>() {
            Ok(bytes) if bytes.iter().all(|&bytes| bytes <= MAX_BYTES) => fits = next,
            Ok(_) | Err(DeviceError::TooLarge { .. }) => too_many = next,
            Err(error) => return Err(error.into()),
        }
        next = (fits + too_many) / 2;
    }
    Ok(fits * together)
}

/// Who pulls in this stage.
fn pull<'r>(round: &Round<'r>, stage: &Stage) -> Option<Pull<'r, 'r>> {
    let Setting { normalisation, seed, .. } = *round.setting;
    round.guide.filter(|_| stage.goal == Goal::Guided).map(|guide| Pull { guide, normalisation, seed })
}

/// What a stage would run for trials of these sizes.
fn plan(round: &Round, stage: &Stage, sizes: Sizes) -> Plan {
    let setting = round.setting;
    let (mut problem, _) = Problem::guided(&scene(round), &*stage.unknown, sizes, pull(round, stage));
    match Adam::of(stage.optimiser, setting.seed) {
        Some(adam) => adam::Iteration::new(&mut problem, &*stage.unknown, adam, stage.iterations).plan,
        None => lbfgs::plan(&problem),
    }
}

/// Norms whose squares single precision holds well, down to those of a reconstruction that is almost right.
const ORDINARY: std::ops::Range<f64> = 1e-4..1e6;

fn scene<'a>(round: &Round<'a>) -> Scene<'a> {
    scene_of(round.setting, round.targets)
}

/// What all trials on these targets share.
pub(super) fn scene_of<'a>(setting: &Setting<'a>, targets: &[Target]) -> Scene<'a> {
    Scene {
        model: &setting.victim.model,
        protocol: setting.protocol,
        config: setting.config,
        views: setting.views,
        weighted: targets.iter().any(|t| t.weights.is_some()),
        scaled: targets.iter().any(|t| !ORDINARY.contains(&t.norm())),
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
