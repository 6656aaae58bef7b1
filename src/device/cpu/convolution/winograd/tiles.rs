//! Where the tiles of a convolution lie.

use std::ops::Range;

use crate::tape::spec::ConvSpec;

/// Outputs on a tile's side.
pub(crate) const OUTPUTS: usize = 4;
/// Inputs on a tile's side.
pub(crate) const INPUTS: usize = 6;
/// Products of a tile for each pair of channels.
pub(crate) const POINTS: usize = INPUTS * INPUTS;
/// Tiles, or channels, that a transform takes at once.
pub(crate) const LANES: usize = 16;

/// The images of a convolution, cut into tiles of 4×4 outputs; those at the far edges may reach beyond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    /// `[H, W]`
    pub size: [usize; 2],
    pub padding: [usize; 2],
    /// `[OH, OW]`
    pub outputs: [usize; 2],
    /// Tiles down and across an image.
    pub tiles: [usize; 2],
}

/// Neighbouring tiles in one row of one image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// Their number before this run in the group.
    pub at: usize,
    pub len: usize,
    pub image: usize,
    /// First output row and column.
    pub first: [usize; 2],
}

impl Tiling {
    pub(crate) fn new(spec: &ConvSpec) -> Tiling {
        let outputs = spec.output_size();
        let tiles = outputs.map(|n| n.div_ceil(OUTPUTS));
        Tiling { size: spec.size, padding: spec.padding, outputs, tiles }
    }

    /// Tiles of an image.
    pub(crate) fn image_tiles(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Elements of an input plane.
    pub(crate) fn input_plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Elements of an output plane.
    pub(crate) fn output_plane(&self) -> usize {
        self.outputs[0] * self.outputs[1]
    }

    /// Cuts a group of tiles, which count over all images, at the ends of rows.
    #[inline(always)]
    pub(crate) fn runs(&self, group: Range<usize>) -> impl Iterator<Item = Run> + use<> {
        let [down, across] = self.tiles;
        let mut next = group.start;
        std::iter::from_fn(move || {
            if next >= group.end {
                return None;
            }
            let (line, x) = (next / across, next % across);
            let (image, y) = (line / down, line % down);
            let len = (across - x).min(group.end - next);
            let run = Run { at: next - group.start, len, image, first: [y * OUTPUTS, x * OUTPUTS] };
            next += len;
            Some(run)
        })
    }
}
