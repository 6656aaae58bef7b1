//! Image files as pictures, and pictures as PNG files, eight bits a channel.

use std::{
    io::{BufReader, Cursor},
    path::{Path, PathBuf},
};

use image::{DynamicImage, ImageBuffer, ImageFormat, ImageReader, Luma, Pixel, Rgb, RgbImage};

use super::{DataError, Picture, atomic, folder, jpeg_damage, jpeg_end, picture::check_shape};
use crate::files::{incoming, limits};

const PICTURE: &str = "a PNG, JPEG, PPM, PGM, BMP, TIFF or WebP picture";

impl Picture {
    /// Reads a file of one of torchvision's formats (PNG, JPEG, PPM, PGM, BMP, TIFF, WebP), told apart by content. Grey stays one channel; palettes become colour;
    /// transparency is dropped, as Pillow's `convert("RGB")` does; sixteen bits are rounded to eight.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = read_bytes(path)?;
        check_pixels(path, &bytes)?;
        if bytes.starts_with(&[0xff, 0xd8]) {
            if !jpeg_end::is_complete(&bytes) {
                return Err(DataError::malformed(path, "a whole JPEG picture", "a file cut short"));
            }
            if let Some(damage) = jpeg_damage::of(&bytes) {
                return Err(DataError::malformed(path, "an undamaged JPEG picture", damage));
            }
        }
        decode(path, PICTURE, || image::load_from_memory(&bytes))
    }

    /// `[H, W]` of such a file by its header alone, if it is a size that [`Picture::read`] takes.
    pub fn read_size(path: &Path) -> Result<[usize; 2], DataError> {
        let unreadable = |cause| DataError::unreadable(path, cause);
        let (file, _) = incoming::open(path).map_err(unreadable)?;
        let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(unreadable)?;
        let expected = PICTURE;
        let size = reader.into_dimensions().map_err(|cause| DataError::malformed(path, expected, cause))?;
        let [height, width] = [size.1 as usize, size.0 as usize];
        check_shape(1, height, width).map_err(|cause| DataError::malformed(path, expected, cause))?;
        Ok([height, width])
    }

    /// Writes an eight-bit PNG, grey or RGB, atomically. Values are clamped to [0, 1] and rounded to the
    /// nearest step of 1/255.
    pub fn write_png(&self, path: &Path) -> Result<(), DataError> {
        atomic::write_bytes(path, &self.to_png()?)
    }

    /// The bytes of [`Self::write_png`].
    pub fn to_png(&self) -> Result<Vec<u8>, DataError> {
        match self.channels {
            1 => encode_png(self.to_image(|at| Luma([to_byte(self.pixels[at])]))?),
            _ => encode_png(self.to_rgb8()?),
        }
    }

    /// Interleaved eight-bit RGB; grey is repeated.
    pub fn to_rgb8(&self) -> Result<RgbImage, DataError> {
        let plane = if self.channels == 1 { 0 } else { self.height * self.width };
        self.to_image(|at| Rgb([0, 1, 2].map(|channel| to_byte(self.pixels[channel * plane + at]))))
    }

    /// `pixel`: the pixel at an index of a plane.
    fn to_image<P: Pixel<Subpixel = u8>>(
        &self,
        pixel: impl Fn(usize) -> P,
    ) -> Result<ImageBuffer<P, Vec<u8>>, DataError> {
        self.check()?;
        let at = |x, y| y as usize * self.width + x as usize;
        Ok(ImageBuffer::from_fn(self.width as u32, self.height as u32, |x, y| pixel(at(x, y))))
    }
}

/// The bytes of a PNG file.
pub(crate) fn encode_png(image: impl Into<DynamicImage>) -> Result<Vec<u8>, DataError> {
    let mut png = Cursor::new(Vec::new());
    let written = image.into().write_to(&mut png, ImageFormat::Png);
    written.map_err(|cause| DataError::mismatch("a picture", "one that PNG can hold", cause))?;
    Ok(png.into_inner())
}

/// Every picture of a folder that holds PNG files and nothing else, with its path, sorted by name.
/// An empty folder and any other kind of entry are errors; hidden files are passed over.
pub fn read_png_folder(dir: &Path) -> Result<Vec<(PathBuf, Picture)>, DataError> {
    let paths = folder::entries(dir)?;
    if paths.is_empty() {
        return Err(DataError::malformed(dir, "a folder of .png files", "an empty folder"));
    }
    let read = |path: PathBuf| {
        if !folder::has_extension(&path, &["png"]) || !path.is_file() {
            return Err(DataError::malformed(
                &path,
                "nothing but .png files in this folder",
                "another entry",
            ));
        }
        let bytes = read_bytes(&path)?;
        check_pixels(&path, &bytes)?;
        let decoded = || image::load_from_memory_with_format(&bytes, ImageFormat::Png);
        let picture = decode(&path, "a PNG picture", decoded)?;
        Ok((path, picture))
    };
    paths.into_iter().map(read).collect()
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    incoming::read(path, incoming::PICTURE).map_err(|cause| DataError::unreadable(path, cause))
}

/// Refuses more pixels than are allowed by the picture's header, before they are decoded: a few bytes can say many.
fn check_pixels(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    // What cannot be read is said where it is decoded.
    let Some((width, height)) = reader.ok().and_then(|reader| reader.into_dimensions().ok()) else {
        return Ok(());
    };
    let most = limits::max_pixels();
    match u64::from(width) * u64::from(height) {
        pixels if pixels > most => {
            let found = format!("{width}×{height} (--max-pixels allows more)");
            Err(DataError::malformed(path, format!("a picture of at most {most} pixels"), found))
        }
        _ => Ok(()),
    }
}

fn decode(
    path: &Path,
    expected: &str,
    decoded: impl FnOnce() -> image::ImageResult<DynamicImage>,
) -> Result<Picture, DataError> {
    let image = decoded().map_err(|cause| DataError::malformed(path, expected, cause))?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let (channels, interleaved) = if image.color().has_color() {
        (3, image.into_rgb8().into_raw())
    } else {
        (1, image.into_luma8().into_raw())
    };
    let plane = |channel: usize| interleaved.iter().skip(channel).step_by(channels);
    let pixels = (0..channels).flat_map(plane).map(|&byte| from_byte(byte)).collect();
    Picture::new(channels, height, width, pixels).map_err(|cause| DataError::malformed(path, expected, cause))
}

/// [0, 255] → [0, 1].
pub(super) fn from_byte(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// [0, 1] → [0, 255], rounded to nearest, clamped; NaN is 0.
fn to_byte(value: f32) -> u8 {
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}
