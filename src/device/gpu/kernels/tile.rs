//! How a contraction is cut into tiles and its contracted axis into splits.

use super::{
    super::launch::{Launch, Slot, fold, word},
    map_reduce,
};
use crate::device::DeviceError;

/// Slices of the operands that a workgroup holds at a time (`DEPTH` in `parts/tile.wgsl`).
const DEPTH: usize = 16;
/// Workgroups that keep a large GPU busy.
const BUSY: usize = 256;
/// Longest contraction of one workgroup: well under the trips an invocation may make, fetches included.
const LONGEST: usize = 32_768;
/// Partial results in all, in elements.
const PARTIALS: usize = 1 << 24;

/// Invocations of a workgroup along rows and columns, each owning 4 × 4 results, and what a result costs
/// relative to the largest tile, which fetches every operand least often.
const SHAPES: [([usize; 2], usize); 6] =
    [([16, 16], 10), ([8, 8], 15), ([4, 16], 16), ([16, 4], 16), ([1, 32], 26), ([32, 1], 26)];

/// One launch: `batch` products of `m × k` by `k × n`, `out_len` results in all.
pub struct Tiling {
    pub shape: [usize; 2],
    pub splits: usize,
    tiles: [usize; 2],
    chunk: usize,
    groups: [u32; 3],
    count: usize,
    out_len: usize,
}

impl Tiling {
    pub fn new([m, n, k]: [usize; 3], batch: usize, out_len: usize) -> Result<Self, DeviceError> {
        let tiles = |shape: [usize; 2]| [m.div_ceil(4 * shape[0]), n.div_ceil(4 * shape[1])];
        let cost = |shape: [usize; 2], cost: usize| {
            let [tiles_m, tiles_n] = tiles(shape);
            tiles_m * tiles_n * 16 * shape[0] * shape[1] * cost
        };
        let best = SHAPES.into_iter().min_by_key(|&(shape, weight)| cost(shape, weight));
        let shape = best.map_or(SHAPES[0].0, |(shape, _)| shape);
        let tiles = tiles(shape);
        let workgroups = tiles[0] * tiles[1] * batch;
        let (splits, chunk) = split(workgroups, k, 4 * DEPTH, out_len);
        let chunk = chunk.next_multiple_of(DEPTH).max(DEPTH);
        let splits = if splits == 1 { 1 } else { k.div_ceil(chunk) };
        let count = workgroups * splits;
        Ok(Tiling { shape, splits, tiles, chunk, groups: fold(count)?, count, out_len })
    }

    /// One workgroup for each result, its 256 invocations striding through the contraction.
    pub fn one_result_each(k: usize, out_len: usize) -> Result<Self, DeviceError> {
        let (splits, chunk) = split(out_len, k, 256 * 8, out_len);
        let count = out_len * splits;
        let groups = fold(count)?;
        Ok(Tiling { shape: [1, 1], splits, tiles: [1, 1], chunk, groups, count, out_len })
    }

    /// Share of the tiles' results that are wanted.
    pub fn utilisation(&self, [m, n]: [usize; 2]) -> f64 {
        let padded = self.tiles[0] * self.tiles[1] * 16 * self.shape[0] * self.shape[1];
        (m * n) as f64 / padded.max(1) as f64
    }

    /// The shader's `Grid` for a product of `m` rows and `n` columns.
    pub fn grid(&self, [m, n]: [usize; 2]) -> Result<Vec<u32>, DeviceError> {
        let [tiles_m, tiles_n] = self.tiles;
        let words = [self.count, self.groups[0] as usize, tiles_m, tiles_n, self.splits, self.chunk, m, n];
        words.into_iter().map(word).collect()
    }

    /// The launch, and the one that sums its splits if there are several.
    pub fn launches(
        &self,
        kernel: &'static str,
        source: String,
        params: Vec<u32>,
        reads: Vec<Slot>,
        write: Slot,
    ) -> Result<Vec<Launch>, DeviceError> {
        let launch = |write| Launch { kernel, source, params, reads, write, groups: self.groups };
        if self.splits == 1 {
            return Ok(vec![launch(write)]);
        }
        let (partials, sum) = map_reduce::sum_partials(self.out_len, self.splits, write)?;
        Ok([launch(partials)].into_iter().chain(sum).collect())
    }

    /// Values of the shader's template.
    pub fn constants(&self) -> [(&'static str, String); 2] {
        [("ROWS", self.shape[0].to_string()), ("COLS", self.shape[1].to_string())]
    }
}

/// Splits of a contraction of length `k`, none shorter than `shortest`, and the length of one.
fn split(workgroups: usize, k: usize, shortest: usize, out_len: usize) -> (usize, usize) {
    let worthwhile = BUSY.div_ceil(workgroups.max(1)).min(k / shortest).min(PARTIALS / out_len.max(1));
    let splits = worthwhile.max(k.div_ceil(LONGEST)).max(1);
    let chunk = k.div_ceil(splits).max(1);
    (k.div_ceil(chunk).max(1), chunk)
}
