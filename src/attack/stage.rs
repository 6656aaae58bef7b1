//! An attack as a list of stages, each of which hands what it found to the next: coarse pictures to fine ones, an
//! attack that names guide to one that they don't.

use super::{
    AttackError,
    check::{ConfigError, MAX_ITERATIONS},
    config::{Optimiser, Sought},
    guidance::Guidance,
    pixels::Pixels,
    setting::Setting,
    sought::{Labelled, Part, Seeking},
    unknown::{Moves, Posed, Unknown, Variable},
};
use crate::tape::Tape;

/// A coarse scale takes this share of the iterations.
const COARSE_SHARE: usize = 4;

/// What a stage lowers: the matching objective and the priors of the configuration, and perhaps more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// These alone.
    Matching,
    /// And the distance between pictures and the names that guide them.
    Guided,
}

/// Where a stage starts.
pub enum Begin<'a> {
    /// Where its unknown starts.
    Anew,
    /// At what the best iterate of the stage before comes to: from the values of its unknown's variables to those of
    /// this stage's. Labels' logits start anew.
    Best(Box<HandOver<'a>>),
    /// Where the stage before stands: the same unknown and schedule, with another goal.
    Continued,
}

/// A trial's variables from those of the stage before.
pub type HandOver<'a> = dyn Fn(&[Vec<f32>]) -> Result<Vec<Vec<f32>>, AttackError> + Sync + 'a;

/// One stage.
pub struct Stage<'a> {
    /// Where the stage of the lowest objective counts, and not the last.
    pub name: Option<String>,
    /// What is sought.
    pub unknown: Box<dyn Unknown + 'a>,
    /// What is lowered.
    pub goal: Goal,
    /// Where it starts.
    pub begin: Begin<'a>,
    /// What moves the unknown, and how.
    pub optimiser: Optimiser,
    /// Of the optimiser's whole schedule, which stages that continue each other share.
    pub iterations: usize,
    /// Of Adam's schedule: the stage ends when so many evaluations are done in all. One more than there are iterations
    /// are all of them: the last is for the objective of the last iterate.
    pub end: usize,
}

impl<'a> Stage<'a> {
    /// A whole schedule without guidance.
    pub fn whole(
        unknown: Box<dyn Unknown + 'a>,
        begin: Begin<'a>,
        optimiser: Optimiser,
        iterations: usize,
    ) -> Self {
        Stage { name: None, unknown, goal: Goal::Matching, begin, optimiser, iterations, end: iterations + 1 }
    }

    /// Whether it goes on from where the stage before stands.
    pub fn continues(&self) -> bool {
        matches!(self.begin, Begin::Continued)
    }
}

/// The stages of the configuration, and in each, where names guide, first with their pull until λ is 0 and then without: the
/// image encoder costs more than a small victim.
///
/// # Errors
/// Settings that make no sense; labels that a generator is told no class of.
pub(crate) fn of_config<'a>(
    setting: &Setting<'a>,
    guided: bool,
    labelled: Labelled<'a>,
) -> Result<Vec<Stage<'a>>, ConfigError> {
    let Setting { config, batch, normalisation, .. } = *setting;
    config.check()?;
    let guidance = config.guidance.filter(|g| guided && g.weight != 0.0);
    if config.sought == Sought::Pixels {
        return Ok(of_pixels(setting, guidance));
    }
    let image = setting.victim.image_shape();
    let seeking = Seeking {
        config,
        batch,
        image,
        normalisation,
        generator: setting.generator,
        seed: setting.seed,
        labelled: Some(labelled),
    };
    let parts = seeking.parts()?.into_iter();
    let stages = parts.flat_map(|Part { name, unknown, begin, optimiser }| {
        let mut stages = with_guidance(&*unknown, begin, optimiser, config.iterations, guidance);
        if let Some(last) = stages.last_mut() {
            last.name = name;
        }
        stages
    });
    Ok(stages.collect())
}

