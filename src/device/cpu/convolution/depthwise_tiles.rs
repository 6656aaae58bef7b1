//! The inner loops of [`super::depthwise`] and [`super::depthwise_grad`]: 16 channels side by side, each a sum of its own, so
//! that the width of vectors changes no bit.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use super::{
    by_outputs_tiles::LANES,
    depthwise_form::{Form, Tap},
};
use crate::device::cpu::vectors::{Real, V, len, load, shuffle, splat, store, vectorized};

/// Positions of a gradient's sum that are added up before it goes to memory: short sums lose fewer digits.
const POSITIONS: usize = 1024;

vectorized! {
    /// Up to 16 planes `(planes,H,W)` side by side, `(H,pitch,16)`, zeros around them and in missing ones.
    pub(crate) fn turn(from: &[R], size: [usize; 2], to: &mut [R], pitch: usize, left: usize) = turn_loop;

    /// `x (H,pitch,16)`, `w (taps,16)` → `out (H,W,16)`.
    pub(crate) fn convolve(form: &Form, x: &[R], w: &[R], out: &mut [R]) = convolve_loop;

    /// Adds `Σ x[position + tap]·g[position]` to `sums (taps,16)`: `x (H,pitch,16)`, `g (OH,OW,16)`, of a convolution's form.
    pub(crate) fn correlate(form: &Form, x: &[R], g: &[R], sums: &mut [R]) = correlate_loop;
}

#[inline(always)]
fn turn_loop<S: Simd, R: Real>(
    simd: S,
    from: &[R],
    [height, width]: [usize; 2],
    to: &mut [R],
    pitch: usize,
    left: usize,
) {
    let plane = height * width;
    let planes = from.len() / plane;
    assert!(planes <= LANES && left + width <= pitch && to.len() == height * pitch * LANES);
    if planes < LANES || pitch > width {
        to.fill(R::zero());
    }
    let place = |at: usize| (at / width * pitch + left + at % width) * LANES;
    let whole = [planes - planes % 4, plane - plane % 4];
    for at in (0..whole[1]).step_by(4) {
        let places: [usize; 4] = std::array::from_fn(|i| place(at + i));
        for channel in (0..whole[0]).step_by(4) {
            // SAFETY: four planes from `channel` on have four numbers from `at` on, and all places 16.
            unsafe {
                let first = from.as_ptr().add(channel * plane + at);
                let rows = [first, first.add(plane), first.add(2 * plane), first.add(3 * plane)];
                let start = to.as_mut_ptr().add(channel);
                let [a, b, c, d] = places;
                shuffle::transpose_to(simd, rows, [start.add(a), start.add(b), start.add(c), start.add(d)]);
            }
        }
    }
    for channel in 0..planes {
        let start = if channel < whole[0] { whole[1] } else { 0 };
        for at in start..plane {
            to[place(at) + channel] = from[channel * plane + at];
        }
    }
}

/// Whether a vector has all channels.
#[inline(always)]
const fn is_one<S: Simd, R: Real>() -> bool {
    len::<S, R>() == LANES
}

#[inline(always)]
fn convolve_loop<S: Simd, R: Real>(simd: S, form: &Form, x: &[R], w: &[R], out: &mut [R]) {
    assert!(x.len() == form.source_len() && out.len() == form.result_len());
    assert!(form.phases.iter().all(|phase| phase.weights_len <= w.len()));
    for phase in &form.phases {
        for i in 0..phase.count[0] {
            let taps = &phase.taps[phase.inside[i].clone()];
            let from = form.step[0] * i * form.pitch * LANES;
            let row = (phase.first[0] + form.cell[0] * i) * form.results[1] + phase.first[1];
            let steps = [form.step[1] * LANES, form.cell[1] * LANES];
            let mut next = 0;
            // SAFETY: a form's taps lie in the source that was asserted to be there, and its results in `out`.
            unsafe {
                let x = x.as_ptr().wrapping_add(from);
                let out = out.as_mut_ptr().wrapping_add(row * LANES);
                let places =
                    |next: usize| (x.wrapping_add(next * steps[0]), out.wrapping_add(next * steps[1]));
                if is_one::<S, R>() {
                    while phase.count[1] - next >= 8 {
                        tile::<S, R, 8, 1>(simd, taps, places(next), steps, w);
                        next += 8;
                    }
                }
                while phase.count[1] - next >= 4 {
                    pick::<S, R, 4>(simd, taps, places(next), steps, w);
                    next += 4;
                }
                while phase.count[1] - next >= 2 {
                    pick::<S, R, 2>(simd, taps, places(next), steps, w);
                    next += 2;
                }
                if phase.count[1] > next {
                    pick::<S, R, 1>(simd, taps, places(next), steps, w);
                }
            }
        }
    }
}

/// P neighbouring results of a phase, one vector or two at a time.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn pick<S: Simd, R: Real, const P: usize>(
    simd: S,
    taps: &[Tap],
    places: (*const R, *mut R),
    steps: [usize; 2],
    w: &[R],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if is_one::<S, R>() {
            tile::<S, R, P, 1>(simd, taps, places, steps, w);
        } else {
            tile::<S, R, P, 2>(simd, taps, places, steps, w);
        }
    }
}

