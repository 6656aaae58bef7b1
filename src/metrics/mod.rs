//! How well a reconstruction resembles its reference: MSE, PSNR and SSIM of whole batches.
//!
//! The order of pictures inside a batch is not identifiable from its gradient, so every figure comes three
//! times: pictures paired by position, by the best one-to-one assignment, and each reconstruction with
//! whatever reference it resembles most.

pub mod assign;
mod comparison;
mod folders;
pub mod frechet;
pub mod identification;
pub mod lpips;
mod psnr;
mod ssim;
mod tensors;

use rand::RngExt;
use rayon::prelude::*;

use crate::{
    data::{DataError, Picture},
    device::DeviceError,
    random,
    tensor_file::TensorFileError,
};

pub use comparison::{Comparison, Infinite, PerImage, Score};
pub use folders::{
    Embed, FolderComparison, Networks, Pair, PlaceAmongAll, Seen, compare_folders, compare_folders_with,
    read_pictures,
};
pub use psnr::{mse, psnr};
pub use ssim::WINDOW as SSIM_WINDOW;
pub use tensors::{IMAGES, read_tensor_pictures};

/// Why pictures cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Neither side has pictures.
    #[error("there is nothing to compare: no pictures")]
    Empty,
    /// The two sides differ in number.
    #[error("expected as many reconstructions as references ({reference}), found {reconstruction}")]
    Count {
        /// How many references there are.
        reference: usize,
        /// How many reconstructions there are.
        reconstruction: usize,
    },
    /// A picture differs in size, or is too small for the measure.
    #[error("{which}: expected {expected}, found {found}")]
    Picture {
        /// The picture, in words.
        which: String,
        /// What would do.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file of pictures is no good.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file of tensors is no good.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The network that compares cannot be run.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A network that cannot look at these pictures, in words.
    #[error("{0}")]
    Network(String),
}

/// Compares the pictures of one batch. Both slices are as long, all pictures have one shape, and all values are finite;
/// anything else is an error that says which. SSIM is NaN below [`SSIM_WINDOW`] pixels a side, where it is not defined;
/// pictures are then paired by their MSE.
pub fn compare(reference: &[Picture], reconstruction: &[Picture]) -> Result<Comparison, MetricsError> {
    let expected = reference.first().ok_or(MetricsError::Empty)?.shape();
    if reference.len() != reconstruction.len() {
        return Err(MetricsError::Count { reference: reference.len(), reconstruction: reconstruction.len() });
    }
    let check = |role, pictures: &[Picture]| {
        let mut numbered = pictures.iter().enumerate();
        numbered.try_for_each(|(index, picture)| check(picture, expected, || format!("{role} {index}")))
    };
    check("reference", reference)?;
    check("reconstruction", reconstruction)?;
    let count = reference.len();
    let mse_of = |at: usize| psnr::mse(&reconstruction[at / count].pixels, &reference[at % count].pixels);
    if !has_ssim(expected) {
        let mse: Vec<f64> = (0..count * count).into_par_iter().map(mse_of).collect();
        return Ok(Comparison::new(count, &mse, None));
    }

    let moments = |pictures: &[Picture]| pictures.par_iter().map(ssim::Moments::new).collect();
    let (reference_moments, reconstruction_moments): (Vec<_>, Vec<_>) =
        (moments(reference), moments(reconstruction));
    // Row i, column j: reconstruction i beside reference j.
    let pair = |at: usize| {
        let (row, column) = (at / count, at % count);
        (mse_of(at), ssim::mean_ssim(&reconstruction_moments[row], &reference_moments[column]))
    };
    let (mse, ssim): (Vec<f64>, Vec<f64>) = (0..count * count).into_par_iter().map(pair).unzip();
    Ok(Comparison::new(count, &mse, Some(&ssim)))
}

/// Whether SSIM is defined for pictures `[C, H, W]`.
pub fn has_ssim([_, height, width]: [usize; 3]) -> bool {
    height.min(width) >= SSIM_WINDOW
}

/// SSIM of every pair, `(rows, columns)`. All pictures have one shape with sides of at least [`SSIM_WINDOW`] pixels.
pub fn ssim_table(rows: &[Picture], columns: &[Picture]) -> Result<Vec<f64>, MetricsError> {
    let expected = rows.first().ok_or(MetricsError::Empty)?.shape();
    let mut all = rows.iter().chain(columns).enumerate();
    all.try_for_each(|(i, picture)| check(picture, expected, || format!("picture {i}")))?;
    if !has_ssim(expected) {
        let [channels, height, width] = expected;
        return Err(MetricsError::Picture {
            which: "SSIM".into(),
            expected: format!("sides of at least {SSIM_WINDOW} pixels"),
            found: format!("{channels}×{height}×{width} (C×H×W)"),
        });
    }
    let moments = |pictures: &[Picture]| pictures.par_iter().map(ssim::Moments::new).collect::<Vec<_>>();
    let (rows, columns) = (moments(rows), moments(columns));
    let width = columns.len();
    let pair = |at: usize| ssim::mean_ssim(&rows[at / width], &columns[at % width]);
    Ok((0..rows.len() * width).into_par_iter().map(pair).collect())
}

/// The floor under every reconstruction: what a flat grey picture (0.5) scores against `reference`.
pub fn flat_grey_floor(reference: &[Picture]) -> Result<Comparison, MetricsError> {
    let grey = |picture: &Picture| Picture::flat(picture.channels, picture.height, picture.width, 0.5);
    compare(reference, &reference.iter().map(grey).collect::<Result<Vec<_>, _>>()?)
}

/// Uniform noise of the same shape: a floor.
pub fn noise_like(pictures: &[Picture], seed: u64) -> Vec<Picture> {
    let mut generator = random::generator(seed, "noise floor");
    let noise = |p: &Picture| {
        let pixels = (0..p.pixels.len()).map(|_| generator.random()).collect();
        Picture { pixels, ..p.clone() }
    };
    pictures.iter().map(noise).collect()
}

fn check(picture: &Picture, shape: [usize; 3], which: impl Fn() -> String) -> Result<(), MetricsError> {
    picture.check()?;
    let show = |[channels, height, width]: [usize; 3]| format!("{channels}×{height}×{width} (C×H×W)");
    let fail = |expected, found| Err(MetricsError::Picture { which: which(), expected, found });
    if picture.shape() != shape {
        return fail(show(shape), show(picture.shape()));
    }
    match picture.pixels.iter().find(|value| !value.is_finite()) {
        Some(value) => fail("finite pixels".to_owned(), value.to_string()),
        None => Ok(()),
    }
}
