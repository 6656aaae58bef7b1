//! How many pictures a layer's gradient holds: its rank, if the tensors fit and the batch leaves room.

use super::{
    error::ExactError,
    spear::ReluLayer,
    spectrum::{Entry, Spectrum},
};

/// A singular value that counts is so many times the next one, where that is noise.
const GAP: f64 = 2.0;
/// Relative noise that is more than the rounding of f32.
pub(super) const NOISY: f64 = 1e-4;

/// Tensors that fit and are finite, and a batch that leaves room.
pub(super) fn check<T: Entry>(layer: &ReluLayer<T>, batch: Option<usize>) -> Result<(), ExactError> {
    let [m, n] = layer.shape;
    let tensors = [
        ("weight", Some(layer.weight), m * n),
        ("bias", layer.bias, m),
        ("weight gradient", Some(layer.weight_gradient), m * n),
        ("bias gradient", layer.bias_gradient, m),
    ];
    for (what, values, expected) in tensors {
        let Some(values) = values else { continue };
        let name = || layer.name.to_owned();
        if values.len() != expected {
            return Err(ExactError::Shape { layer: name(), what, expected, found: values.len() });
        }
        if let Some(index) = values.iter().position(|&v| !v.into().is_finite()) {
            return Err(ExactError::NotFinite { layer: name(), what, index, value: values[index].into() });
        }
    }
    check_batch(layer.name, layer.shape, batch)
}

/// Distinct pictures that the gradient holds: its rank.
///
/// # Errors
/// As of [`restore`](super::spear::restore); a rank that fills the layer, or that no gap shows.
pub fn count<T: Entry>(layer: &ReluLayer<T>, seed: u64) -> Result<usize, ExactError> {
    check(layer, None)?;
    let spectrum = Spectrum::of(layer.weight_gradient, layer.shape, None, seed)?;
    let rank = rank(layer, &spectrum, None)?;
    check_batch(layer.name, layer.shape, Some(rank))?;
    // What white noise leaves lies well below; a batch as large as the layer falls on and on.
    match spectrum.singular.get(rank) {
        Some(next) if spectrum.singular[rank - 1] < GAP * next => {
            Err(ExactError::NoGap { layer: layer.name.into(), rank })
        }
        _ => Ok(rank),
    }
}

/// A batch that leaves room in the layer's gradient.
pub fn check_batch(layer: &str, [m, n]: [usize; 2], batch: Option<usize>) -> Result<(), ExactError> {
    let limit = m.min(n);
    match batch {
        Some(0) => Err(ExactError::EmptyBatch),
        Some(batch) if batch >= limit => {
            Err(ExactError::BatchTooLarge { layer: layer.into(), m, n, limit, batch })
        }
        _ => Ok(()),
    }
}

/// The number of pictures to look for.
pub(super) fn rank<T: Entry>(
    layer: &ReluLayer<T>,
    spectrum: &Spectrum,
    batch: Option<usize>,
) -> Result<usize, ExactError> {
    let (layer, rank) = (layer.name.to_owned(), spectrum.rank);
    let largest = spectrum.singular[0];
    if largest == 0.0 {
        return Err(ExactError::Dead { layer });
    }
    match batch {
        Some(batch) if rank > batch => Err(ExactError::RankAbove { layer, rank, batch }),
        Some(batch) if rank < batch && spectrum.relative_noise() > NOISY => {
            let (floor, relative) = (spectrum.floor, spectrum.relative_noise());
            Err(ExactError::Hidden { layer, rank, batch, floor, largest, relative })
        }
        _ => Ok(rank),
    }
}
