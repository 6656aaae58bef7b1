//! How a tile's operand is read: by vec4s where its layout allows.

use super::{
    super::wgsl::Words,
    tile::{DEPTH, Tile},
};

/// A strided matrix with one axis along the contraction and one across it.
pub(crate) struct Operand {
    /// `A` or `B`
    pub name: char,
    /// Elements across.
    pub limit: usize,
    /// Length of the contraction.
    pub k: usize,
    /// Strides.
    pub along: usize,
    pub across: usize,
    /// Everything that is added to an element's address: offset and trial stride.
    pub bases: [usize; 2],
}

impl Operand {
    /// Adds to a shader's words the part that fetches this operand; how often an invocation calls it for one tile.
    pub(crate) fn choose(&self, words: Words, tile: Tile) -> (Words, usize) {
        let width = if self.name == 'A' { tile.rows * tile.bands } else { tile.cols };
        let aligned = self.bases.iter().all(|base| base % 4 == 0);
        let along =
            self.along == 1 && aligned && self.across.is_multiple_of(4) && self.k.is_multiple_of(DEPTH);
        let across =
            self.across == 1 && aligned && self.along.is_multiple_of(4) && self.limit.is_multiple_of(4);
        let (part, slots) = match (along, across) {
            (true, _) => ("operand_along", DEPTH / 4 * width),
            (_, true) => ("operand_across", DEPTH * width),
            _ => ("operand", DEPTH * width),
        };
        let mut words = words.set(format!("OPERAND_{}", self.name), part);
        if part == "operand" {
            // Neighbouring invocations read neighbouring elements, or what comes nearest.
            let runs_along = self.along == 1 || (self.across != 1 && self.along <= self.across);
            words = words.set(format!("ALONG_{}", self.name), runs_along);
        }
        (words, slots.div_ceil(tile.invocations()))
    }
}
