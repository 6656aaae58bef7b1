//! Pictures from the exact inputs of a hidden layer: the pixels whose features point the same way, min over x of
//! 1 − cos(z(x), ẑ) and total variation, on the engine.

use super::layers::Linear;
use crate::{
    attack::{
        AttackError, Found, Hooks,
        adam::{self, Adam},
        checkpoint::Identity,
        pixels::Pixels,
        prior::total_variation,
        problem::{Moved, Problem, Sizes},
        setting::{Setting, Target, Trial},
        unknown::{Posed, Unknown},
    },
    device::{Device, DeviceError},
    tape::{Tape, Var},
};

/// Keeps the roots differentiable where features vanish.
const EPSILON: f64 = 1e-24;
/// Restarts of one plan.
const TOGETHER: usize = 16;

/// What was restored of one target.
pub struct Features<'a> {
    /// The layer whose inputs they are.
    pub layer: &'a Linear,
    /// Position of the layer, see [`linear_layers`](super::layers::linear_layers).
    pub at: usize,
    /// ẑ `(B, n)`
    pub values: &'a [f32],
    /// Of the target, for the starts.
    pub target: usize,
}

/// Pictures `(B,C,H,W)` of every restart, with the objective 1 − cos, mean over the batch.
///
/// # Errors
/// An optimiser that is not Adam; what the device refuses.
pub fn pictures(
    device: &dyn Device,
    setting: &Setting,
    features: &Features,
    hooks: &mut Hooks,
) -> Result<Vec<Found>, AttackError> {
    let iterations = setting.config.iterations;
    let adam = Adam::of(setting.config.optimiser, setting.seed).ok_or_else(|| {
        AttackError::Invalid("pictures from features need Adam, the configuration has L-BFGS".into())
    })?;
    let pixels = Pixels::of(setting);
    let restarts: Vec<usize> = (0..setting.restarts.max(1)).collect();
    let rounds = restarts.len().div_ceil(TOGETHER);
    let kept = match hooks.checkpoints {
        None => None,
        Some(checkpoints) => {
            let target = [Target { gradient: vec![features.values.to_vec()], ..Target::default() }];
            let identity = Identity::of(&[device], setting, None, &[], &target)
                .with("the layer whose inputs were restored", features.at);
            Some(checkpoints.begin(identity, TOGETHER)?)
        }
    };
    let mut found = vec![];
    for (round, some) in restarts.chunks(TOGETHER).enumerate() {
        let of_round = kept.map(|attack| attack.of_round(round));
        let (mut problem, wanted) = pose(setting, &pixels, features, some.len());
        let (iteration, mut exe) = adam::compile(device, &mut problem, &pixels, adam, iterations)?;
        let exe = &mut *exe;
        let start = |&restart: &usize| {
            pixels
                .start(setting.seed, setting.drawn(Trial { target: features.target, hypothesis: 0, restart }))
                .concat()
        };
        exe.write(problem.variables[0].var, &some.iter().flat_map(start).collect::<Vec<_>>())?;
        exe.write(wanted, features.values)?;
        for (parameter, tensor) in problem.parameters.iter().zip(&setting.victim.tensors) {
            match exe.write(parameter.stored, tensor) {
                // The layers after this one are not part of the plan.
                Ok(()) | Err(DeviceError::UnknownVar(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut progress = |done: usize, of: usize, latest: &[f32]| {
            (hooks.progress)(round * of + done, rounds * of, latest);
        };
        found.extend(iteration.run(
            &problem,
            exe,
            iterations,
            &mut Hooks { progress: &mut progress, ..*hooks },
            of_round.as_ref().map(|of_round| of_round.of_stage(0)).as_ref(),
        )?);
    }
    Ok(found)
}

/// The problem on its tape, and the input `(1,B,n)` for ẑ.
fn pose(setting: &Setting, pixels: &Pixels, features: &Features, trials: usize) -> (Problem, Var) {
    let mut tape = Tape::new();
    let Posed { variables, constants, pictures, .. } = Posed::new(&mut tape, pixels, trials);
    let pass = setting.victim.model.apply(&mut tape, pictures, setting.protocol.mode);
    let z = pass.linear[features.at].input;
    let shape = tape.shape(z).to_vec();
    let wanted = tape.input(&[1, shape[1], shape[2]]);
    let seen = tape.broadcast_to(wanted, &shape);
    let [dot, own, other] = [(z, seen), (z, z), (seen, seen)].map(|(a, b)| {
        let product = tape.mul(a, b);
        tape.sum(product, &[2])
    });
    let lengths = tape.mul(own, other);
    let lengths = tape.add_scalar(lengths, EPSILON);
    let inverse = tape.rsqrt(lengths);
    let cosine = tape.mul(dot, inverse);
    let cosine = tape.mean(cosine, &[1, 2]);
    let cosine = tape.reshape(cosine, &[trials]);
    let one = tape.scalar(1.0);
    let objective = tape.sub(one, cosine);
    let mut total = objective;
    if setting.config.total_variation != 0.0 {
        let variation = total_variation(&mut tape, pictures);
        let variation = tape.mul_scalar(variation, setting.config.total_variation);
        total = tape.add(total, variation);
    }
    let gradients = tape.grad(total, &variables);
    let norm_ratio = tape.full(&[trials], 1.0);
    let labels = tape.input(&[trials, setting.batch, setting.victim.model.classes]);
    let moved = variables.into_iter().zip(pixels.variables()).map(|(var, about)| Moved { var, about });
    let problem = Problem {
        sizes: Sizes::one_target(trials, setting.batch, false),
        variables: moved.collect(),
        constants,
        x: pictures,
        labels,
        parameters: pass.parameters,
        observed: vec![],
        weights: None,
        threshold: None,
        unit: None,
        statistics: vec![],
        objective,
        norm_ratio,
        total,
        guidance: None,
        gradients,
        tape,
    };
    (problem, wanted)
}
