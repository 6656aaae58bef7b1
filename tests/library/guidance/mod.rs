//! Guidance by names: its value and gradient against finite differences, its annealing, and that an attack without it is
//! the same to the bit.

mod attack;
mod term;

use std::path::Path;

use gia_gpu::{
    attack::{
        config::AttackConfig,
        guidance::{Anneal, Fall, Guidance},
    },
    clip::Clip,
    random,
};

/// A random CLIP of 32-pixel pictures, or smaller.
fn clip() -> Clip {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip/hf_quick_gelu_f32");
    Clip::open(&folder, None).unwrap()
}

/// Width of its space.
fn width(clip: &Clip) -> usize {
    clip.image.projection()
}

/// `names` random directions.
fn directions(clip: &Clip, names: usize) -> Vec<f32> {
    let mut vectors = random::normal(&mut random::generator(5, "names"), names * width(clip));
    for row in vectors.chunks_mut(width(clip)) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    vectors
}

fn guided(config: &mut AttackConfig, weight: f64) {
    config.guidance = Some(Guidance::new(weight, Anneal { fall: Fall::Linear, from: 0.25, to: 0.5 }));
}
