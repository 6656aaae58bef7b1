//! The matching problem on a tape: from a trial batch to the value that the optimiser lowers.

use super::{
    config::{AttackConfig, LayerWeights, Layers, Objective, StatisticsTarget},
    guidance::{self, Frozen, Inputs, Pull},
    objective::{Match, Weighting, matching},
    prior,
    surrogate::{Surrogate, alpha, surrogate},
    unknown::{Posed, Unknown, Variable},
    view::view,
};
use crate::{
    federated::{Protocol, Simulation, defence::adapt::View, simulate},
    nn::{Model, Parameter, Statistics, loss::softmax},
    tape::{Tape, Var},
};

/// What all trials of an attack share.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The victim's network.
    pub model: &'a Model,
    /// What the eavesdropper takes the client to do.
    pub protocol: &'a Protocol,
    /// The attack, with every choice made.
    pub config: &'a AttackConfig,
    /// What it does to its trial gradient to match a defended one.
    pub views: &'a [View],
    /// Whether each target has weights of its own for the gradient's tensors.
    pub weighted: bool,
    /// Whether gradients are matched in units of the observed one's norm, which the host writes: those of a saturated
    /// victim are so small that their squares are lost otherwise.
    pub scaled: bool,
}

/// Sizes of a problem.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// `T`
    pub trials: usize,
    /// `B`
    pub batch: usize,
    /// True if every trial matches the same observed gradient.
    pub shared_target: bool,
    /// True if label logits are optimised together with the images.
    pub joint_labels: bool,
    /// The target of each trial, `(T)`; trials of one target make a group.
    pub groups: Vec<usize>,
}

impl Sizes {
    /// `trials` restarts of one target.
    pub fn one_target(trials: usize, batch: usize, joint_labels: bool) -> Sizes {
        Sizes { trials, batch, shared_target: true, joint_labels, groups: vec![0; trials] }
    }
}

/// A variable on the tape.
pub struct Moved {
    /// `(T,…)`
    pub var: Var,
    /// Its shape, its bounds and what moves it.
    pub about: Variable,
}

/// The problem's inputs and results on its tape.
pub struct Problem {
    /// Everything that is computed.
    pub tape: Tape,
    /// How many trials there are, of how many targets.
    pub sizes: Sizes,
    /// What is optimised: the unknown's variables, then the labels' logits and α where they are.
    pub variables: Vec<Moved>,
    /// The unknown's constants, `(1,…)` each.
    pub constants: Vec<Var>,
    /// Trial pictures `(T,B,C,H,W)`, normalised: the first variable itself where that is a picture.
    pub x: Var,
    /// `(T,B,K)`: one-hot rows that the host writes, or logits that the attack optimises.
    pub labels: Var,
    /// The victim's, one copy for all trials that the host writes.
    pub parameters: Vec<Parameter>,
    /// The observed gradient, one input `(T|1,…)` a trainable parameter.
    pub observed: Vec<Var>,
    /// Weights of the gradient's tensors that the host writes, `(T|1,tensors)`.
    pub weights: Option<Var>,
    /// Magnitude below which entries of g* are left out, `(T|1)`.
    pub threshold: Option<Var>,
    /// Mean and variance of the client's batch at each batch norm, `(T|1,C)` each.
    pub statistics: Vec<(Var, Var)>,
    /// 1/‖g*‖, `(T|1)`, where gradients are matched in units of the norm.
    pub unit: Option<Var>,
    /// D(g, g*), `(T)`.
    pub objective: Var,
    /// ‖g‖/‖g*‖, `(T)`.
    pub norm_ratio: Var,
    /// The objective and the priors, `(T)`.
    pub total: Var,
    /// Inputs of the guidance, where there is one.
    pub guidance: Option<Inputs>,
    /// ∂total by each variable.
    pub gradients: Vec<Var>,
}

impl Problem {
    /// Values of all variables of all trials.
    pub fn values(&self) -> usize {
        self.variables.iter().map(|moved| self.tape.len_of(moved.var)).sum()
    }

