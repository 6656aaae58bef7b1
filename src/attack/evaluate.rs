//! The matching objective at given pictures, without an attack: what an attack has to beat, and what the originals reach.

use super::{
    AttackError,
    pixels::Pixels,
    problem::{Problem, Sizes},
    round::{Round, fill},
    setting::{Setting, Target, Trial},
    staged::scene_of,
    surrogate,
};
use crate::{
    device::{Device, DeviceError, Executable},
    nn::loss::one_hot,
    plan::Plan,
};

/// Bytes beyond which fewer candidates are evaluated at once, so that this takes no more memory than an attack on a large network.
const MOST_BYTES: u64 = 192 << 20;

/// A batch whose gradient is compared with an observed one.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// `(B,C,H,W)`, normalised.
    pub pictures: Vec<f32>,
    /// `(B)`
    pub labels: Vec<usize>,
}

/// How near a candidate's gradient is to the observed one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// D(g, g*), without priors.
    pub objective: f32,
    /// ‖g‖/‖g*‖
    pub norm_ratio: f32,
}

/// A compiled evaluation of some candidates at once.
pub struct Evaluation<'a> {
    setting: Setting<'a>,
    pixels: Pixels,
    problem: Problem,
    exe: Box<dyn Executable>,
}

impl<'a> Evaluation<'a> {
    /// For any of these targets, of up to `at_once` candidates together, fewer where they would take much memory.
    ///
    /// # Errors
    /// Not even one fits.
    pub fn new(
        device: &dyn Device,
        setting: &Setting<'a>,
        targets: &[Target],
        at_once: usize,
    ) -> Result<Evaluation<'a>, AttackError> {
        let pixels = Pixels { start: super::config::Start::Normal, clamp: false, ..Pixels::of(setting) };
        let mut trials = at_once.max(1);
        loop {
            let problem = Problem::new(
                &scene_of(setting, targets),
                &pixels,
                Sizes::one_target(trials, setting.batch, false),
            );
            let keep = [problem.objective, problem.norm_ratio];
            let plan = Plan::evaluation(&problem.tape, &keep, &[problem.x, problem.labels]);
            let compile =
                |bytes| (bytes <= MOST_BYTES || trials == 1).then(|| device.compile(&plan)).transpose();
            match device.required(&plan).and_then(compile) {
                Ok(Some(exe)) => return Ok(Evaluation { setting: *setting, pixels, problem, exe }),
                Ok(None) => {}
                Err(DeviceError::TooLarge { .. }) if trials > 1 => {}
                Err(error) => return Err(error.into()),
            }
            trials = trials.div_ceil(2);
        }
    }

    /// The fit of every candidate to this target, in their order.
    pub fn of(&mut self, target: &Target, candidates: &[Candidate]) -> Result<Vec<Fit>, AttackError> {
        let trials = self.problem.sizes.trials;
        let mut fits = Vec::with_capacity(candidates.len());
        for some in candidates.chunks(trials) {
            // The last of the round stands in for those that are missing.
            let full: Vec<&Candidate> = (0..trials).map(|t| &some[t.min(some.len() - 1)]).collect();
            let known = [Some(full[0].labels.clone())];
            let all = vec![Trial { target: 0, hypothesis: 0, restart: 0 }; trials];
            let round = Round {
                setting: &self.setting,
                targets: std::slice::from_ref(target),
                known: &known,
                guide: None,
                trials: &all,
            };
            let mut starts: Vec<Vec<Vec<f32>>> = full.iter().map(|c| vec![c.pictures.clone()]).collect();
            if self.setting.config.surrogate {
                starts.iter_mut().for_each(|start| start.push(vec![surrogate::START]));
            }
            fill(&round, &self.problem, &self.pixels, &starts, &mut *self.exe)?;
            let classes = self.setting.victim.model.classes;
            let labels: Vec<f32> = full.iter().flat_map(|c| one_hot(&c.labels, classes)).collect();
            self.exe.write(self.problem.labels, &labels)?;
            self.exe.run(1)?;
            let objectives = self.exe.read(self.problem.objective)?;
            let ratios = self.exe.read(self.problem.norm_ratio)?;
            let pairs = objectives.into_iter().zip(ratios).take(some.len());
            fits.extend(pairs.map(|(objective, norm_ratio)| Fit { objective, norm_ratio }));
        }
        Ok(fits)
    }
}
