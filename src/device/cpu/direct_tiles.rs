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
    let w = w.as_chunks::<PLANES>().0.as_chunks::<9>().0;
    let last = w.len().saturating_sub(1) * runs.plane + 2 * runs.width + LANES + 2;
    assert!(at.iter().all(|(from, _)| from + last <= x.len()));
    for (channel, w) in w.iter().enumerate() {
        for (tap, w) in w.iter().enumerate() {
            let row = channel * runs.plane + tap / 3 * runs.width + tap % 3;
            for run in 0..RUNS {
                // SAFETY: the last run of the last row was asserted to be there.
                let x = unsafe { &*x.as_ptr().add(row + at[run].0).cast::<[R; LANES]>() };
                for o in 0..PLANES {
                    for p in 0..LANES {
                        sums[o][run][p] = multiply_add::<R, FUSED>(w[o], x[p], sums[o][run][p]);
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
/// on, padded; `g`: from four planes on; images are `lens` apart. Runs of 8 go in pairs, one above the other. Where registers
/// are narrow, they hold eight of the sixteen lanes at a time.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn correlate<R: Real, const FUSED: bool>(
    runs: &Runs,
    operands: [&[R]; 2],
    lens: [usize; 2],
    size: [usize; 2],
    count: usize,
    wide: bool,
    sums: &mut [R; 3 * PLANES],
) {
    let mut lanes = [[[R::zero(); 16]; PLANES]; 3];
    match (runs.lanes, wide) {
        (16, true) => {
            correlate_lanes::<R, 16, false, FUSED>(runs, operands, lens, size, count, 0, &mut lanes)
        }
        (_, true) => correlate_lanes::<R, 16, true, FUSED>(runs, operands, lens, size, count, 0, &mut lanes),
        (16, false) => {
            for first in [0, 8] {
                correlate_lanes::<R, 8, false, FUSED>(runs, operands, lens, size, count, first, &mut lanes);
            }
        }
        (_, false) => {
            for first in [0, 8] {
                correlate_lanes::<R, 8, true, FUSED>(runs, operands, lens, size, count, first, &mut lanes);
            }
        }
    }
    fold_all(&lanes, sums);
}

/// N of the lanes, from `first` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn correlate_lanes<R: Real, const N: usize, const PAIRS: bool, const FUSED: bool>(
    runs: &Runs,
    [x, g]: [&[R]; 2],
    lens: [usize; 2],
    [height, row]: [usize; 2],
    count: usize,
    first: usize,
    out: &mut [[[R; 16]; PLANES]; 3],
) {
    let mut sums = [[[R::zero(); N]; PLANES]; 3];
    for image in 0..count {
        let x = Lines { data: &x[image * lens[0]..], apart: runs.width, row: runs.width };
        let g = Lines { data: &g[image * lens[1]..], apart: runs.tile_plane, row };
        sums = correlate_image::<R, N, PAIRS, FUSED>(x, g, [height, row], first, sums);
    }
    for (out, sums) in out.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        out[first..first + N].copy_from_slice(sums);
    }
}

/// What is read at a run of pixels.
#[derive(Clone, Copy)]
struct Lines<'a, R> {
    data: &'a [R],
    /// Distance between what goes into different sums.
    apart: usize,
    /// Distance between rows.
    row: usize,
}

impl<R: Real> Lines<'_, R> {
    /// N pixels of a row, or 8 of it and the 8 below.
    ///
    /// # Safety
    /// They must be there.
    #[inline(always)]
    unsafe fn read<const N: usize, const PAIRS: bool>(&self, sum: usize, at: usize) -> [R; N] {
        let at = sum * self.apart + at;
        std::array::from_fn(|lane| {
            let below = if PAIRS && lane >= 8 { self.row - 8 } else { 0 };
            // SAFETY: the caller's promise.
            unsafe { *self.data.get_unchecked(at + below + lane) }
        })
    }
}

/// Adds the products of an image. By value and by indices: so the compiler keeps the sums in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn correlate_image<R: Real, const N: usize, const PAIRS: bool, const FUSED: bool>(
    x: Lines<R>,
    g: Lines<R>,
    [height, row]: [usize; 2],
    first: usize,
    mut sums: [[[R; N]; PLANES]; 3],
) -> [[[R; N]; PLANES]; 3] {
    let (rows, below, start, columns) = if PAIRS { (2, first / 8, 0, 8) } else { (1, 0, first, 16) };
    assert!(height.is_multiple_of(rows) && row.is_multiple_of(columns) && start + N <= columns.max(N));
    assert!(2 * x.apart + (height - 1) * x.row + row <= x.data.len());
    assert!((PLANES - 1) * g.apart + (height - 1) * g.row + row <= g.data.len());
    for y in (below..height).step_by(rows) {
        for at in (start..row).step_by(columns) {
            // SAFETY: the last pixels of the last row were asserted to be there.
            unsafe {
                let x: [[R; N]; 3] = std::array::from_fn(|ky| x.read::<N, PAIRS>(ky, y * x.row + at));
                for o in 0..PLANES {
                    let g: [R; N] = g.read::<N, PAIRS>(o, y * g.row + at);
                    for ky in 0..3 {
                        for lane in 0..N {
                            sums[ky][o][lane] =
                                multiply_add::<R, FUSED>(g[lane], x[ky][lane], sums[ky][o][lane]);
                        }
                    }
                }
            }
        }
    }
    sums
}

/// Sums of the lanes, by halves. Its own function: its loops over lanes would keep the sums out of registers.
#[inline(never)]
fn fold_all<R: Real>(lanes: &[[[R; 16]; PLANES]; 3], sums: &mut [R; 3 * PLANES]) {
    for (to, lanes) in sums.iter_mut().zip(lanes.as_flattened()) {
        *to = fold(*lanes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_registers_give_the_bits_of_wide_ones() {
        for lanes in [8, 16] {
            let [height, row, images] = [4, 2 * lanes, 3];
            let [plane, tile_plane] = [(height + 2) * (row + 2), height * row];
            let runs = Runs { lanes, width: row + 2, plane, tile_plane, add: false };
            let lens = [plane, PLANES * tile_plane];
            let x: Vec<f32> = (0..images * lens[0]).map(|i| (i as f32 * 0.7).sin()).collect();
            let g: Vec<f32> = (0..images * lens[1]).map(|i| (i as f32 * 1.3).cos()).collect();
            let [wide, narrow] = [true, false].map(|wide| {
                let mut sums = [0.0; 3 * PLANES];
                let operands = [x.as_slice(), g.as_slice()];
                correlate::<f32, false>(&runs, operands, lens, [height, row], images, wide, &mut sums);
                sums
            });
            assert!(wide.iter().all(|sum| *sum != 0.0));
            assert_eq!(wide, narrow, "runs of {lanes}");
        }
    }
}