/// Smaller pictures first where the configuration has scales.
fn of_pixels<'a>(setting: &Setting<'a>, guidance: Option<Guidance>) -> Vec<Stage<'a>> {
    let config = setting.config;
    let pixels = Pixels::of(setting);
    let coarse = (config.iterations / COARSE_SHARE).max(1);
    let scales = config.scales.iter().map(|&scale| (scale, coarse)).chain([(1, config.iterations)]);
    let (mut stages, mut before) = (vec![], None::<Pixels>);
    for (scale, iterations) in scales {
        let pixels = pixels.clone().at(scale);
        let begin = match before {
            None => Begin::Anew,
            Some(coarser) => {
                let finer = pixels.clone();
                Begin::Best(Box::new(move |values| Ok(coarser.rescaled(values, &finer))))
            }
        };
        let unknown = || -> Box<dyn Unknown> { Box::new(pixels.clone()) };
        stages.extend(with_guidance(&unknown, begin, config.optimiser, iterations, guidance));
        before = Some(pixels);
    }
    stages
}

fn with_guidance<'a>(
    unknown: &dyn Fn() -> Box<dyn Unknown>,
    begin: Begin<'a>,
    optimiser: Optimiser,
    iterations: usize,
    guidance: Option<Guidance>,
) -> Vec<Stage<'a>> {
    match guidance.map_or(0, |g| g.end(iterations)) {
        0 => vec![Stage::whole(unknown(), begin, optimiser, iterations)],
        end if end > iterations => {
            let whole = Stage::whole(unknown(), begin, optimiser, iterations);
            vec![Stage { goal: Goal::Guided, ..whole }]
        }
        end => {
            let guided =
                Stage { goal: Goal::Guided, end, ..Stage::whole(unknown(), begin, optimiser, iterations) };
            vec![guided, Stage::whole(unknown(), Begin::Continued, optimiser, iterations)]
        }
    }
}

/// Whether each stage can take what the one before hands over.
pub fn check(stages: &[Stage], setting: &Setting, can_guide: bool) -> Result<(), AttackError> {
    let invalid = |i: usize, what: &str| Err(AttackError::Invalid(format!("stage {}: {what}", i + 1)));
    if stages.is_empty() {
        return Err(AttackError::Invalid("an attack of no stages".into()));
    }
    for (i, stage) in stages.iter().enumerate() {
        let adam = matches!(stage.optimiser, Optimiser::Adam { .. });
        stage.optimiser.check()?;
        if !(1..=MAX_ITERATIONS).contains(&stage.iterations) || stage.end == 0 {
            return invalid(
                i,
                &format!("expected 1 to {MAX_ITERATIONS} iterations, found {}", stage.iterations),
            );
        }
        let shape = |b: usize, [c, h, w]: [usize; 3]| vec![1, b, c, h, w];
        let expected = shape(setting.batch, setting.victim.image_shape());
        let mut tape = Tape::new();
        let posed = Posed::new(&mut tape, &*stage.unknown, 1);
        if tape.shape(posed.pictures) != expected {
            let found = tape.shape(posed.pictures);
            return invalid(
                i,
                &format!("pictures (T,B,C,H,W) for one trial are {found:?}, expected {expected:?}"),
            );
        }
        if stage.goal == Goal::Guided && !(adam && can_guide) {
            return invalid(i, "guidance needs Adam, names, and a weight that is not 0");
        }
        if !adam && stage.unknown.variables().iter().any(|v| v.moves != Moves::Optimiser) {
            return invalid(
                i,
                "L-BFGS moves every variable, and of this unknown not all are the optimiser's",
            );
        }
        let Some(before) = i.checked_sub(1).map(|before| &stages[before]) else {
            match stage.begin {
                Begin::Anew => continue,
                Begin::Best(_) | Begin::Continued => {
                    return invalid(i, "there is none before it to go on from");
                }
            }
        };
        let schedule = |s: &Stage| (s.optimiser, s.iterations, variables(s));
        if stage.continues() && !(adam && schedule(before) == schedule(stage) && before.end <= stage.end) {
            return invalid(i, "only with the same variables and the same schedule of Adam can it go on");
        }
    }
    Ok(())
}

fn variables(stage: &Stage) -> Vec<Variable> {
    stage.unknown.variables()
}
