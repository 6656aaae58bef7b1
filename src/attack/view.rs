//! What the adaptive eavesdropper does to its own trial gradient, because the client's defence did it to
//! the observed one.

use crate::{
    federated::{clip, defence::adapt::View},
    tape::{Tape, Var},
};

/// Keeps the division defined where a tensor's gradient is 0.
const EPSILON: f64 = 1e-12;

/// The trial gradient as the defence would leave it; `observed` has the same shapes.
pub fn view(tape: &mut Tape, views: &[View], trial: Vec<Var>, observed: &[Var]) -> Vec<Var> {
    views.iter().fold(trial, |trial, view| match view {
        View::Clip(limit) => clip(tape, &trial, *limit),
        View::Support => trial
            .iter()
            .zip(observed)
            .map(|(&g, &o)| {
                let sign = tape.sign(o);
                let present = tape.mul(sign, sign);
                tape.mul(g, present)
            })
            .collect(),
        View::SoftSign => trial.iter().map(|&g| soft_sign(tape, g)).collect(),
    })
}

fn soft_sign(tape: &mut Tape, g: Var) -> Var {
    let axes: Vec<usize> = (1..tape.shape(g).len()).collect();
    let magnitude = tape.abs(g);
    let scale = tape.mean(magnitude, &axes);
    let scale = tape.add_scalar(scale, EPSILON);
    let relative = tape.div(g, scale);
    tape.tanh(relative)
}
