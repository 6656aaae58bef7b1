//! How a tile's operand is read: by vec4s where its layout allows.

use super::{
    text,
    tile::{DEPTH, Tile},
};

const ELEMENTS: &str = include_str!("../../../../shaders/parts/operand.wgsl");
const ALONG: &str = include_str!("../../../../shaders/parts/operand_along.wgsl");
const ACROSS: &str = include_str!("../../../../shaders/parts/operand_across.wgsl");

/// A strided matrix with one axis along the contraction and one across it.
pub struct Operand {
    /// `a` or `b`
    pub name: char,
    pub binding: usize,
    /// Elements across, and the shader's expression for it.
    pub limit: (usize, &'static str),
    /// Length of the contraction.
    pub k: usize,
    /// Strides, and the shader's expressions for them.
    pub along: (usize, &'static str),
    pub across: (usize, &'static str),
    /// Everything that is added to an element's address: offset and trial stride.
    pub bases: [usize; 2],
}

impl Operand {
    /// The part of the shader that fetches this operand, and how often an invocation calls it for one tile.
    pub fn text(&self, tile: Tile) -> (String, String) {
        let width = if self.name == 'a' { tile.rows * tile.bands } else { tile.cols };
        let aligned = self.bases.iter().all(|base| base % 4 == 0);
        let along =
            self.along.0 == 1 && aligned && self.across.0.is_multiple_of(4) && self.k.is_multiple_of(DEPTH);
        let across =
            self.across.0 == 1 && aligned && self.along.0.is_multiple_of(4) && self.limit.0.is_multiple_of(4);
        let (part, slots) = match (along, across) {
            (true, _) => (ALONG, DEPTH / 4 * width),
            (_, true) => (ACROSS, DEPTH * width),
            _ => (ELEMENTS, DEPTH * width),
        };
        // Neighbouring invocations read neighbouring elements, or what comes nearest.
        let runs_along = self.along.0 == 1 || (self.across.0 != 1 && self.along.0 <= self.across.0);
        let (lower, upper) = (self.name.to_string(), self.name.to_ascii_uppercase().to_string());
        let binding = self.binding.to_string();
        let values = [
            ("x", lower.as_str()),
            ("X", &upper),
            ("BINDING", &binding),
            ("ALONG", text::boolean(runs_along)),
            ("LIMIT", self.limit.1),
            ("STEP", self.along.1),
            ("ACROSS", self.across.1),
        ];
        (text::fill(part, &values), slots.div_ceil(tile.invocations()).to_string())
    }
}
