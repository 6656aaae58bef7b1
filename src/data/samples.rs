//! Forty Fashion-MNIST pictures inside the program, so that it can be tried without a download.
//! Origin, picks and licence: `samples/README.md`.

use std::path::Path;

use flate2::bufread::GzDecoder;

use super::{Dataset, idx};

/// What the data set of [`samples`] is called.
pub const SAMPLES: &str = "fashion-mnist samples";

const IMAGES: &[u8] = include_bytes!("../../samples/fashion-samples-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../samples/fashion-samples-labels-idx1-ubyte.gz");

/// Four pictures of each of Fashion-MNIST's ten classes, classes taking turns from the pullover on, as 3×32×32.
pub fn samples() -> Dataset {
    let images = (Path::new("embedded images"), GzDecoder::new(IMAGES));
    let labels = (Path::new("embedded labels"), GzDecoder::new(LABELS));
    let names = Some(idx::FASHION_NAMES.map(String::from).to_vec());
    let samples = idx::parse(Path::new(SAMPLES), images, labels, names, 0);
    samples.expect("the embedded files are part of the program").framed(3, 32, 32)
}
