//! Products transformed back into tiles of the output.

use std::ops::Range;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, Tiling},
    transforms::{Part, both, product_lanes},
};
use crate::device::cpu::{gemm::Output, real::Real};

/// `AᵀMA` of a group of tiles, `products (36, channels, tiles)`, written to planes `channels` of `out` from channel `first` on. Images
/// lie `image` elements apart.
#[inline(always)]
pub fn output<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    products: &[R],
    part: &Part,
    channels: Range<usize>,
    image: usize,
    out: &Output<R>,
) {
    let Part { tiles: group, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    let mut tiles = [[[R::zero(); LANES]; OUTPUTS]; OUTPUTS];
    for (index, channel) in channels.enumerate() {
        let products = &products[index * layout.row + part.at..];
        both(
            points::output::<R, FUSED>,
            &mut half,
            |row, column| product_lanes(products, *layout, row, column),
            |row, column, values| tiles[row][column] = *values,
        );
        for run in tiling.runs(group.clone()) {
            let len = (OUTPUTS * run.len).min(width - run.first[1]);
            for (i, tiles) in tiles.iter().enumerate().take(height - run.first[0]) {
                let at = run.image * image + (channel * height + run.first[0] + i) * width + run.first[1];
                // SAFETY: the caller gives every channel of a group to one thread.
                let row = unsafe { out.slice(at..at + len) };
                let (chunks, rest) = row.as_chunks_mut::<OUTPUTS>();
                let mut done = 0;
                while done < chunks.len() {
                    let (chunks, at) = (&mut chunks[done..], run.at + done);
                    done += match chunks.len() {
                        8.. => interleave::<R, 8>(tiles, at, chunks, part.add),
                        4.. => interleave::<R, 4>(tiles, at, chunks, part.add),
                        2.. => interleave::<R, 2>(tiles, at, chunks, part.add),
                        _ => interleave::<R, 1>(tiles, at, chunks, part.add),
                    };
                }
                for (j, to) in rest.iter_mut().enumerate() {
                    let value = tiles[j][run.at + done];
                    *to = if part.add { *to + value } else { value };
                }
            }
        }
    }
}

/// `out[s][j] = tiles[j][at + s]`, or added to it, N times; returns N.
#[inline(always)]
fn interleave<R: Real, const N: usize>(
    tiles: &[[R; LANES]; OUTPUTS],
    at: usize,
    out: &mut [[R; OUTPUTS]],
    add: bool,
) -> usize {
    let out: &mut [[R; OUTPUTS]; N] = out.first_chunk_mut().expect("N tiles");
    let tiles: [&[R; N]; OUTPUTS] =
        std::array::from_fn(|j| tiles[j][at..].first_chunk().expect("tiles of the group"));
    if add {
        *out = std::array::from_fn(|s| std::array::from_fn(|j| out[s][j] + tiles[j][s]));
    } else {
        *out = std::array::from_fn(|s| std::array::from_fn(|j| tiles[j][s]));
    }
    N
}
