//! Weights in 8 bits with a scale per output channel: a quarter of f32's bytes.
//!
//! A tensor `w` with the axes `(O,…)` is stored as whole numbers `w` (I8) from −127 to 127 and, beside it,
//! `w.scale` (F32, `(O)`): element `i` of channel `o` is `w[o,i] · scale[o]`. Reading puts both together
//! again, so nobody else sees them apart.

use std::collections::BTreeMap;

use super::{NonFloat, Tensor, TensorFileError};

/// What the name of a tensor's scales ends with.
pub(super) const SCALE: &str = ".scale";

/// The largest number; −128 stays unused, so that a weight and its negative are rounded alike.
const LARGEST: f32 = 127.0;

/// Whether a tensor is stored in 8 bits: vectors, such as biases and running statistics, are too short to gain from it.
pub(super) fn suits(tensor: &Tensor) -> bool {
    tensor.shape.len() > 1 && !tensor.data.is_empty()
}

/// `(O)`: the scale of each channel, its largest magnitude over 127. `tensor` must [suit](suits), and be finite.
pub(super) fn scales(tensor: &Tensor) -> Vec<f32> {
    let largest = |row: &[f32]| row.iter().fold(0.0, |most: f32, w| most.max(w.abs()));
    rows(tensor).map(|row| largest(row) / LARGEST).collect()
}

/// The nearest whole numbers, given the scales.
pub(super) fn round<'a>(tensor: &'a Tensor, scales: &'a [f32]) -> impl Iterator<Item = i8> + 'a {
    let rounded = |w: f32, scale: f32| if scale > 0.0 { (w / scale).round() as i8 } else { 0 };
    rows(tensor).zip(scales).flat_map(move |(row, &scale)| row.iter().map(move |&w| rounded(w, scale)))
}

fn rows(tensor: &Tensor) -> std::slice::Chunks<'_, f32> {
    tensor.data.chunks(tensor.data.len() / tensor.shape[0])
}

/// Puts every tensor of 8 bits together with its scales, where the file has them.
///
/// # Errors
/// [`TensorFileError::Shape`] where there is not one scale for each channel.
pub(super) fn join(
    path: &std::path::Path,
    tensors: &mut BTreeMap<String, Tensor>,
    eight_bit: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    aside: &mut BTreeMap<String, NonFloat>,
) -> Result<(), TensorFileError> {
    for (name, (shape, bytes)) in eight_bit {
        let Some(scales) = tensors.remove(&(name.clone() + SCALE)) else {
            aside.insert(name, NonFloat { dtype: "I8".into(), shape });
            continue;
        };
        let expected: Vec<usize> = shape.first().copied().into_iter().collect();
        if expected.is_empty() || scales.shape != expected {
            let (name, found) = (name + SCALE, scales.shape);
            return Err(TensorFileError::Shape { path: path.into(), name, expected, found });
        }
        let width = shape[1..].iter().product::<usize>().max(1);
        let channels = bytes.chunks(width).zip(&scales.data);
        let data = channels.flat_map(|(row, &scale)| row.iter().map(move |&q| f32::from(q as i8) * scale));
        let data = data.collect();
        tensors.insert(name, Tensor { shape, data });
    }
    Ok(())
}
