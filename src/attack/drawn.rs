//! Pictures that a model draws by its pull alone, from noise and with no gradient of anybody's: what names look like to it. Shapes,
//! if its derivatives are shapes; patterns that only it sees, if they are not.

use super::{
    AttackError, Hooks,
    adam::{self, Adam},
    config::Optimiser,
    guidance::{Anneal, Guidance, Guide, Pull, term},
    prior::total_variation,
    problem::{Moved, Problem, Sizes},
    setting::Trial,
    unknown::{Posed, Unknown, of_all, pictures},
};
use crate::{clip::Encoder, data::Normalisation, device::Device, tape::Tape};

/// How pictures are drawn.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    /// What is moved, one picture a trial.
    pub unknown: &'a dyn Unknown,
    /// Of the unknown's pictures.
    pub normalisation: &'a Normalisation,
    /// Adam.
    pub optimiser: Optimiser,
    /// Its steps.
    pub iterations: usize,
    /// Copies that are looked at in each.
    pub views: Option<usize>,
    /// Weight of total variation.
    pub total_variation: f64,
    /// Of noise and looks.
    pub seed: u64,
}

impl Drawing<'_> {
    /// A picture `(1,C,H,W)`, normalised, for each of `names (N,E)`, all from the same noise.
    ///
    /// # Errors
    /// An optimiser that is not Adam; what the device refuses.
    pub fn of(
        &self,
        device: &dyn Device,
        encoder: &dyn Encoder,
        names: &[f32],
        width: usize,
        hooks: &mut Hooks,
    ) -> Result<Vec<Vec<f32>>, AttackError> {
        let Drawing { unknown, iterations, optimiser, seed, .. } = *self;
        let guidance = Guidance { views: self.views, ..Guidance::new(1.0, Anneal::constant()) };
        guidance.check()?;
        optimiser.check()?;
        let adam = Adam::of(optimiser, seed)
            .ok_or_else(|| AttackError::Invalid("drawing needs Adam, found L-BFGS".into()))?;
        let trials = names.len() / width.max(1);
        let guide = Guide { encoder, names, width, hypotheses: &[], oracle: false };
        let mut tape = Tape::new();
        let Posed { variables, constants, pictures: x, penalty } = Posed::new(&mut tape, unknown, trials);
        let pull = Pull { guide: &guide, normalisation: self.normalisation, seed };
        let (inputs, frozen) = term(&mut tape, x, pull, guidance);
        let mut total = inputs.term;
        if self.total_variation != 0.0 {
            let variation = total_variation(&mut tape, x);
            let variation = tape.mul_scalar(variation, self.total_variation);
            total = tape.add(total, variation);
        }
        if let Some(penalty) = penalty {
            total = tape.add(total, penalty);
        }
        let gradients = tape.grad(total, &variables);
        let norm_ratio = tape.full(&[trials], 1.0);
        let labels = tape.input(&[1]);
        let moved = variables.into_iter().zip(unknown.variables()).map(|(var, about)| Moved { var, about });
        let mut problem = Problem {
            sizes: Sizes::one_target(trials, 1, false),
            variables: moved.collect(),
            constants,
            x,
            labels,
            parameters: vec![],
            observed: vec![],
            weights: None,
            threshold: None,
            unit: None,
            statistics: vec![],
            objective: inputs.term,
            norm_ratio,
            total,
            guidance: Some(inputs),
            gradients,
            tape,
        };
        let (iteration, mut exe) = adam::compile(device, &mut problem, unknown, adam, iterations)?;
        let exe = &mut *exe;
        let start = |hypothesis| unknown.start(seed, Trial { target: 0, hypothesis, restart: 0 });
        let starts: Vec<Vec<Vec<f32>>> = (0..trials).map(start).collect();
        for (i, moved) in problem.variables.iter().enumerate() {
            exe.write(moved.var, &of_all(&starts, i))?;
        }
        super::unknown::write_constants(unknown, &problem.constants, exe)?;
        exe.write(inputs.names, names)?;
        exe.write(inputs.named, &vec![1.0; trials])?;
        frozen.iter().try_for_each(|(var, values)| exe.write(*var, values))?;
        let found = iteration.run(&problem, exe, iterations, hooks, None)?;
        let values: Vec<Vec<Vec<f32>>> = found.into_iter().map(|found| found.values).collect();
        pictures(device, unknown, &values)
    }
}
