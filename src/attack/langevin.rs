//! Noise for every iteration without a random generator on the device: rows of a table of N(0,1), picked
//! anew for every iteration.

use rand::RngExt;

use crate::{
    random,
    tape::{Tape, Var},
};

/// Rows and their length: together a million draws.
const ROWS: usize = 1024;
const LENGTH: usize = 1024;

/// Noise of `shape` for the iteration that `counter (1)` says, up to `iterations`.
pub fn noise(tape: &mut Tape, shape: &[usize], counter: Var, iterations: usize, seed: u64) -> Var {
    let len: usize = shape.iter().product();
    let rows = len.div_ceil(LENGTH);
    let mut generator = random::generator(seed, "langevin");
    let table = random::normal(&mut generator, ROWS * LENGTH).into_iter().map(f64::from).collect();
    let table = tape.literal(&[ROWS, LENGTH], table);
    let picks = (0..(iterations + 1) * rows).map(|_| generator.random_range(0..ROWS) as f64).collect();
    let picks = tape.literal(&[iterations + 1, rows], picks);
    let picked = tape.gather(picks, counter);
    let picked = tape.reshape(picked, &[rows]);
    let values = tape.gather(table, picked);
    let values = tape.reshape(values, &[rows * LENGTH]);
    let values = tape.narrow(values, 0, 0, len);
    tape.reshape(values, shape)
}
