//! The products over channels, or over tiles, for one of a tile's 36 points.
//!
//! The transform back multiplies a sum's rounding error, which in one long sum would be most of it: sums are cut into parts
//! of [`SUM`] products, and the parts are added up. A general matrix product does that in one call a part, which for products
//! as small as these takes half as long again.
//!
//! Both operands come in panels, which the transforms write: so the inner loop reads two runs of numbers and has nothing
//! to work out. A processor whose other thread is busy has few instructions to spare beside the multiplications.

use super::tiles::{LANES, ROWS};
use crate::device::cpu::{blocks::wide, lanes::multiply_add, real::Real};

/// Products that are added in one go.
const SUM: usize = 32;
/// Terms after which the next rows of A are taken, so that so many rows of B stay in the first-level cache.
const DEPTH: usize = 8 * SUM;

/// A matrix `(M,K)` in panels `(K,4)` of its rows, or `(K,N)` in panels `(K,16)` of its columns, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a, R> {
    pub data: &'a [R],
    pub stride: usize,
}

/// `c = a·b`, or `c += a·b`, for so many panels of a, terms, and panels of b. Rows of c are `row` elements apart. Each element
/// adds up its parts in order, wherever it stands.
#[inline(always)]
pub fn products<R: Real, const FUSED: bool>(
    [rows, k, columns]: [usize; 3],
    a: Panels<R>,
    b: Panels<R>,
    c: &mut [R],
    row: usize,
    add: bool,
) {
    // A vector of 16 numbers leaves registers, and time to wait for, for twice as many sums.
    let pairs = if wide() { rows / 2 } else { 0 };
    for depth in (0..k).step_by(DEPTH) {
        let terms = depth..k.min(depth + DEPTH);
        let add = add || depth > 0;
        let left = |panel: usize| &a.data[panel * a.stride..].as_chunks::<ROWS>().0[terms.clone()];
        for column in 0..columns {
            let b = &b.data[column * b.stride..].as_chunks::<LANES>().0[terms.clone()];
            let c = &mut c[column * LANES..];
            for pair in 0..pairs {
                let a = [2 * pair, 2 * pair + 1].map(left);
                panels::<R, 2, FUSED>(a, b, &mut c[2 * pair * ROWS * row..], row, add);
            }
            for panel in 2 * pairs..rows {
                panels::<R, 1, FUSED>([left(panel)], b, &mut c[panel * ROWS * row..], row, add);
            }
        }
    }
}

/// [`LANES`] columns of the rows of so many panels.
#[inline(always)]
fn panels<R: Real, const PANELS: usize, const FUSED: bool>(
    a: [&[[R; ROWS]]; PANELS],
    b: &[[R; LANES]],
    c: &mut [R],
    row: usize,
    add: bool,
) {
    let mut sums = [[[R::zero(); LANES]; ROWS]; PANELS];
    if add {
        for (i, sums) in sums.as_flattened_mut().iter_mut().enumerate() {
            sums.copy_from_slice(&c[i * row..][..LANES]);
        }
    }
    let add_up = |sums: &mut [[[R; LANES]; ROWS]; PANELS], part: [[[R; LANES]; ROWS]; PANELS]| {
        for (sums, part) in sums.as_flattened_mut().iter_mut().zip(part.as_flattened()) {
            for lane in 0..LANES {
                sums[lane] = sums[lane] + part[lane];
            }
        }
    };
    // The length of a whole part is known to the compiler.
    let whole = a.map(|a| a.as_chunks::<SUM>().0);
    let (parts, rest) = b.as_chunks::<SUM>();
    for (index, b) in parts.iter().enumerate() {
        let a = std::array::from_fn(|panel| whole[panel][index].as_slice());
        add_up(&mut sums, part::<R, PANELS, FUSED>(a, b));
    }
    if !rest.is_empty() {
        let a = a.map(|a| &a[parts.len() * SUM..]);
        add_up(&mut sums, part::<R, PANELS, FUSED>(a, rest));
    }
    for (i, sums) in sums.as_flattened().iter().enumerate() {
        c[i * row..][..LANES].copy_from_slice(sums);
    }
}

/// The sums of one part.
// Indices, not iterators: so the compiler keeps the sums in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn part<R: Real, const PANELS: usize, const FUSED: bool>(
    a: [&[[R; ROWS]]; PANELS],
    b: &[[R; LANES]],
) -> [[[R; LANES]; ROWS]; PANELS] {
    let a = a.map(|a| &a[..b.len()]);
    let mut sums = [[[R::zero(); LANES]; ROWS]; PANELS];
    for (k, b) in b.iter().enumerate() {
        for panel in 0..PANELS {
            for i in 0..ROWS {
                let a = a[panel][k][i];
                for lane in 0..LANES {
                    let sum = &mut sums[panel][i][lane];
                    *sum = multiply_add::<R, FUSED>(a, b[lane], *sum);
                }
            }
        }
    }
    sums
}