    /// Of settings that [`Setting::check`](super::setting::Setting::check) lets pass.
    pub fn new(scene: &Scene, unknown: &dyn Unknown, sizes: Sizes) -> Problem {
        Problem::guided(scene, unknown, sizes, None).0
    }

    /// With guidance by a model, for pictures under this normalisation, if its weight is not 0; the model's weights are
    /// the caller's to write.
    pub fn guided<'w>(
        scene: &Scene,
        unknown: &dyn Unknown,
        sizes: Sizes,
        pull: Option<Pull<'_, 'w>>,
    ) -> (Problem, Frozen<'w>) {
        let Scene { model, protocol, config, .. } = *scene;
        let mut tape = Tape::new();
        let Posed { variables, constants, pictures: x, penalty } =
            Posed::new(&mut tape, unknown, sizes.trials);
        let labels = tape.input(&[sizes.trials, sizes.batch, model.classes]);
        let targets = if sizes.joint_labels { softmax(&mut tape, labels) } else { labels };

        let leading = if sizes.shared_target { 1 } else { sizes.trials };
        let declared = model.declarations().into_iter().filter(|d| d.trainable);
        let observed: Vec<Var> = declared.map(|d| tape.input(&[&[leading], &d.shape[..]].concat())).collect();
        let between = config.surrogate.then(|| tape.input(&[sizes.trials, 1]));
        let Surrogate { parameters, gradient, statistics } = match between {
            Some(alpha) => surrogate(&mut tape, model, protocol, [x, targets], &observed, alpha),
            None => {
                let Simulation { parameters, gradient, statistics, .. } =
                    simulate(&mut tape, model, protocol, x, targets);
                Surrogate { parameters, gradient, statistics }
            }
        };
        let mut seen: Vec<Var> = observed
            .iter()
            .zip(&gradient)
            .map(|(&input, &g)| {
                let shape = tape.shape(g).to_vec();
                tape.broadcast_to(input, &shape)
            })
            .collect();
        let mut gradient = view(&mut tape, scene.views, gradient, &seen);
        let unit = scene.scaled.then(|| tape.input(&[leading]));
        if let Some(unit) = unit {
            for tensor in gradient.iter_mut().chain(&mut seen) {
                *tensor = times(&mut tape, *tensor, unit);
            }
        }
        let first = match config.layers {
            Layers::All => 0,
            Layers::Last(n) => gradient.len().saturating_sub(n),
        };
        let weights = scene.weighted.then(|| tape.input(&[leading, gradient.len()]));
        let threshold = matches!(config.objective, Objective::CosineTop(_)).then(|| tape.input(&[leading]));
        let layers = layer_weights(&mut tape, config.layer_weights, weights, gradient.len())
            .map(|all| tape.narrow(all, 1, first, gradient.len() - first));
        let Match { distance, norm_ratio } = matching(
            &mut tape,
            config.objective,
            &gradient[first..],
            &seen[first..],
            Weighting { layers, threshold },
        );
        let distance = match unit {
            None => distance,
            Some(unit) => in_full(&mut tape, config.objective, distance, unit),
        };

        let (goals, of_batch) = statistics_targets(&mut tape, config, &statistics, leading);
        let mut total = add_priors(&mut tape, config, distance, x, &sizes.groups, &statistics, &goals);
        if let Some(penalty) = penalty {
            total = tape.add(total, penalty);
        }
        let (mut guidance, mut frozen) = (None, vec![]);
        let schedule = config.guidance.filter(|g| g.weight != 0.0);
        if let Some((pull, schedule)) = pull.zip(schedule) {
            let (inputs, weights) = guidance::term(&mut tape, x, pull, schedule);
            total = tape.add(total, inputs.term);
            (guidance, frozen) = (Some(inputs), weights);
        }
        let mut variables: Vec<Moved> =
            variables.into_iter().zip(unknown.variables()).map(|(var, about)| Moved { var, about }).collect();
        if sizes.joint_labels {
            let about = Variable { plain: true, ..Variable::free(&[sizes.batch, model.classes]) };
            variables.push(Moved { var: labels, about });
        }
        if let Some(var) = between {
            variables.push(Moved { var, about: alpha() });
        }
        let vars: Vec<Var> = variables.iter().map(|moved| moved.var).collect();
        let gradients = tape.grad(total, &vars);
        let problem = Problem {
            tape,
            sizes,
            variables,
            constants,
            x,
            labels,
            parameters,
            observed,
            weights,
            threshold,
            statistics: of_batch,
            unit,
            objective: distance,
            norm_ratio,
            total,
            guidance,
            gradients,
        };
        (problem, frozen)
    }
}

