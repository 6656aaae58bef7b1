//! One iteration of an attack as a plan, to be shown, counted or timed: nothing is observed yet.

use super::{
    adam::{Adam, Iteration},
    config::{AttackConfig, LabelStrategy},
    lbfgs,
    pixels::Pixels,
    problem::{Problem, Scene, Sizes},
    sought::Seeking,
    unknown::Unknown,
};
use crate::{data::Normalisation, federated::Protocol, nn::Model, plan::Plan};

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
    let normalisation = Normalisation::default().for_channels(model.image[0]);
    let (image, normalisation) = (model.image, &normalisation);
    let seeking = Seeking { config, batch, image, normalisation, generator: None, seed: 0, labelled: None };
    // Those of the last stage, whose iteration takes longest.
    let last = seeking.parts().ok().and_then(|mut parts| parts.pop());
    let unknown = last.map_or_else(
        || -> Box<dyn Unknown> { Box::new(Pixels::free(batch, image)) },
        |part| (part.unknown)(),
    );
    let mut problem = Problem::new(&scene, &*unknown, Sizes::one_target(trials, batch, joint));
    match Adam::of(config.optimiser, 0) {
        Some(adam) => Iteration::new(&mut problem, &*unknown, adam, config.iterations).plan,
        None => lbfgs::plan(&problem),
    }
}
