//! Guidance by names: pictures are drawn towards what a model of pictures and words takes for the name of their
//! label. The term is λ·Σ_i (1 − cos(image(x_i), text(name of x_i's label))). λ is annealed to exactly 0, so that
//! what is compared in the end is gradient matching alone, or stays, and the optimum of both is compared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::anneal::{Anneal, Fall};
use super::{
    AttackError,
    looks::{PERIOD, looks},
};
use crate::{
    clip::{Encoder, cosine, preprocess},
    data::Normalisation,
    device::Executable,
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
    /// Copies of each picture that are looked at in an iteration: moved, mirrored, noisy, partly covered. Absent: the picture
    /// as it is, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<usize>,
}

impl Guidance {
    /// λ at iteration `i` of `iterations`.
    pub fn at(&self, i: usize, iterations: usize) -> f64 {
        let done = i as f64 / iterations.max(1) as f64;
        self.weight * self.schedule.at(done)
    }

    /// Of this weight and schedule, with each picture looked at once, as it is.
    pub fn new(weight: f64, schedule: Anneal) -> Guidance {
        Guidance { weight, schedule, views: None }
    }

    /// Whether λ stays what it is, and best iterates are those of the least objective and pull together.
    pub fn stays(&self) -> bool {
        self.schedule.fall == Fall::Constant
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

/// Who pulls at the pictures of a problem, and by what seed they are looked at.
#[derive(Clone, Copy)]
pub struct Pull<'g, 'w> {
    /// Who compares, and with what names.
    pub guide: &'g Guide<'w>,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: &'g Normalisation,
    /// Of the looks.
    pub seed: u64,
}

/// The term's inputs, written by the host.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Vector of the name that each picture is drawn to, `(T,B,E)`.
    pub names: Var,
    /// 1 where a picture has a name, else 0, `(T,B)`.
    pub named: Var,
    /// λ now, `(1)`.
    pub weight: Var,
    /// Which looks are taken now, `(1)`, below [`PERIOD`](super::looks); absent where pictures are looked at as they are.
    pub look: Option<Var>,
    /// What the term comes to, `(T)`; no input.
    pub term: Var,
    /// What λ follows.
    pub schedule: Guidance,
}

/// Weights of the image encoder, and what to write to them.
pub type Frozen<'w> = Vec<(Var, &'w [f32])>;

impl Inputs {
    /// Writes what iteration `done` of `iterations` takes: λ, and the looks.
    pub fn write_at(
        &self,
        exe: &mut dyn Executable,
        done: usize,
        iterations: usize,
    ) -> Result<(), AttackError> {
        if let Some(look) = self.look {
            exe.write(look, &[(done % PERIOD) as f32])?;
        }
        Ok(exe.write(self.weight, &[self.schedule.at(done, iterations) as f32])?)
    }
}

/// λ·Σ_i (1 − cos) over the pictures of each trial, `(T)`; `x (T,B,C,H,W)` is normalised as the victim takes it, and
/// has 1 or 3 channels.
pub fn term<'w>(
    tape: &mut Tape,
    x: Var,
    Pull { guide, normalisation, seed }: Pull<'_, 'w>,
    schedule: Guidance,
) -> (Inputs, Frozen<'w>) {
    let [trials, batch, ..] = tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
    let Guide { encoder, width, .. } = *guide;
    let mut pixels = pixels(tape, x, normalisation);
    let copies = schedule.views.unwrap_or(1);
    let look = schedule.views.map(|_| tape.input(&[1]));
    if let Some(look) = look {
        pixels = looks(tape, pixels, batch, copies, seed, look);
    }
    let pixels = encoder.preprocess(tape, pixels);
    let (features, frozen) = encoder.encode_image(tape, pixels);
    let names = tape.input(&[trials, batch, width]);
    let named = tape.input(&[trials, batch]);
    let weight = tape.input(&[1]);
    let wanted = tape.reshape(names, &[1, trials * batch, width]);
    let wanted = tape.broadcast_to(wanted, &[copies, trials * batch, width]);
    let wanted = tape.reshape(wanted, &[copies * trials * batch, width]);
    let close = cosine(tape, features, wanted);
    let mut close = tape.reshape(close, &[copies, trials, batch]);
    if copies > 1 {
        close = tape.mean(close, &[0]);
    }
    let close = tape.reshape(close, &[trials, batch]);
    let one = tape.scalar(1.0);
    let distance = tape.sub(one, close);
    let distance = tape.mul(distance, named);
    let sum = tape.sum_per_trial(distance);
    let term = tape.mul(sum, weight);
    (Inputs { names, named, weight, look, term, schedule }, frozen)
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
        let guidance = |fall| Guidance::new(2.0, Anneal { fall, from: 0.5, to: 0.75 });
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
        let sudden = Guidance::new(1.0, Anneal { fall: Fall::Cosine, from: 0.5, to: 0.5 });
        assert_eq!([sudden.at(4, 10), sudden.at(5, 10)], [1.0, 0.0]);
        let stays = Guidance::new(1.0, Anneal::constant());
        assert!((0..=10).all(|i| stays.at(i, 10) == 1.0) && stays.end(10) == 11 && stays.stays());
    }
}
