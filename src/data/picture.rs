//! One picture in memory, and what changes its shape.

use image::{
    ImageBuffer, Luma,
    imageops::{self, FilterType},
};

use super::DataError;

/// Sizes above this are taken for mistakes, not for pictures.
const LARGEST_SIDE: usize = 16_384;

/// A picture with pixels in [0, 1].
///
/// ```
/// use gia_gpu::data::Picture;
///
/// let red = Picture::new(3, 1, 2, vec![1.0, 1.0, 0.0, 0.0, 0.0, 0.0])?;
/// assert_eq!(red.shape(), [3, 1, 2]);
/// assert!(Picture::new(3, 1, 2, vec![1.0, 1.0]).is_err());
/// # Ok::<(), gia_gpu::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
    /// Planar, `(C, H, W)` row-major, of length `channels · height · width`.
    pub pixels: Vec<f32>,
}

impl Picture {
    /// Fails on an empty picture, on channels other than 1 and 3, and on a wrong number of pixels.
    pub fn new(channels: usize, height: usize, width: usize, pixels: Vec<f32>) -> Result<Self, DataError> {
        let picture = Self { channels, height, width, pixels };
        picture.check()?;
        Ok(picture)
    }

    /// What [`Self::new`] checks, for a picture put together by hand.
    pub fn check(&self) -> Result<(), DataError> {
        let [channels, height, width] = self.shape();
        check_shape(channels, height, width)?;
        let length = channels * height * width;
        if self.pixels.len() != length {
            let expected = format!("{length} for {channels}×{height}×{width}");
            return Err(DataError::mismatch("pixels of a picture", expected, self.pixels.len()));
        }
        Ok(())
    }

    /// A picture of one value.
    pub fn flat(channels: usize, height: usize, width: usize, value: f32) -> Result<Self, DataError> {
        check_shape(channels, height, width)?;
        Self::new(channels, height, width, vec![value; channels * height * width])
    }

    /// `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// The plane of each channel, `(H, W)`.
    pub fn planes(&self) -> impl Iterator<Item = &[f32]> {
        self.pixels.chunks_exact(self.height * self.width)
    }

    /// Left and right changed.
    pub fn mirrored(mut self) -> Self {
        self.pixels.chunks_exact_mut(self.width.max(1)).for_each(<[f32]>::reverse);
        self
    }

    /// Grey is repeated over three channels; colour becomes Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B.
    pub fn with_channels(self, channels: usize) -> Result<Self, DataError> {
        self.check()?;
        let pixels = match (self.channels, channels) {
            (have, wanted) if have == wanted => return Ok(self),
            (1, 3) => self.pixels.repeat(3),
            (3, 1) => {
                let plane = self.height * self.width;
                let (red, rest) = self.pixels.split_at(plane);
                let (green, blue) = rest.split_at(plane);
                let luma = |((r, g), b): ((&f32, &f32), &f32)| 0.299 * r + 0.587 * g + 0.114 * b;
                red.iter().zip(green).zip(blue).map(luma).collect()
            }
            _ => return Err(DataError::mismatch("channels of a picture", "1 or 3", channels)),
        };
        Self::new(channels, self.height, self.width, pixels)
    }

    /// Zeros around the picture up to `height × width`; an odd surplus goes to the bottom and the right.
    /// Fails where the picture is larger.
    pub fn padded(self, height: usize, width: usize) -> Result<Self, DataError> {
        if (self.height, self.width) == (height, width) {
            return Ok(self);
        }
        if self.height > height || self.width > width {
            let expected = format!("at most {height}×{width}");
            let found = format!("{}×{}", self.height, self.width);
            return Err(DataError::mismatch("size of a picture to pad", expected, found));
        }
        self.check()?;
        let mut padded = Self::flat(self.channels, height, width, 0.0)?;
        let (top, left) = ((height - self.height) / 2, (width - self.width) / 2);
        for (from, to) in self.planes().zip(padded.pixels.chunks_exact_mut(height * width)) {
            let rows = to.chunks_exact_mut(width).skip(top);
            for (from, to) in from.chunks_exact(self.width).zip(rows) {
                to[left..left + self.width].copy_from_slice(from);
            }
        }
        Ok(padded)
    }

