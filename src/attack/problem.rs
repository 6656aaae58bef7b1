//! The matching problem on a tape: from a trial batch to the value that the optimiser lowers.

use super::{
    config::AttackConfig,
    objective::{Match, matching},
    prior::total_variation,
};
use crate::{
    federated::client,
    nn::{Architecture, Parameter, loss::softmax},
    tape::{Tape, Var},
};

/// Sizes of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// `T`
    pub trials: usize,
    /// `B`
    pub batch: usize,
    /// `K`
    pub classes: usize,
    /// True if every trial matches the same observed gradient.
    pub shared_target: bool,
    /// True if label logits are optimised together with the images.
    pub joint_labels: bool,
}

/// The problem's inputs and results on its tape.
pub struct Problem {
    pub tape: Tape,
    pub sizes: Sizes,
    /// Trial images `(T,B,C,H,W)`, normalised.
    pub x: Var,
    /// `(T,B,K)`: one-hot rows that the host writes, or logits that the attack optimises.
    pub labels: Var,
    pub parameters: Vec<Parameter>,
    /// The observed gradient, one input `(T|1,…)` a trainable parameter.
    pub observed: Vec<Var>,
    /// D(g, g*), `(T)`.
    pub objective: Var,
    /// ‖g‖/‖g*‖, `(T)`.
    pub norm_ratio: Var,
    /// The objective and the priors, `(T)`.
    pub total: Var,
    /// ∂total/∂x, and ∂total/∂labels where they are optimised.
    pub gradients: Vec<Var>,
}

impl Problem {
    pub fn new(architecture: &dyn Architecture, config: &AttackConfig, sizes: Sizes) -> Problem {
        let mut tape = Tape::new();
        let [c, h, w] = architecture.image_shape();
        let x = tape.input(&[sizes.trials, sizes.batch, c, h, w]);
        let labels = tape.input(&[sizes.trials, sizes.batch, sizes.classes]);
        let targets = if sizes.joint_labels { softmax(&mut tape, labels) } else { labels };

        let client::Step { parameters, gradient, .. } = client::step(&mut tape, architecture, x, targets);
        let leading = if sizes.shared_target { 1 } else { sizes.trials };
        let (mut observed, mut seen) = (vec![], vec![]);
        for &g in &gradient {
            let shape = tape.shape(g).to_vec();
            let input = tape.input(&[&[leading], &shape[1..]].concat());
            observed.push(input);
            seen.push(tape.broadcast_to(input, &shape));
        }
        let Match { distance, norm_ratio } = matching(&mut tape, config.objective, &gradient, &seen);
        let mut total = distance;
        if config.total_variation != 0.0 {
            let variation = total_variation(&mut tape, x);
            let weighted = tape.mul_scalar(variation, config.total_variation);
            total = tape.add(total, weighted);
        }
        let variables = if sizes.joint_labels { vec![x, labels] } else { vec![x] };
        let gradients = tape.grad(total, &variables);
        Problem {
            tape,
            sizes,
            x,
            labels,
            parameters,
            observed,
            objective: distance,
            norm_ratio,
            total,
            gradients,
        }
    }
}
