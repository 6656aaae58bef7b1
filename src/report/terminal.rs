//! Pictures in the terminal: by the graphics of kitty, iTerm2 and sixel terminals, in half blocks elsewhere.

use std::{
    env,
    io::{self, IsTerminal},
};

use console::{Alignment, Term, pad_str};
use image::{
    DynamicImage, Rgba, RgbaImage,
    imageops::{self, FilterType},
};

use super::ReportError;
use crate::data::Picture;

/// Columns of text that a picture takes, and those between two.
const WIDTH: usize = 16;
const GAP: usize = 2;
/// A cell is about twice as high as wide.
const LINES_PER_COLUMN: f64 = 0.5;
/// Pixels to a column, for terminals that show pixels; half blocks have one.
const PIXELS: usize = 8;

/// Draws rows of pictures one over the other, as [`super::picture_grid`] does, as many columns at a time as the
/// terminal is wide, a caption under each column. `rows`: a label and B pictures each; `captions`: none or B.
/// Draws nothing where standard output is no terminal, or one without colours.
pub fn show(rows: &[(&str, &[Picture])], captions: &[String]) -> Result<(), ReportError> {
    let terminal = Term::stdout();
    if !terminal.features().is_attended() || !terminal.features().colors_supported() {
        return Ok(());
    }
    let mut configuration = configuration();
    let draws = configuration.use_kitty || configuration.use_sixel || viuer::is_iterm_supported();
    let pixels = if draws { PIXELS } else { 1 };
    let columns = usize::from(terminal.size().1);
    let at_once = ((columns + GAP) / (WIDTH + GAP)).max(1);
    let count = rows.iter().map(|(_, pictures)| pictures.len()).max().unwrap_or(0);
    for start in (0..count).step_by(at_once) {
        let chosen = |length: usize| start.min(length)..(start + at_once).min(length);
        for (label, pictures) in rows {
            let Some((strip, width, height)) = strip(&pictures[chosen(pictures.len())], pixels)? else {
                continue;
            };
            terminal.write_line(label).map_err(viuer::ViuError::Io)?;
            (configuration.width, configuration.height) = (Some(width as u32), Some(height as u32));
            viuer::print(&strip, &configuration)?;
        }
        let captions = line(&captions[chosen(captions.len())]);
        if !captions.is_empty() {
            terminal.write_line(&captions).map_err(viuer::ViuError::Io)?;
        }
    }
    Ok(())
}

fn configuration() -> viuer::Config {
    let asks = |names: &[&str]| {
        let hints = ["TERM", "TERM_PROGRAM"].map(|name| env::var(name).unwrap_or_default().to_lowercase());
        hints.iter().any(|hint| names.iter().any(|name| hint.contains(name)))
    };
    let answers = io::stdin().is_terminal();
    viuer::Config {
        absolute_offset: false,
        transparent: true,
        // Whether these work is found out by a question that a terminal without them may never answer, so only
        // those are asked that are known to, and only where the answer can be read.
        use_kitty: answers && asks(&["kitty", "ghostty", "wezterm"]),
        use_sixel: answers && asks(&["sixel", "foot", "mlterm", "contour"]),
        ..viuer::Config::default()
    }
}

/// Pictures side by side, `pixels` to a column, and the columns and lines of text that they take.
fn strip(pictures: &[Picture], pixels: usize) -> Result<Option<(DynamicImage, usize, usize)>, ReportError> {
    let Some(first) = pictures.first() else { return Ok(None) };
    first.check()?;
    let lines = (WIDTH * first.height) as f64 / first.width as f64 * LINES_PER_COLUMN;
    // A very long picture is squeezed, not scrolled through.
    let lines = (lines.round() as usize).clamp(1, 2 * WIDTH);
    let columns = pictures.len() * (WIDTH + GAP) - GAP;
    let side = |columns: usize| (columns * pixels) as u32;
    let height = side(lines * 2);
    let mut strip = RgbaImage::from_pixel(side(columns), height, Rgba([0; 4]));
    for (i, picture) in pictures.iter().enumerate() {
        let picture = DynamicImage::from(picture.to_rgb8()?).into_rgba8();
        let shrinks = side(WIDTH) < picture.width() || height < picture.height();
        let filter = if shrinks { FilterType::CatmullRom } else { FilterType::Nearest };
        let scaled = imageops::resize(&picture, side(WIDTH), height, filter);
        imageops::replace(&mut strip, &scaled, side(i * (WIDTH + GAP)).into(), 0);
    }
    Ok(Some((strip.into(), columns, lines)))
}

/// Captions, each under its picture and no wider.
fn line(captions: &[String]) -> String {
    // A name may come from anywhere; what it tells the terminal to do is not shown.
    let plain = |caption: &String| caption.chars().filter(|c| !c.is_control()).collect::<String>();
    let cells = captions.iter().map(|c| pad_str(&plain(c), WIDTH, Alignment::Left, Some("…")).into_owned());
    cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_side_by_side_over_their_captions() {
        let pictures = [0.0, 1.0].map(|value| Picture::flat(1, 4, 8, value).unwrap());
        for pixels in [1, PIXELS] {
            let (strip, columns, lines) = strip(&pictures, pixels).unwrap().unwrap();
            assert_eq!((columns, lines), (34, 4));
            let strip = strip.into_rgba8();
            let middle = |column: usize| strip.get_pixel((column * pixels) as u32, 4).0;
            assert_eq!([middle(0), middle(17), middle(18)], [[0, 0, 0, 255], [0; 4], [255; 4]]);
        }
        let captions = ["a name longer than its picture".to_owned(), "coat \x1b[31m".to_owned()];
        assert_eq!(line(&captions), "a name longer t…  coat [31m");
    }
}
