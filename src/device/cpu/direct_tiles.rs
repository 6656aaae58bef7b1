//! The inner loops of [`super::direct`].
//!
//! Like those of [`super::lanes`], they are inlined into functions that exist once for each instruction set. They are
//! written so that compilers keep every sum in a register: arrays of fixed size, whose elements no loop of unknown
//! length picks.

use super::{
    direct::{PLANES, Runs},
    lanes::multiply_add,
    real::Real,
};

/// Four planes of one or two runs of pixels: `x (C,H,W)` padded, `w (C,3,3,4)`. `at`: where each run starts in a
/// plane of x and in one of `out`.
#[inline(always)]
pub fn convolve<R: Real, const FUSED: bool>(
    runs: &Runs,
    x: &[R],
    w: &[R],
    at: [Option<(usize, usize)>; 2],
    out: &mut [R],
) {
    match (at, runs.lanes) {
        ([Some(a), Some(b)], 16) => convolve_runs::<R, 16, 2, FUSED>(runs, x, w, [a, b], out),
        ([Some(a), Some(b)], _) => convolve_runs::<R, 8, 2, FUSED>(runs, x, w, [a, b], out),
        ([Some(a), None], 16) => convolve_runs::<R, 16, 1, FUSED>(runs, x, w, [a], out),
        ([Some(a), None], _) => convolve_runs::<R, 8, 1, FUSED>(runs, x, w, [a], out),
        ([None, _], _) => {}
    }
}

#[inline(always)]
fn convolve_runs<R: Real, const LANES: usize, const RUNS: usize, const FUSED: bool>(
    runs: &Runs,
    x: &[R],
    w: &[R],
    at: [(usize, usize); RUNS],
    out: &mut [R],
) {
    let mut sums = [[[R::zero(); LANES]; RUNS]; PLANES];
    for (channel, w) in w.chunks_exact(9 * PLANES).enumerate() {
        for (ky, w) in w.chunks_exact(3 * PLANES).enumerate() {
            let row = channel * runs.plane + ky * runs.width;
            let rows: [&[R]; RUNS] = std::array::from_fn(|run| &x[row + at[run].0..][..LANES + 2]);
            for (kx, w) in w.chunks_exact(PLANES).enumerate() {
                let w: &[R; PLANES] = w.first_chunk().expect("four weights");
                let x: [[R; LANES]; RUNS] =
                    std::array::from_fn(|run| *rows[run][kx..].first_chunk().expect("a run in its row"));
                for o in 0..PLANES {
                    for run in 0..RUNS {
                        for p in 0..LANES {
                            sums[o][run][p] = multiply_add::<R, FUSED>(w[o], x[run][p], sums[o][run][p]);
                        }
                    }
                }
            }
        }
    }
    for o in 0..PLANES {
        for run in 0..RUNS {
            let to = &mut out[o * runs.tile_plane + at[run].1..][..LANES];
            if runs.add {
                to.iter_mut().zip(&sums[o][run]).for_each(|(to, &sum)| *to = *to + sum);
            } else {
                to.copy_from_slice(&sums[o][run]);
            }
        }
    }
}

/// `Σ g[o][p]·x[p + ky·width]` over all pixels of `count` images, `(3,4)`. `x`: from one plane of the first image
/// on, padded; `g`: from four planes on; images are `lens` apart. Runs of 8 go in pairs, one above the other.
#[inline(always)]
pub fn correlate<R: Real, const FUSED: bool>(
    runs: &Runs,
    operands: [&[R]; 2],
    lens: [usize; 2],
    size: [usize; 2],
    count: usize,
    sums: &mut [R; 3 * PLANES],
) {
    match runs.lanes {
        16 => correlate_runs::<R, false, FUSED>(runs, operands, lens, size, count, sums),
        _ => correlate_runs::<R, true, FUSED>(runs, operands, lens, size, count, sums),
    }
}

#[inline(always)]
fn correlate_runs<R: Real, const PAIRS: bool, const FUSED: bool>(
    runs: &Runs,
    [x, g]: [&[R]; 2],
    lens: [usize; 2],
    [height, row]: [usize; 2],
    count: usize,
    sums: &mut [R; 3 * PLANES],
) {
    let (width, plane) = (runs.width, runs.tile_plane);
    let [rows, columns] = if PAIRS { [2, 8] } else { [1, 16] };
    let [mut top, mut middle, mut bottom] = [[[R::zero(); 16]; PLANES]; 3];
    for image in 0..count {
        let (x, g) = (&x[image * lens[0]..], &g[image * lens[1]..]);
        for y in (0..height).step_by(rows) {
            for start in (0..row).step_by(columns) {
                let g = &g[y * row + start..][..3 * plane + (rows - 1) * row + columns];
                let x = &x[y * width + start..][..(rows + 1) * width + columns];
                let g = [
                    lanes::<R, PAIRS>(g, 0, row),
                    lanes::<R, PAIRS>(g, plane, row),
                    lanes::<R, PAIRS>(g, 2 * plane, row),
                    lanes::<R, PAIRS>(g, 3 * plane, row),
                ];
                add::<R, FUSED>(&g, lanes::<R, PAIRS>(x, 0, width), &mut top);
                add::<R, FUSED>(&g, lanes::<R, PAIRS>(x, width, width), &mut middle);
                add::<R, FUSED>(&g, lanes::<R, PAIRS>(x, 2 * width, width), &mut bottom);
            }
        }
    }
    fold_all(&[top, middle, bottom], sums);
}

/// Sums of the lanes, by halves. Its own function: its loops over lanes would keep the sums out of registers.
#[inline(never)]
fn fold_all<R: Real>(lanes: &[[[R; 16]; PLANES]; 3], sums: &mut [R; 3 * PLANES]) {
    for (to, lanes) in sums.iter_mut().zip(lanes.as_flattened()) {
        *to = fold(*lanes);
    }
}

/// 16 pixels of a row, or 8 of it and the 8 below.
#[inline(always)]
fn lanes<R: Real, const PAIRS: bool>(x: &[R], at: usize, below: usize) -> [R; 16] {
    if !PAIRS {
        return *x[at..].first_chunk().expect("a run in its row");
    }
    let mut lanes = [R::zero(); 16];
    lanes[..8].copy_from_slice(&x[at..][..8]);
    lanes[8..].copy_from_slice(&x[at + below..][..8]);
    lanes
}

#[inline(always)]
fn add<R: Real, const FUSED: bool>(g: &[[R; 16]; PLANES], x: [R; 16], sums: &mut [[R; 16]; PLANES]) {
    for o in 0..PLANES {
        for p in 0..16 {
            sums[o][p] = multiply_add::<R, FUSED>(g[o][p], x[p], sums[o][p]);
        }
    }
}

/// Sum of the lanes, by halves.
#[inline(always)]
fn fold<R: Real>(mut lanes: [R; 16]) -> R {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] = lanes[i] + lanes[i + width];
        }
    }
    lanes[0]
}
