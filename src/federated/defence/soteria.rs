//! Soteria (Sun 2021): features of the last layer that say most about the picture, for how little the picture
//! moves them, are left out of the last layer's gradient.

use crate::{
    device::{Device, DeviceError, Executable, write_all},
    federated::{ClientError, Protocol, Victim},
    plan::Plan,
    tape::{Tape, Var},
};

/// Keeps the score defined for a feature of 0, as in the authors' code.
const OFFSET: f64 = 0.1;

/// Features whose scores are computed at once, as trials.
const AT_ONCE: usize = 16;

/// ‖∂r_f/∂x‖ / (r_f + 0.1) of every feature f, summed over the batch.
pub(crate) struct Scores {
    executable: Box<dyn Executable>,
    graph: Graph,
}

/// What computes the scores of some features of one batch.
struct Graph {
    x: Var,
    /// The model's tensors, in `state_dict` order.
    tensors: Vec<Var>,
    /// `(T,1,d)`
    chosen: Var,
    /// `(T)`
    score: Var,
    /// d
    features: usize,
    /// T
    at_once: usize,
}

impl Graph {
    fn new(victim: &Victim, protocol: &Protocol, batch: usize, at_once: usize) -> (Graph, Plan) {
        let features = victim.last_layer().0.len() / victim.model.classes;
        let at_once = features.min(at_once);
        let mut tape = Tape::new();
        let [c, h, w] = victim.model.image;
        let x = tape.input(&[at_once, batch, c, h, w]);
        let pass = victim.model.apply(&mut tape, x, protocol.mode);
        let chosen = tape.input(&[at_once, 1, features]);
        let picked = tape.mul(pass.features, chosen);
        let gradient = tape.grad(picked, &[x])[0];
        let square = tape.mul(gradient, gradient);
        let square = tape.sum(square, &[2, 3, 4]);
        let length = tape.sqrt(square);
        let length = tape.reshape(length, &[at_once, batch]);
        let value = tape.sum(picked, &[2]);
        let value = tape.reshape(value, &[at_once, batch]);
        let value = tape.abs(value);
        let value = tape.add_scalar(value, OFFSET);
        let ratio = tape.div(length, value);
        let score = tape.sum_per_trial(ratio);
        let plan = Plan::new(&tape, &[score], &[]);
        let tensors = pass.parameters.iter().map(|p| p.stored).collect();
        (Graph { x, tensors, chosen, score, features, at_once }, plan)
    }
}

/// Floating-point operations of all scores of one batch.
pub(super) fn flops(victim: &Victim, protocol: &Protocol, batch: usize) -> u64 {
    let (graph, plan) = Graph::new(victim, protocol, batch, AT_ONCE);
    plan.totals().flops * graph.features.div_ceil(graph.at_once) as u64
}

impl Scores {
    pub(crate) fn new(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
    ) -> Result<Scores, ClientError> {
        Scores::several(device, victim, protocol, batch, AT_ONCE)
    }

    fn several(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
        at_once: usize,
    ) -> Result<Scores, ClientError> {
        let (graph, plan) = Graph::new(victim, protocol, batch, at_once);
        let mut scores = Scores { executable: device.compile(&plan)?, graph };
        scores.set_tensors(&victim.tensors)?;
        Ok(scores)
    }

    /// Parameters and buffers in place of the victim's, in `state_dict` order.
    pub(crate) fn set_tensors(&mut self, tensors: &[Vec<f32>]) -> Result<(), DeviceError> {
        write_all(&mut *self.executable, &self.graph.tensors, tensors)
    }

    /// Which features are pruned: the share with the lowest scores.
    pub(crate) fn pruned(&mut self, images: &[f32], share: f64) -> Result<Vec<bool>, ClientError> {
        let mut scores: Vec<(f32, usize)> = self.of(images)?.into_iter().zip(0..).collect();
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut pruned = vec![false; self.graph.features];
        let count = (self.graph.features as f64 * share).round() as usize;
        scores.iter().take(count).for_each(|&(_, f)| pruned[f] = true);
        Ok(pruned)
    }

    /// The score of every feature.
    fn of(&mut self, images: &[f32]) -> Result<Vec<f32>, ClientError> {
        self.executable.write(self.graph.x, &images.repeat(self.graph.at_once))?;
        let mut scores = Vec::with_capacity(self.graph.features);
        for first in (0..self.graph.features).step_by(self.graph.at_once) {
            let these = first..self.graph.features.min(first + self.graph.at_once);
            let mut chosen = vec![0.0; self.graph.at_once * self.graph.features];
            these.clone().for_each(|f| chosen[(f - first) * self.graph.features + f] = 1.0);
            self.executable.write(self.graph.chosen, &chosen)?;
            self.executable.run(1)?;
            scores.extend(&self.executable.read(self.graph.score)?[..these.len()]);
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::cpu::Cpu, federated::Request, random};

    #[test]
    fn scores_at_once_are_those_of_one_feature_after_the_other() {
        let victim = Victim::from_seed(&Request::named("lenet5"), 4).unwrap();
        let x = random::normal(&mut random::generator(1, "x"), 2 * 3 * 32 * 32);
        let [several, one] = [AT_ONCE, 1].map(|at_once| {
            let (device, protocol) = (Cpu::<f64>::new(), Protocol::default());
            let mut scores = Scores::several(&device, &victim, &protocol, 2, at_once).unwrap();
            scores.of(&x).unwrap()
        });
        assert_eq!((several.len(), one.len()), (84, 84));
        let largest = one.iter().fold(0f32, |m, v| m.max(*v));
        assert!(largest > 0.0 && several.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5 * largest));
    }

    #[test]
    fn flops_are_those_of_all_features_and_pictures() {
        let victim = Victim::from_seed(&Request::named("lenet5"), 4).unwrap();
        let protocol = Protocol::default();
        let [one, four] = [1, 4].map(|batch| flops(&victim, &protocol, batch));
        let few = Graph::new(&victim, &protocol, 1, AT_ONCE).1.totals().flops;
        assert!(one >= 84 / AT_ONCE as u64 * few);
        assert!((4 * one).abs_diff(four) < one / 10, "{one} {four}");
    }
}
