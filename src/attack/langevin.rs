//! Noise for every iteration without a random generator on the device: rows of a table of N(0,1), picked
//! anew for every iteration.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{
    random,
    tape::{Tape, Var},
};

/// Rows and their length: together a million draws.
const ROWS: usize = 1024;
const LENGTH: usize = 1024;

/// The table, which all noise of an attack is picked from.
pub(crate) struct Noise {
    generator: ChaCha8Rng,
    table: Var,
}

impl Noise {
    pub(crate) fn new(tape: &mut Tape, seed: u64) -> Noise {
        let mut generator = random::generator(seed, "langevin");
        let table = random::normal(&mut generator, ROWS * LENGTH).into_iter().map(f64::from).collect();
        Noise { generator, table: tape.literal(&[ROWS, LENGTH], table) }
    }

    /// Of `shape`, for the iteration that `counter (1)` says, up to `iterations`; every call picks other rows.
    pub(crate) fn of(&mut self, tape: &mut Tape, shape: &[usize], counter: Var, iterations: usize) -> Var {
        let len: usize = shape.iter().product();
        let rows = len.div_ceil(LENGTH);
        let picks =
            (0..(iterations + 1) * rows).map(|_| self.generator.random_range(0..ROWS) as f64).collect();
        let picks = tape.literal(&[iterations + 1, rows], picks);
        let picked = tape.gather(picks, counter);
        let picked = tape.reshape(picked, &[rows]);
        let values = tape.gather(self.table, picked);
        let values = tape.reshape(values, &[rows * LENGTH]);
        let values = tape.narrow(values, 0, 0, len);
        tape.reshape(values, shape)
    }
}
