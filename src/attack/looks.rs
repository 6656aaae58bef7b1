//! Copies of a picture that are moved, mirrored, made noisy and partly covered, of which names pull at the mean: what only
//! one copy shows, an adversarial pattern, moves little.
//!
//! A run draws `DRAWN` such looks by its seed, and which of them each iteration takes. They are tables on the tape, so
//! that an iteration is the same plan as any other, and one that goes on from a checkpoint takes the looks that it would
//! have taken. All trials and pictures of an iteration are looked at alike: hypotheses are compared by what they say.

use std::ops::RangeInclusive;

use rand::RngExt;

use crate::{
    random,
    tape::{Tape, Var},
};

/// Most copies of a picture in an iteration.
pub const MAX_VIEWS: usize = 64;
/// Looks that a run draws.
const DRAWN: usize = 1024;
/// Iterations after which the same are taken again.
pub(crate) const PERIOD: usize = 4096;
/// A picture moves by up to this part of its side: 4 pixels of 32.
const SHIFT: usize = 8;
/// Pixels that it moves at most, however large it is.
const FARTHEST: usize = 8;
/// Deviation of the noise, in pixels of [0, 1].
const NOISE: RangeInclusive<f64> = 0.05..=0.1;
/// Side of what is covered in grey, as part of the picture's; every other look covers none.
const COVERED: usize = 4;
const GREY: f64 = 0.5;
/// Draws of the noise's table in a row.
const LENGTH: usize = 1024;

/// The looks `(1)` of the iteration after the one that took these.
pub(super) fn looks_after(tape: &mut Tape, look: Var) -> Var {
    let next = tape.add_scalar(look, 1.0);
    let (end, zero) = (tape.scalar(PERIOD as f64), tape.scalar(0.0));
    let goes_on = tape.less(next, end);
    tape.select(goes_on, next, zero)
}

/// Pictures `(P,C,H,W)` in [0, 1] as `views` copies `(views·P,C,H,W)`, copy by copy, with the looks of iteration `now (1)`, which
/// is below `PERIOD`. Pictures `i` and `i + batch` get the same noise.
pub fn looks(tape: &mut Tape, pixels: Var, batch: usize, views: usize, seed: u64, now: Var) -> Var {
    let [count, channels, height, width] = tape.shape(pixels)[..] else { panic!("(P,C,H,W)") };
    let mut generator = random::generator(seed, "views of guidance");
    let picks = (0..PERIOD * views).map(|_| generator.random_range(0..DRAWN) as f64).collect();
    let picks = tape.literal(&[PERIOD, views], picks);
    let picked = tape.gather(picks, now);
    let picked = tape.reshape(picked, &[views]);

    let moved = moved(tape, pixels, picked, &mut generator);
    let shape = tape.shape(moved).to_vec();
    let noisy = {
        let deviations = (0..DRAWN).map(|_| generator.random_range(NOISE)).collect();
        let deviations = column(tape, deviations, picked);
        let len = batch * channels * height * width;
        let noise = noise(tape, len, picked, &mut generator);
        let noise = tape.reshape(noise, &[views, 1, len]);
        let deviations = tape.reshape(deviations, &[views, 1, 1]);
        let noise = tape.mul(noise, deviations);
        let apart = tape.reshape(moved, &[views, count / batch, len]);
        let noisy = tape.add(apart, noise);
        tape.reshape(noisy, &shape)
    };
    let [rows, columns] = covers([height, width], &mut generator);
    let mut lines = |values: Vec<f64>, len: usize| {
        let table = tape.literal(&[DRAWN, len], values);
        tape.gather(table, picked)
    };
    let (rows, columns) = (lines(rows, height), lines(columns, width));
    let rows = tape.reshape(rows, &[views, 1, height, 1]);
    let columns = tape.reshape(columns, &[views, 1, 1, width]);
    let cover = tape.mul(rows, columns);
    let apart = tape.reshape(noisy, &[views, count * channels, height, width]);
    let grey = tape.scalar(GREY);
    let from_grey = tape.sub(grey, apart);
    let change = tape.mul(from_grey, cover);
    let covered = tape.add(apart, change);
    tape.reshape(covered, &shape)
}

/// Each copy moved down and to the right, every other one mirrored; the edge goes on where nothing comes in.
fn moved(tape: &mut Tape, pixels: Var, picked: Var, generator: &mut impl rand::Rng) -> Var {
    let [count, channels, height, width] = tape.shape(pixels)[..] else { panic!("(P,C,H,W)") };
    let (views, planes) = (tape.shape(picked)[0], count * channels);
    let [down, across] = [(height, false), (width, true)].map(|(side, mirrors)| {
        let moves = moves(side, mirrors);
        let kinds = moves.len() / (side * side);
        let drawn = (0..DRAWN).map(|_| generator.random_range(0..kinds) as f64).collect();
        let which = column(tape, drawn, picked);
        let table = tape.literal(&[kinds, side * side], moves);
        let chosen = tape.gather(table, which);
        tape.reshape(chosen, &[views, side, side])
    });
    // Columns first, then rows as columns of the transposed planes.
    let x = tape.reshape(pixels, &[1, planes * height, width]);
    let x = tape.broadcast_to(x, &[views, planes * height, width]);
    let x = tape.matmul(x, across);
    let x = tape.reshape(x, &[views * planes, height, width]);
    let x = tape.transpose(x);
    let x = tape.reshape(x, &[views, planes * width, height]);
    let x = tape.matmul(x, down);
    let x = tape.reshape(x, &[views * planes, width, height]);
    let x = tape.transpose(x);
    tape.reshape(x, &[views * count, channels, height, width])
}