/// P neighbouring results, U vectors at a time.
///
/// # Safety
/// All taps of `x` lie in a source, the results from `out` on in a plane of results, and the taps' weights in `w`.
#[inline(always)]
unsafe fn tile<S: Simd, R: Real, const P: usize, const U: usize>(
    simd: S,
    taps: &[Tap],
    (x, out): (*const R, *mut R),
    [from, to]: [usize; 2],
    w: &[R],
) {
    let vector = len::<S, R>();
    for lane in (0..LANES).step_by(U * vector) {
        let mut sums = [[splat::<S, R>(simd, R::zero()); P]; U];
        for tap in taps {
            // SAFETY: the caller's promise.
            unsafe {
                let x = x.wrapping_offset(tap.offset).wrapping_add(lane);
                let w = w.as_ptr().add(tap.weight + lane);
                for u in 0..U {
                    let w = load::<S, R>(simd, w.add(u * vector));
                    for n in 0..P {
                        sums[u][n] = w.mul_add(load::<S, R>(simd, x.add(n * from + u * vector)), sums[u][n]);
                    }
                }
            }
        }
        for u in 0..U {
            for n in 0..P {
                // SAFETY: the caller's promise.
                unsafe { store::<S, R>(sums[u][n], out.add(n * to + lane + u * vector)) };
            }
        }
    }
}

#[inline(always)]
fn correlate_loop<S: Simd, R: Real>(simd: S, form: &Form, x: &[R], g: &[R], sums: &mut [R]) {
    let [phase] = &form.phases[..] else { unreachable!("a convolution has one phase") };
    assert!(x.len() == form.source_len() && g.len() == form.result_len());
    assert!(phase.weights_len <= sums.len());
    let rows = (POSITIONS / form.results[1]).max(1);
    for [reached, taps] in &phase.reached {
        let taps = &phase.taps[taps.clone()];
        for first in reached.clone().step_by(rows) {
            let these = first..reached.end.min(first + rows);
            let mut next = 0;
            // SAFETY: a form's taps lie in the source that was asserted to be there, results in `g` and weights in `sums`.
            unsafe {
                while taps.len() - next >= 4 {
                    products::<S, R, 4>(simd, form, [x, g], &taps[next..], these.clone(), sums);
                    next += 4;
                }
                match taps.len() - next {
                    3 => products::<S, R, 3>(simd, form, [x, g], &taps[next..], these, sums),
                    2 => products::<S, R, 2>(simd, form, [x, g], &taps[next..], these, sums),
                    1 => products::<S, R, 1>(simd, form, [x, g], &taps[next..], these, sums),
                    _ => {}
                }
            }
        }
    }
}

/// P neighbouring taps.
///
/// # Safety
/// As for [`sum`].
#[inline(always)]
unsafe fn products<S: Simd, R: Real, const P: usize>(
    simd: S,
    form: &Form,
    operands: [&[R]; 2],
    taps: &[Tap],
    rows: std::ops::Range<usize>,
    sums: &mut [R],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if is_one::<S, R>() {
            sum::<S, R, P, 1>(simd, form, operands, taps, rows, sums);
        } else {
            sum::<S, R, P, 2>(simd, form, operands, taps, rows, sums);
        }
    }
}

/// P neighbouring taps over some rows of results, U vectors at a time.
///
/// # Safety
/// The taps of these results lie in `x`, and their weights in `sums`.
#[inline(always)]
unsafe fn sum<S: Simd, R: Real, const P: usize, const U: usize>(
    simd: S,
    form: &Form,
    [x, g]: [&[R]; 2],
    taps: &[Tap],
    rows: std::ops::Range<usize>,
    sums: &mut [R],
) {
    let (vector, columns, step) = (len::<S, R>(), form.results[1], form.step[1] * LANES);
    let gap = if P > 1 { (taps[1].offset - taps[0].offset) as usize } else { 0 };
    for lane in (0..LANES).step_by(U * vector) {
        let mut total = [[splat::<S, R>(simd, R::zero()); P]; U];
        for row in rows.clone() {
            let from = (form.step[0] * row * form.pitch * LANES) as isize + taps[0].offset;
            // SAFETY: the caller's promise.
            unsafe {
                let (x, g) =
                    (x.as_ptr().offset(from).add(lane), g.as_ptr().add(row * columns * LANES + lane));
                for column in 0..columns {
                    let mut here = [splat::<S, R>(simd, R::zero()); U];
                    for u in 0..U {
                        here[u] = load::<S, R>(simd, g.add(column * LANES + u * vector));
                    }
                    for u in 0..U {
                        for n in 0..P {
                            let x = load::<S, R>(simd, x.add(column * step + n * gap + u * vector));
                            total[u][n] = here[u].mul_add(x, total[u][n]);
                        }
                    }
                }
            }
        }
        for u in 0..U {
            for n in 0..P {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = sums.as_mut_ptr().add(taps[n].weight + lane + u * vector);
                    let before: V<S, R> = load::<S, R>(simd, to);
                    store::<S, R>(before + total[u][n], to);
                }
            }
        }
    }
}
