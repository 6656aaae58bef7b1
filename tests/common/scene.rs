//! Matching problems of a victim by its name, as the attacks build them.

use gia_gpu::{
    attack::{
        config::AttackConfig,
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    federated::Protocol,
    nn::{Model, Options},
};

/// The problem of an undefended gradient of a victim with ten classes.
pub(crate) fn problem(victim: &str, config: &AttackConfig, sizes: Sizes) -> Problem {
    let model = Model::new(victim, &Options::default(), None, 10).unwrap();
    let protocol = Protocol::default();
    let scene =
        Scene { model: &model, protocol: &protocol, config, views: &[], weighted: false, scaled: false };
    let pixels = Pixels { clamp: config.clamp, ..Pixels::free(sizes.batch, model.image) };
    Problem::new(&scene, &pixels, sizes)
}
