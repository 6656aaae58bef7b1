//! The tiles that a contraction can be cut into.
//!
//! A tile decides how fast a contraction runs, never its bits: every result adds up its products in the
//! order of the contraction, and where that is split follows from the shape alone ([`super::tiling`]).
//! Sizes suit every device: at most 256 invocations, 16 KiB of workgroup memory, 64 registers.

use super::BUSY;

/// Slices of the operands that a workgroup holds at a time (`DEPTH` in `parts/tile.wgsl`).
pub(crate) const DEPTH: usize = 16;

/// Invocations of a workgroup along rows and columns; each owns `4 · bands` rows of 4 results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Invocations along the rows of the result.
    pub rows: usize,
    /// Invocations along the columns of the result.
    pub cols: usize,
    /// Bands of four rows that an invocation owns.
    pub bands: usize,
}

const fn tile(rows: usize, cols: usize, bands: usize) -> Tile {
    Tile { rows, cols, bands }
}

/// Every tile, and what a result costs in it, as a first guess: larger tiles fetch every operand less often.
pub const TILES: [(Tile, usize); 10] = [
    (tile(16, 16, 2), 20),
    (tile(8, 32, 2), 20),
    (tile(8, 16, 2), 22),
    (tile(16, 16, 1), 24),
    (tile(8, 8, 2), 30),
    (tile(8, 8, 1), 36),
    (tile(4, 16, 1), 39),
    (tile(16, 4, 1), 39),
    (tile(2, 16, 1), 50),
    (tile(16, 2, 1), 50),
];

/// A product of `m × k` by `k × n`, `batch` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub batch: usize,
    /// Elements of the result in all.
    pub out_len: usize,
}

impl Tile {
    /// Results along rows and columns.
    pub fn size(self) -> [usize; 2] {
        [4 * self.rows * self.bands, 4 * self.cols]
    }

    /// Of a workgroup, at most 256.
    pub fn invocations(self) -> usize {
        self.rows * self.cols
    }

    /// Results, and rows of one invocation: `128x64x8`.
    pub fn name(self) -> String {
        let [m, n] = self.size();
        format!("{m}x{n}x{}", 4 * self.bands)
    }

    /// The tile of this [`name`](Tile::name).
    pub fn named(name: &str) -> Option<Tile> {
        TILES.into_iter().map(|(tile, _)| tile).find(|tile| tile.name() == name)
    }

    /// Tiles along rows and columns of one product.
    pub fn cover(self, extent: &Extent) -> [usize; 2] {
        let [m, n] = self.size();
        [extent.m.div_ceil(m), extent.n.div_ceil(n)]
    }

    fn workgroups(self, extent: &Extent) -> usize {
        let [m, n] = self.cover(extent);
        m * n * extent.batch
    }

    /// Padded results times what one costs, as a first guess.
    fn cost(self, weight: usize, extent: &Extent) -> usize {
        let [m, n] = self.size();
        self.workgroups(extent) * m * n * weight
    }

    /// The tile of a fixed rule: the cheapest by a first guess, two bands only where enough tiles are left to
    /// fill a large GPU.
    pub fn by_rule(extent: &Extent) -> Tile {
        let fills = |tile: Tile| tile.bands == 1 || tile.workgroups(extent) >= BUSY;
        let usable = TILES.into_iter().filter(|&(tile, _)| fills(tile));
        let cheapest = usable.min_by_key(|&(tile, weight)| tile.cost(weight, extent));
        cheapest.map_or(TILES[0].0, |(tile, _)| tile)
    }

    /// What is worth timing: the rule's tile first, then all that a first guess finds less than twice as dear
    /// as the cheapest.
    pub fn candidates(extent: &Extent) -> Vec<Tile> {
        let cost = |&(tile, weight): &(Tile, usize)| tile.cost(weight, extent);
        let least = TILES.iter().map(cost).min().unwrap_or(0);
        let rule = Tile::by_rule(extent);
        let rest = TILES.iter().filter(|entry| cost(entry) < 2 * least && entry.0 != rule);
        [rule].into_iter().chain(rest.map(|&(tile, _)| tile)).collect()
    }
}
