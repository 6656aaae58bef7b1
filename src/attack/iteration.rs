//! One iteration of an attack on pixels as a plan, to be shown, counted or timed: nothing is observed yet.

use super::{
    adam::{Adam, Iteration},
    config::{AttackConfig, LabelStrategy},
    lbfgs,
    pixels::Pixels,
    problem::{Problem, Scene, Sizes},
};
use crate::{federated::Protocol, nn::Model, plan::Plan};

/// Of this attack by `trials` trials on one batch of `batch` pictures: a step of Adam, or one evaluation of L-BFGS.
pub fn iteration(
    model: &Model,
    protocol: &Protocol,
    config: &AttackConfig,
    batch: usize,
    trials: usize,
) -> Plan {
    let scene = Scene { model, protocol, config, views: &[], weighted: false, scaled: false };
    let joint = config.labels == LabelStrategy::Joint;
    let pixels = Pixels { clamp: config.clamp, ..Pixels::free(batch, model.image) };
    let mut problem = Problem::new(&scene, &pixels, Sizes::one_target(trials, batch, joint));
    match Adam::of(config.optimiser, 0) {
        Some(adam) => Iteration::new(&mut problem, adam, config.iterations).plan,
        None => lbfgs::plan(&problem),
    }
}