/// `(T,…)` times `(T|1)`.
fn times(tape: &mut Tape, tensor: Var, factor: Var) -> Var {
    let rank = tape.shape(tensor).len();
    let leading = tape.shape(factor)[0];
    let factor = tape.reshape(factor, &[&[leading], vec![1; rank - 1].as_slice()].concat());
    tape.mul(tensor, factor)
}

/// A distance `(T)` of gradients in units of the norm as that of the gradients themselves; cosines have no unit.
fn in_full(tape: &mut Tape, objective: Objective, distance: Var, unit: Var) -> Var {
    match objective {
        Objective::L2 => {
            let in_units = tape.div(distance, unit);
            tape.div(in_units, unit)
        }
        Objective::L1 => tape.div(distance, unit),
        Objective::Cosine | Objective::CosineTop(_) | Objective::CosineLayerwise => distance,
    }
}

/// The product of the weights by depth and those of the target, `(T|1,tensors)`; `None` where all are 1.
fn layer_weights(
    tape: &mut Tape,
    by_depth: LayerWeights,
    of_target: Option<Var>,
    count: usize,
) -> Option<Var> {
    match by_depth {
        LayerWeights::Equal => of_target,
        LayerWeights::Rising => {
            let rising = (1..=count).map(|i| i as f64 / count as f64).collect();
            let rising = tape.literal(&[1, count], rising);
            Some(of_target.map_or(rising, |w| tape.mul(w, rising)))
        }
    }
}

/// Mean and variance for the batch-norm prior, and the inputs that the host fills, if they are the client's.
type Targets = Vec<(Var, Var)>;

fn statistics_targets(
    tape: &mut Tape,
    config: &AttackConfig,
    seen: &[Statistics],
    leading: usize,
) -> (Targets, Targets) {
    match (config.batch_norm != 0.0, config.batch_norm_target) {
        (false, _) => (vec![], vec![]),
        (true, StatisticsTarget::Running) => {
            (seen.iter().map(|s| (s.running_mean, s.running_variance)).collect(), vec![])
        }
        (true, StatisticsTarget::Batch) => {
            let inputs: Targets = seen
                .iter()
                .map(|s| {
                    let shape = [leading, tape.shape(s.mean)[1]];
                    (tape.input(&shape), tape.input(&shape))
                })
                .collect();
            (inputs.clone(), inputs)
        }
    }
}

/// The objective and every prior that has a weight.
fn add_priors(
    tape: &mut Tape,
    config: &AttackConfig,
    distance: Var,
    x: Var,
    groups: &[usize],
    seen: &[Statistics],
    goals: &[(Var, Var)],
) -> Var {
    let mut total = match config.objective_weight {
        1.0 => distance,
        weight => tape.mul_scalar(distance, weight),
    };
    let mut parts = vec![];
    if config.total_variation != 0.0 {
        let variation =
            if config.isotropic { prior::isotropic_total_variation } else { prior::total_variation };
        parts.push((variation(tape, x), config.total_variation));
        let opponents = config.colour_opponents.then(|| prior::colour_opponents(tape, x)).flatten();
        if let Some(opponents) = opponents {
            parts.push((variation(tape, opponents), config.total_variation));
        }
    }
    if config.image_norm != 0.0 {
        parts.push((prior::image_norm(tape, x), config.image_norm));
    }
    if let Some(distance) = prior::batch_norm(tape, seen, goals) {
        parts.push((distance, config.batch_norm));
    }
    if config.group_consistency != 0.0 && groups.len() > 1 {
        parts.push((prior::group_consistency(tape, x, groups), config.group_consistency));
    }
    for (part, weight) in parts {
        let weighted = tape.mul_scalar(part, weight);
        total = tape.add(total, weighted);
    }
    total
}