/// Matrices `(from,to)` of every move of a line, one after another; with `mirrors` of the mirrored line, too.
fn moves(side: usize, mirrors: bool) -> Vec<f64> {
    let most = (side / SHIFT).min(FARTHEST) as isize;
    let mut all = vec![];
    for is_mirrored in [false, true].into_iter().take(1 + usize::from(mirrors)) {
        for by in -most..=most {
            let mut matrix = vec![0.0; side * side];
            for to in 0..side {
                let from = (to as isize - by).clamp(0, side as isize - 1) as usize;
                let from = if is_mirrored { side - 1 - from } else { from };
                matrix[from * side + to] = 1.0;
            }
            all.extend(matrix);
        }
    }
    all
}

/// 1 in the rows and in the columns that each look covers, `(DRAWN,H)` and `(DRAWN,W)`.
fn covers([height, width]: [usize; 2], generator: &mut impl rand::Rng) -> [Vec<f64>; 2] {
    let mut lines = [vec![0.0; DRAWN * height], vec![0.0; DRAWN * width]];
    for look in 0..DRAWN {
        let is_covered: bool = generator.random();
        for (line, side) in lines.iter_mut().zip([height, width]) {
            let covered = side / COVERED;
            let first = generator.random_range(0..=side - covered);
            if is_covered {
                line[look * side + first..][..covered].fill(1.0);
            }
        }
    }
    lines
}

/// A value for each look, of those that were picked: `(views)`.
fn column(tape: &mut Tape, values: Vec<f64>, picked: Var) -> Var {
    let views = tape.shape(picked)[0];
    let table = tape.literal(&[DRAWN, 1], values);
    let chosen = tape.gather(table, picked);
    tape.reshape(chosen, &[views])
}

/// `len` draws of N(0,1) for each look that was picked, `(views, len)`: rows of one table, from where the look begins.
fn noise(tape: &mut Tape, len: usize, picked: Var, generator: &mut impl rand::Rng) -> Var {
    let (views, rows) = (tape.shape(picked)[0], len.div_ceil(LENGTH));
    let draws = random::normal(generator, (DRAWN + rows) * LENGTH).into_iter().map(f64::from).collect();
    let table = tape.literal(&[DRAWN + rows, LENGTH], draws);
    let first = tape.reshape(picked, &[views, 1]);
    let further = tape.literal(&[1, rows], (0..rows).map(|row| row as f64).collect());
    let all = tape.add(first, further);
    let all = tape.reshape(all, &[views * rows]);
    let values = tape.gather(table, all);
    let values = tape.reshape(values, &[views, rows * LENGTH]);
    tape.narrow(values, 1, 0, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, device::cpu::Cpu, plan::Plan};

    fn seen(pixels: &[f32], shape: [usize; 4], views: usize, seed: u64, now: f32) -> Vec<f32> {
        let mut tape = Tape::new();
        let (x, at) = (tape.input(&shape), tape.input(&[1]));
        let y = looks(&mut tape, x, shape[0], views, seed, at);
        let mut exe = Cpu::<f32>::new().compile(&Plan::new(&tape, &[y], &[])).unwrap();
        exe.write(x, pixels).unwrap();
        exe.write(at, &[now]).unwrap();
        exe.run(1).unwrap();
        exe.read(y).unwrap()
    }

    #[test]
    fn a_move_takes_the_edge_along_and_mirrors() {
        let all = moves(16, true);
        assert_eq!(all.len(), 10 * 256);
        let line = |matrix: usize| -> Vec<usize> {
            let of = |to: usize| (0..16).find(|from| all[matrix * 256 + from * 16 + to] == 1.0).unwrap();
            (0..16).map(of).collect()
        };
        assert_eq!(line(2), (0..16).collect::<Vec<_>>());
        assert_eq!(line(0)[..4], [2, 3, 4, 5]);
        assert_eq!((line(0)[15], line(4)[0]), (15, 0), "the edge goes on");
        assert_eq!(line(7), (0..16).rev().collect::<Vec<_>>());
    }

    #[test]
    fn copies_are_noisy_by_as_much_as_said_and_some_are_covered() {
        // A flat picture: moves change nothing.
        let (size, views) = (3 * 32 * 32, 16);
        let flat = vec![0.25; 2 * size];
        let copies = seen(&flat, [2, 3, 32, 32], views, 3, 7.0);
        assert_eq!(copies.len(), views * 2 * size);
        let mut covered = 0;
        for copy in copies.chunks(2 * size) {
            let grey = copy.iter().filter(|v| **v == 0.5).count();
            assert!(grey == 0 || grey == 2 * 3 * 64, "{grey}");
            covered += usize::from(grey > 0);
            let rest: Vec<f32> = copy.iter().filter(|v| **v != 0.5).map(|v| v - 0.25).collect();
            let deviation = (rest.iter().map(|v| v * v).sum::<f32>() / rest.len() as f32).sqrt();
            assert!((0.047..0.105).contains(&deviation), "{deviation}");
            assert_ne!(copy[..size], copy[size..], "two pictures have their own noise");
        }
        assert!((2..=14).contains(&covered), "{covered} of {views}");
    }

    #[test]
    fn looks_are_their_seeds_and_their_iterations() {
        let pixels: Vec<f32> = (0..3 * 16 * 16).map(|i| (i % 97) as f32 / 97.0).collect();
        let at = |seed, now| seen(&pixels, [1, 3, 16, 16], 4, seed, now);
        assert_eq!(at(1, 5.0), at(1, 5.0));
        assert_ne!(at(1, 5.0), at(1, 6.0));
        assert_ne!(at(1, 5.0), at(2, 5.0));
    }
}
