//! How a contraction is cut into tiles and its contracted axis into splits.

use super::{
    super::launch::{Launch, Slot, fold, words},
    Style, WORKGROUP,
    split::{self, Whole, split},
    text,
    tile::{DEPTH, Extent, Tile},
};
use crate::device::DeviceError;

const GRID: &str = include_str!("../../../../shaders/parts/grid.wgsl");
const TILE: &str = include_str!("../../../../shaders/parts/tile.wgsl");
const SUMS: [&str; 2] = [
    include_str!("../../../../shaders/parts/sums4.wgsl"),
    include_str!("../../../../shaders/parts/sums8.wgsl"),
];

/// One launch of a contraction, and the one that sums its splits.
pub struct Tiling {
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
    pub fn new(extent: &Extent, style: &Style, even: bool) -> Result<Self, DeviceError> {
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
    pub fn one_result_each(k: usize, out_len: usize, style: &Style) -> Result<Self, DeviceError> {
        let (splits, chunk) =
            split(Whole { workgroups: out_len, invocations: WORKGROUP }, k, 8 * WORKGROUP, out_len);
        let count = out_len * splits;
        let (groups, tile) = (fold(count)?, Tile { rows: 1, cols: 1, bands: 1 });
        Ok(Tiling { tile, splits, exact: false, tiles: [1, 1], chunk, groups, count, out_len, style: *style })
    }

    /// Share of the results of the rule's tiles that are wanted.
    pub fn utilisation(extent: &Extent) -> f64 {
        let tile = Tile::by_rule(extent);
        let ([tiles_m, tiles_n], [m, n]) = (tile.cover(extent), tile.size());
        (extent.m * extent.n) as f64 / (tiles_m * tiles_n * m * n).max(1) as f64
    }

    /// The shader's `Grid` for a product of `m` rows and `n` columns.
    pub fn grid(&self, [m, n]: [usize; 2]) -> Result<Vec<u32>, DeviceError> {
        let [tiles_m, tiles_n] = self.tiles;
        words([self.count, self.groups[0] as usize, tiles_m, tiles_n, self.splits, self.chunk, m, n])
    }

    /// The finished text of a tiled kernel: its own, its further parts, and the parts of every tile.
    pub fn text(&self, kernel: &str, parts: &[&str], own: &[(&str, &str)]) -> String {
        let Tile { rows, cols, bands } = self.tile;
        let loads = |width: usize| (DEPTH * width).div_ceil(self.tile.invocations()).to_string();
        let (rows_text, cols_text, bands_text) = (rows.to_string(), cols.to_string(), bands.to_string());
        let (loads_a, loads_b) = (loads(rows * bands), loads(cols));
        let values = [
            ("ROWS", rows_text.as_str()),
            ("COLS", &cols_text),
            ("BANDS", &bands_text),
            ("EXACT", text::boolean(self.exact)),
            ("SLICE", if self.style.half_tiles { "vec4<f16>" } else { "vec4f" }),
        ];
        // A kernel's own values go first: an operand's loads differ from the tile's.
        let values: Vec<_> = own
            .iter()
            .copied()
            .chain(values)
            .chain([("LOADS_A", &*loads_a), ("LOADS_B", &*loads_b)])
            .collect();
        let enable = if self.style.half_tiles { "enable f16;\n" } else { "" };
        let whole = [&[enable, kernel], parts, &[GRID, TILE, SUMS[bands - 1]]].concat().concat();
        text::unroll(&text::fill(&whole, &values))
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
        let variant = match self.tile.invocations() {
            1 => String::new(),
            _ => format!("{}{}", self.tile.name(), if self.exact { "" } else { "-edge" }),
        };
        let launch = |write| Launch { kernel, variant, source, params, reads, write, groups: self.groups };
        split::launches(self.splits, self.out_len, write, &self.style, launch)
    }
}
