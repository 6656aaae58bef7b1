//! `grid.png`: originals over reconstructions, enlarged so that a person can see them.

use std::path::Path;

use image::{
    Rgb, RgbImage,
    imageops::{self, FilterType},
};

use super::{ReportError, atomic, caption};
use crate::data::{Picture, encode_png};

/// Pictures side by side before the next block begins.
const COLUMNS: usize = 8;
/// Pictures are enlarged to at least this many pixels on their longer side.
const SMALLEST: usize = 96;
/// Nobody looks at a grid beyond these, and memory has to hold it.
pub(super) const MOST_PICTURES: usize = 1024;
const MOST_PIXELS: u64 = 1 << 27;
const MARGIN: u32 = 16;
const GAP: u32 = 8;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// A PNG of labelled rows of pictures, wrapped into blocks of 8 columns.
///
/// `rows`: a label (`original`, `reconstruction`) and B pictures each, all of one size. `captions`: none, or
/// one line for each of the B columns, such as `23.4 dB  0.81`. Pictures are enlarged by the smallest whole
/// factor that makes their longer side 96 pixels or more, without interpolation.
pub fn picture_grid(rows: &[(&str, &[Picture])], captions: &[String]) -> Result<Vec<u8>, ReportError> {
    let first = check(rows, captions)?;
    let factor = SMALLEST.div_ceil(first.height.max(first.width)) as u32;
    let layout = Layout::new(rows, captions, first, factor);
    let pixels = u64::from(layout.width) * u64::from(layout.height);
    if pixels > MOST_PIXELS {
        return Err(mismatch(format!("a grid of at most {MOST_PIXELS} pixels"), pixels));
    }
    let mut canvas = RgbImage::from_pixel(layout.width, layout.height, WHITE);

    for (row, (label, pictures)) in (0..).zip(rows) {
        for (block, pictures) in (0..).zip(pictures.chunks(COLUMNS)) {
            let y = layout.y(block, row);
            caption::draw(
                &mut canvas,
                label,
                MARGIN,
                y + layout.picture_height.saturating_sub(caption::LINE) / 2,
            );
            for (column, picture) in (0..).zip(pictures) {
                let enlarged = imageops::resize(
                    &picture.to_rgb8()?,
                    layout.picture_width,
                    layout.picture_height,
                    FilterType::Nearest,
                );
                imageops::replace(&mut canvas, &enlarged, layout.x(column).into(), y.into());
            }
        }
    }
    for (block, captions) in (0..).zip(captions.chunks(COLUMNS)) {
        for (column, text) in (0..).zip(captions) {
            let y = layout.y(block, rows.len() as u32);
            caption::draw(&mut canvas, text, layout.x(column), y);
        }
    }
    Ok(encode_png(canvas)?)
}

/// Writes [`picture_grid`] to `path`, atomically.
pub fn write_picture_grid(
    path: &Path,
    rows: &[(&str, &[Picture])],
    captions: &[String],
) -> Result<(), ReportError> {
    Ok(atomic::write_bytes(path, &picture_grid(rows, captions)?)?)
}

/// The first picture, once it stands for the size of all.
fn check<'a>(rows: &[(&str, &'a [Picture])], captions: &[String]) -> Result<&'a Picture, ReportError> {
    let Some(first) = rows.first().and_then(|(_, pictures)| pictures.first()) else {
        return Err(mismatch("pictures", "none"));
    };
    let count = rows[0].1.len();
    if count > MOST_PICTURES {
        return Err(mismatch(format!("at most {MOST_PICTURES} pictures in a row"), count));
    }
    if !captions.is_empty() && captions.len() != count {
        return Err(mismatch(format!("{count} captions, one per picture"), captions.len()));
    }
    for (label, pictures) in rows {
        if pictures.len() != count {
            return Err(mismatch(format!("{count} pictures in row {label:?}"), pictures.len()));
        }
        for picture in *pictures {
            picture.check()?;
            if (picture.height, picture.width) != (first.height, first.width) {
                let expected = format!("pictures of {}×{} in row {label:?}", first.height, first.width);
                return Err(mismatch(expected, format!("{}×{}", picture.height, picture.width)));
            }
        }
    }
    Ok(first)
}

fn mismatch(expected: impl ToString, found: impl ToString) -> ReportError {
    ReportError::Grid { expected: expected.to_string(), found: found.to_string() }
}

/// Where things go, in pixels of the grid.
struct Layout {
    width: u32,
    height: u32,
    picture_width: u32,
    picture_height: u32,
    /// Left edge of the first column.
    left: u32,
    /// From one column, row or block to the next.
    column_pitch: u32,
    row_pitch: u32,
    block_pitch: u32,
}

impl Layout {
    fn new(rows: &[(&str, &[Picture])], captions: &[String], first: &Picture, factor: u32) -> Self {
        let (picture_width, picture_height) = (first.width as u32 * factor, first.height as u32 * factor);
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(caption::width).max().unwrap_or(0);
        let label_width = widest(&mut rows.iter().map(|(label, _)| *label));
        let caption_width = widest(&mut captions.iter().map(String::as_str));
        let caption_height = if captions.is_empty() { 0 } else { caption::LINE + GAP };

        let left = MARGIN + label_width + GAP;
        let column_pitch = picture_width.max(caption_width) + GAP;
        let row_pitch = picture_height.max(caption::LINE) + GAP;
        let block_pitch = rows.len() as u32 * row_pitch + caption_height + GAP;
        let count = rows[0].1.len();
        Self {
            width: left + count.min(COLUMNS) as u32 * column_pitch - GAP + MARGIN,
            height: 2 * MARGIN + count.div_ceil(COLUMNS) as u32 * block_pitch - 2 * GAP,
            picture_width,
            picture_height,
            left,
            column_pitch,
            row_pitch,
            block_pitch,
        }
    }

    fn x(&self, column: u32) -> u32 {
        self.left + column * self.column_pitch
    }

    fn y(&self, block: u32, row: u32) -> u32 {
        MARGIN + block * self.block_pitch + row * self.row_pitch
    }
}
