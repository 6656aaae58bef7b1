//! Pictures one after another, as an animated GIF.

use image::{
    Delay, Frame, Rgba, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
    imageops::{FilterType, resize},
};

use super::ReportError;
use crate::data::Picture;

/// A frame, and the last one, in milliseconds.
const SHOWN: u32 = 400;
const LAST: u32 = 2_000;
/// Sides of pictures are enlarged to about this.
const SIDE: usize = 96;
/// Pictures in a row.
const COLUMNS: usize = 8;

/// A GIF whose frames show these pictures side by side; the last stays longer, then it begins anew. All pictures have one
/// size, all frames as many.
///
/// # Errors
/// No frames, or frames of several sizes.
pub fn animated_gif(frames: &[Vec<Picture>]) -> Result<Vec<u8>, ReportError> {
    let first = frames.first().and_then(|frame| frame.first());
    let Some((count, picture)) = first.map(|picture| (frames[0].len(), picture)) else {
        return Err(ReportError::Animation { expected: "frames with pictures".into(), found: "none".into() });
    };
    let shape = picture.shape();
    if let Some(other) = frames.iter().find(|f| f.len() != count || f.iter().any(|p| p.shape() != shape)) {
        return Err(ReportError::Animation {
            expected: format!("{count} pictures of {shape:?} (C, H, W) in every frame"),
            found: format!("{} of {:?}", other.len(), other.first().map(Picture::shape)),
        });
    }
    let factor = (SIDE / picture.width.max(picture.height)).max(1);
    let (width, height) = (picture.width * factor + 2, picture.height * factor + 2);
    let columns = count.min(COLUMNS);
    let [wide, high] = [columns * width, count.div_ceil(columns) * height].map(|side| side as u32);
    let mut bytes = vec![];
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    let failed = |cause: image::ImageError| ReportError::Animation {
        expected: "pictures that a GIF can hold".into(),
        found: cause.to_string(),
    };
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    for (number, frame) in frames.iter().enumerate() {
        let mut canvas = RgbaImage::from_pixel(wide, high, Rgba([255; 4]));
        for (i, picture) in frame.iter().enumerate() {
            let large = resize(
                &pixels(picture),
                (picture.width * factor) as u32,
                (picture.height * factor) as u32,
                FilterType::Nearest,
            );
            let (x, y) = (i % columns * width + 1, i / columns * height + 1);
            image::imageops::replace(&mut canvas, &large, x as i64, y as i64);
        }
        let shown = if number + 1 == frames.len() { LAST } else { SHOWN };
        let delay = Delay::from_numer_denom_ms(shown, 1);
        encoder.encode_frame(Frame::from_parts(canvas, 0, 0, delay)).map_err(failed)?;
    }
    drop(encoder);
    Ok(bytes)
}

/// Grey where it has one channel; of more than three, the first three.
fn pixels(picture: &Picture) -> RgbaImage {
    let plane = picture.width * picture.height;
    let channels = picture.pixels.len() / plane.max(1);
    RgbaImage::from_fn(picture.width as u32, picture.height as u32, |x, y| {
        let at = y as usize * picture.width + x as usize;
        let level = |channel: usize| {
            let channel = if channels < 3 { 0 } else { channel };
            (picture.pixels[channel * plane + at].clamp(0.0, 1.0) * 255.0).round() as u8
        };
        Rgba([level(0), level(1), level(2), 255])
    })
}

#[cfg(test)]
mod tests {
    use image::{AnimationDecoder, codecs::gif::GifDecoder};

    use super::*;

    #[test]
    fn a_gif_has_every_frame() {
        let frame =
            |value| vec![Picture::flat(1, 4, 4, value).unwrap(), Picture::flat(1, 4, 4, 1.0).unwrap()];
        let bytes = animated_gif(&[frame(0.0), frame(0.5), frame(1.0)]).unwrap();
        let decoder = GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 3);
        let levels: Vec<u8> = frames.iter().map(|f| f.buffer().get_pixel(10, 10).0[0]).collect();
        assert!(levels[0] < 10 && levels[1].abs_diff(128) < 10 && levels[2] > 245, "{levels:?}");
    }

    #[test]
    fn frames_of_several_sizes_are_refused() {
        let flat = |side| vec![Picture::flat(1, side, side, 0.5).unwrap()];
        let error = animated_gif(&[flat(4), flat(5)]).unwrap_err().to_string();
        assert!(error.contains("1 pictures of [1, 4, 4]") && error.contains("[1, 5, 5]"), "{error}");
        assert!(animated_gif(&[]).is_err());
    }
}
