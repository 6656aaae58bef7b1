//! Small black text on a white picture.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

const WEIGHT: FontWeight = FontWeight::Regular;
const SIZE: RasterHeight = RasterHeight::Size16;

/// Height of a line in pixels.
pub(super) const LINE: u32 = SIZE.val() as u32;

/// Width of a line of `text` in pixels; the font is monospaced.
pub(super) fn width(text: &str) -> u32 {
    (text.chars().count() * get_raster_width(WEIGHT, SIZE)) as u32
}

/// Draws `text` with its top left corner at `(x, y)`; what lies outside the canvas is cut off. Characters
/// outside printable ASCII become `?`.
pub(super) fn draw(canvas: &mut RgbImage, text: &str, x: u32, y: u32) {
    let glyphs = text.chars().filter_map(|character| glyph(character).or_else(|| glyph('?')));
    let advance = get_raster_width(WEIGHT, SIZE) as u32;
    for (left, glyph) in (x..).step_by(advance as usize).zip(glyphs) {
        for (y, row) in (y..).zip(glyph.rows()) {
            for (x, coverage) in (left..).zip(row) {
                if let Some(pixel) = canvas.get_pixel_mut_checked(x, y) {
                    *pixel = Rgb([255 - coverage; 3]);
                }
            }
        }
    }
}

fn glyph(character: char) -> Option<RasterizedChar> {
    get_raster(character, WEIGHT, SIZE)
}
