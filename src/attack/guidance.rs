//! Guidance by names: pictures are drawn towards what a model of pictures and words takes for the name of their
//! label. The term is λ·Σ_i (1 − cos(image(x_i), text(name of x_i's label))); λ is annealed to exactly 0, so that
//! what is compared in the end is gradient matching alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::anneal::{Anneal, Fall};
use crate::{
    clip::{Encoder, cosine, preprocess},
    data::Normalisation,
    tape::{Tape, Var},
};

/// Which name each label index is taken to mean: index → row of [`Guide::names`]. Labels that are left out are not
/// guided.
pub type Hypothesis = BTreeMap<usize, usize>;

/// λ and its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    /// λ until it falls.
    pub weight: f64,
    /// When λ falls to 0, and how.
    pub schedule: Anneal,
}

impl Guidance {
    /// λ at iteration `i` of `iterations`.
    pub fn at(&self, i: usize, iterations: usize) -> f64 {
        let done = i as f64 / iterations.max(1) as f64;
        self.weight * self.schedule.at(done)
    }

    /// The first iteration at which λ is 0; behind the last evaluation if there is none.
    pub fn end(&self, iterations: usize) -> usize {
        (0..=iterations).find(|&i| self.at(i, iterations) == 0.0).unwrap_or(iterations + 1)
    }
}

/// Who compares pictures with names, and what the names are taken to mean.
#[derive(Clone, Copy)]
pub struct Guide<'a> {
    /// The model of pictures and words.
    pub encoder: &'a dyn Encoder,
    /// `(N,E)`, of length 1.
    pub names: &'a [f32],
    /// `E`
    pub width: usize,
    /// Of each target in turn: each of them is attacked under every one of its hypotheses, from the same starts. A
    /// target without any is attacked once, unguided.
    pub hypotheses: &'a [Vec<Hypothesis>],
    /// Whether they are what the labels truly mean, of which an eavesdropper knows nothing.
    pub oracle: bool,
}

/// The term's inputs, all written by the host.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Vector of the name that each picture is drawn to, `(T,B,E)`.
    pub names: Var,
    /// 1 where a picture has a name, else 0, `(T,B)`.
    pub named: Var,
    /// λ now, `(1)`.
    pub weight: Var,
    /// What λ follows.
    pub schedule: Guidance,
}

/// Weights of the image encoder, and what to write to them.
pub type Frozen<'w> = Vec<(Var, &'w [f32])>;

/// λ·Σ_i (1 − cos) over the pictures of each trial, `(T)`; `x (T,B,C,H,W)` is normalised as the victim takes it, and
/// has 1 or 3 channels. Names are of width `E`.
pub fn term<'w>(
    tape: &mut Tape,
    x: Var,
    normalisation: &Normalisation,
    encoder: &'w dyn Encoder,
    width: usize,
    schedule: Guidance,
) -> (Var, Inputs, Frozen<'w>) {
    let [trials, batch, ..] = tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
    let pixels = pixels(tape, x, normalisation);
    let pixels = encoder.preprocess(tape, pixels);
    let (features, frozen) = encoder.encode_image(tape, pixels);
    let inputs = Inputs {
        names: tape.input(&[trials, batch, width]),
        named: tape.input(&[trials, batch]),
        weight: tape.input(&[1]),
        schedule,
    };
    let names = tape.reshape(inputs.names, &[trials * batch, width]);
    let close = cosine(tape, features, names);
    let close = tape.reshape(close, &[trials, batch]);
    let one = tape.scalar(1.0);
    let distance = tape.sub(one, close);
    let distance = tape.mul(distance, inputs.named);
    let sum = tape.sum_per_trial(distance);
    (tape.mul(sum, inputs.weight), inputs, frozen)
}

/// `(T,B,C,H,W)`, normalised, to pictures `(T·B,3,H,W)` in [0, 1].
fn pixels(tape: &mut Tape, x: Var, normalisation: &Normalisation) -> Var {
    let [trials, batch, channels, h, w] = tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
    let mut per_channel =
        |values: &[f32]| tape.literal(&[1, channels, 1, 1], values.iter().map(|&v| f64::from(v)).collect());
    let (mean, std) = (per_channel(normalisation.mean()), per_channel(normalisation.std()));
    let flat = tape.reshape(x, &[trials * batch, channels, h, w]);
    let scaled = tape.mul(flat, std);
    let pixels = tape.add(scaled, mean);
    // Grey is that much of each colour.
    tape.broadcast_to(pixels, &[trials * batch, preprocess::CHANNELS, h, w])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_full_then_falls_then_is_exactly_0() {
        let guidance = |fall| Guidance { weight: 2.0, schedule: Anneal { fall, from: 0.5, to: 0.75 } };
        for fall in [Fall::Step, Fall::Linear, Fall::Cosine] {
            let at = |i| guidance(fall).at(i, 100);
            assert!((0..50).all(|i| at(i) == 2.0) && (75..=100).all(|i| at(i) == 0.0), "{fall:?}");
            assert!((50..74).all(|i| at(i) >= at(i + 1) && at(i + 1) > 0.0), "{fall:?}");
        }
        assert_eq!(guidance(Fall::Step).at(74, 100), 2.0);
        assert!((guidance(Fall::Linear).at(60, 100) - 1.2).abs() < 1e-12);
        assert!(
            (guidance(Fall::Cosine).at(60, 100) - (1.0 + (0.4 * std::f64::consts::PI).cos())).abs() < 1e-12
        );
        // Without iterations to fall in, it falls at once.
        let sudden = Guidance { weight: 1.0, schedule: Anneal { fall: Fall::Cosine, from: 0.5, to: 0.5 } };
        assert_eq!([sudden.at(4, 10), sudden.at(5, 10)], [1.0, 0.0]);
    }
}