    /// Exactly `height × width`: the largest centred crop of that aspect ratio, scaled by Catmull-Rom
    /// (bicubic, a = −0.5, its support widened when it shrinks, as in Pillow), clamped to [0, 1].
    /// A picture that already has the size stays as it is.
    pub fn resized(self, height: usize, width: usize) -> Result<Self, DataError> {
        if (self.height, self.width) == (height, width) {
            return Ok(self);
        }
        self.check()?;
        check_shape(self.channels, height, width)?;
        let crop_height = self.height.min((self.width * height).div_ceil(width)).max(1);
        let crop_width = self.width.min((self.height * width).div_ceil(height)).max(1);
        let (top, left) = ((self.height - crop_height) / 2, (self.width - crop_width) / 2);

        let mut pixels = Vec::with_capacity(self.channels * height * width);
        for plane in self.planes() {
            let crop = ImageBuffer::from_fn(crop_width as u32, crop_height as u32, |x, y| {
                Luma([plane[(top + y as usize) * self.width + left + x as usize]])
            });
            let scaled = imageops::resize(&crop, width as u32, height as u32, FilterType::CatmullRom);
            pixels.extend(scaled.into_raw().into_iter().map(|value: f32| value.clamp(0.0, 1.0)));
        }
        Self::new(self.channels, height, width, pixels)
    }

    /// Exactly `height × width` as torchvision's `Resize` and `CenterCrop` make it of a Pillow picture: scaled bilinearly,
    /// its support widened when it shrinks, until it covers that size, then cropped in the middle. A picture that
    /// already has the size stays as it is.
    pub fn covering(self, height: usize, width: usize) -> Result<Self, DataError> {
        if (self.height, self.width) == (height, width) {
            return Ok(self);
        }
        self.check()?;
        check_shape(self.channels, height, width)?;
        // The side that needs the larger factor gets its size, the other one at least its own.
        let (by_height, by_width) = (self.width * height, self.height * width);
        let [tall, wide] = match by_height >= by_width {
            true => [height, (by_height / self.height).max(width)],
            false => [(by_width / self.width).max(height), width],
        };
        // Python rounds halves to even.
        let middle = |have: usize, want: usize| ((have - want) as f64 / 2.0).round_ties_even() as usize;
        let (top, left) = (middle(tall, height), middle(wide, width));
        let mut pixels = Vec::with_capacity(self.channels * height * width);
        for plane in self.planes() {
            let whole = ImageBuffer::from_fn(self.width as u32, self.height as u32, |x, y| {
                Luma([plane[y as usize * self.width + x as usize]])
            });
            let scaled = imageops::resize(&whole, wide as u32, tall as u32, FilterType::Triangle).into_raw();
            for row in scaled.chunks_exact(wide).skip(top).take(height) {
                pixels.extend(row[left..left + width].iter().map(|value: &f32| value.clamp(0.0, 1.0)));
            }
        }
        Self::new(self.channels, height, width, pixels)
    }

    /// As a network's input `[C, H, W]`: channels converted, any other size resized and cropped as torchvision does.
    pub fn as_input(self, [channels, height, width]: [usize; 3]) -> Result<Self, DataError> {
        self.with_channels(channels)?.covering(height, width)
    }

    /// As a network's input `[C, H, W]`: channels converted, a smaller picture padded with zeros, any other size
    /// cropped and resized.
    pub fn fitted(self, [channels, height, width]: [usize; 3]) -> Result<Self, DataError> {
        let picture = self.with_channels(channels)?;
        let smaller = picture.height <= height && picture.width <= width;
        if smaller { picture.padded(height, width) } else { picture.resized(height, width) }
    }
}

pub(super) fn check_shape(channels: usize, height: usize, width: usize) -> Result<(), DataError> {
    if channels != 1 && channels != 3 {
        return Err(DataError::mismatch("channels of a picture", "1 or 3", channels));
    }
    let sides = 1..=LARGEST_SIDE;
    if !sides.contains(&height) || !sides.contains(&width) {
        let expected = format!("sides of 1 to {LARGEST_SIDE} pixels");
        return Err(DataError::mismatch("size of a picture", expected, format!("{height}×{width}")));
    }
    Ok(())
}
