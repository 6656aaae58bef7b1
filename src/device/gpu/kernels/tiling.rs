//! How a contraction is cut into tiles and its contracted axis into splits.

use super::{
    super::{
        launch::{Launch, Slot, fold},
        wgsl::{Values, Words},
    },
    Style, WORKGROUP,
    split::{self, Whole, split},
    tile::{DEPTH, Extent, Tile},
};
use crate::device::DeviceError;

/// One launch of a contraction, and the one that sums its splits.
pub(crate) struct Tiling {
    pub tile: Tile,
    pub splits: usize,
    exact: bool,
    tiles: [usize; 2],
    chunk: usize,
    groups: [u32; 3],
    count: usize,
    out_len: usize,
    style: Style,
}

impl Tiling {
    /// Cut into the style's tile, else by the rule. `even`: every product of the batch has the whole extent.
    pub(crate) fn new(extent: &Extent, style: &Style, even: bool) -> Result<Self, DeviceError> {
        let &Extent { m, n, k, batch, out_len } = extent;
        let rule = Tile::by_rule(extent);
        let tile = style.tile.unwrap_or(rule);
        // By the rule's tile whatever the tile: splits decide the order of additions.
        let [rule_m, rule_n] = rule.cover(extent);
        let whole = Whole { workgroups: rule_m * rule_n * batch, invocations: rule.invocations() };
        let (splits, chunk) = split(whole, k, 4 * DEPTH, out_len);
        let chunk = chunk.next_multiple_of(DEPTH).max(DEPTH);
        let splits = if splits == 1 { 1 } else { k.div_ceil(chunk) };
        let tiles = tile.cover(extent);
        let count = tiles[0] * tiles[1] * batch * splits;
        let [tile_m, tile_n] = tile.size();
        let exact = even && m % tile_m == 0 && n % tile_n == 0 && k % DEPTH == 0;
        Ok(Tiling { tile, splits, exact, tiles, chunk, groups: fold(count)?, count, out_len, style: *style })
    }

    /// One workgroup for each result, its invocations striding through the contraction.
    pub(crate) fn one_result_each(k: usize, out_len: usize, style: &Style) -> Result<Self, DeviceError> {
        let (splits, chunk) =
            split(Whole { workgroups: out_len, invocations: WORKGROUP }, k, 8 * WORKGROUP, out_len);
        let count = out_len * splits;
        let (groups, tile) = (fold(count)?, Tile { rows: 1, cols: 1, bands: 1 });
        Ok(Tiling { tile, splits, exact: false, tiles: [1, 1], chunk, groups, count, out_len, style: *style })
    }

    /// Share of the results of the rule's tiles that are wanted.
    pub(crate) fn utilisation(extent: &Extent) -> f64 {
        let tile = Tile::by_rule(extent);
        let ([tiles_m, tiles_n], [m, n]) = (tile.cover(extent), tile.size());
        (extent.m * extent.n) as f64 / (tiles_m * tiles_n * m * n).max(1) as f64
    }

    /// The shader's `Grid` for a product of `m` rows and `n` columns.
    pub(crate) fn grid(&self, [m, n]: [usize; 2]) -> Values {
        let [tiles_m, tiles_n] = self.tiles;
        Values::of([
            ("groups", self.count),
            ("tiles_m", tiles_m),
            ("tiles_n", tiles_n),
            ("splits", self.splits),
            ("chunk", self.chunk),
            ("m", m),
            ("n", n),
        ])
        .set("fold", self.groups[0])
    }

    /// How often every invocation fetches four elements to fill the tile of each operand.
    pub(crate) fn loads(&self) -> [usize; 2] {
        let Tile { rows, cols, bands } = self.tile;
        [rows * bands, cols].map(|width| (DEPTH * width).div_ceil(self.tile.invocations()))
    }

    /// The launch of a tiled kernel, with words of its own and those of every tile, and the one that sums its
    /// splits if there are several. `loads`: fetches of every invocation for a tile of each operand.
    pub(crate) fn launches(
        &self,
        kernel: &'static str,
        own: Words,
        [loads_a, loads_b]: [usize; 2],
        params: &Values,
        reads: Vec<Slot>,
        write: Slot,
    ) -> Result<Vec<Launch>, DeviceError> {
        let Tile { rows, cols, bands } = self.tile;
        let words = own
            .set("ROWS", rows)
            .set("COLS", cols)
            .set("BANDS", bands)
            .set("SUMS", format!("sums{}", 4 * bands))
            .set("DEPTH", DEPTH)
            .set("EXACT", self.exact)
            .set("SLICE", if self.style.half_tiles { "slice_f16" } else { "slice_f32" })
            .set("LOADS_A", loads_a)
            .set("LOADS_B", loads_b);
        self.finished(kernel, &words, params, reads, write)
    }

    /// As [`Tiling::launches`], of a kernel that knows no tiles.
    pub(crate) fn finished(
        &self,
        kernel: &'static str,
        words: &Words,
        params: &Values,
        reads: Vec<Slot>,
        write: Slot,
    ) -> Result<Vec<Launch>, DeviceError> {
        let mut launch = Launch::new(kernel, words, params, reads, write, self.groups)?;
        if self.tile.invocations() > 1 {
            launch.variant = format!("{}{}", self.tile.name(), if self.exact { "" } else { "-edge" });
        }
        split::launches(self.splits, self.out_len, launch, &self.style)
    }
}
