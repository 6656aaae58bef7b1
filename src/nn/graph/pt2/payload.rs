//! The numbers of tensors: raw little-endian bytes of a storage, and how a tensor lies in it.

use half::{bf16, f16};

use super::schema::{Meta, number};

/// How many bytes a number has, and how it is read.
type Decode = (usize, fn(&[u8]) -> f64);

fn bytes<const N: usize>(from: &[u8]) -> [u8; N] {
    from.try_into().expect("cut to this size")
}

/// By PyTorch's code of a type; `None` for complex numbers, 8-bit floats and what else there is.
fn decoder(dtype: u64) -> Option<Decode> {
    Some(match dtype {
        1 | 12 => (1, |b| f64::from(b[0])),
        2 => (1, |b| f64::from(b[0] as i8)),
        3 => (2, |b| f64::from(i16::from_le_bytes(bytes(b)))),
        4 => (4, |b| f64::from(i32::from_le_bytes(bytes(b)))),
        5 => (8, |b| i64::from_le_bytes(bytes(b)) as f64),
        6 => (2, |b| f16::from_le_bytes(bytes(b)).to_f64()),
        7 => (4, |b| f64::from(f32::from_le_bytes(bytes(b)))),
        8 => (8, |b| f64::from_le_bytes(bytes(b))),
        13 => (2, |b| bf16::from_le_bytes(bytes(b)).to_f64()),
        _ => return None,
    })
}

pub(crate) fn is_float(dtype: u64) -> bool {
    matches!(dtype, 6 | 7 | 8 | 13)
}

/// The numbers of a tensor, row-major, from the bytes of its storage.
///
/// # Errors
/// A type that is not read, or a tensor that reaches past its storage; nothing is allocated before.
pub(crate) fn numbers<T>(meta: &Meta, storage: &[u8], convert: fn(f64) -> T) -> Result<Vec<T>, String> {
    let shape = meta.shape()?;
    let (width, decode) =
        decoder(meta.dtype).ok_or_else(|| format!("its type (code {}) is not read", meta.dtype))?;
    let unread = || "its strides or offset are no numbers ≥ 0".to_string();
    let offset = if meta.storage_offset.is_null() { Some(0) } else { number(&meta.storage_offset) };
    let offset = offset.and_then(|n| usize::try_from(n).ok()).ok_or_else(unread)?;
    let stride = |value| number(value).and_then(|n| usize::try_from(n).ok());
    let strides: Vec<usize> = meta.strides.iter().map(stride).collect::<Option<_>>().ok_or_else(unread)?;
    if strides.len() != shape.len() {
        return Err(format!("{} strides for {} axes", strides.len(), shape.len()));
    }
    if shape.contains(&0) {
        return Ok(vec![]);
    }
    let reach = shape
        .iter()
        .zip(&strides)
        .try_fold(offset, |reach, (n, s)| (n - 1).checked_mul(*s)?.checked_add(reach));
    let held = storage.len() / width;
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    match (reach, count) {
        // A stride of 0 would make much of little.
        (Some(reach), Some(count)) if reach < held && count <= held => {
            let at = |i: usize| decode(&storage[i * width..][..width]);
            Ok(positions(&shape, &strides, offset).map(|i| convert(at(i))).collect())
        }
        _ => Err(format!("its shape {shape:?} reaches past the {held} numbers that its file has")),
    }
}

/// Where each element of a tensor lies, in row-major order.
fn positions<'a>(
    shape: &'a [usize],
    strides: &'a [usize],
    offset: usize,
) -> impl Iterator<Item = usize> + 'a {
    let count = shape.iter().product::<usize>();
    let mut index = vec![0; shape.len()];
    let mut place = offset;
    (0..count).map(move |_| {
        let here = place;
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            place += strides[d];
            if index[d] < shape[d] {
                break;
            }
            place -= strides[d] * shape[d];
            index[d] = 0;
        }
        here
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta(sizes: [usize; 2], strides: [usize; 2]) -> Meta {
        let list = |values: [usize; 2]| values.map(|n| json!({"as_int": n})).to_vec();
        serde_json::from_value(json!({"dtype": 7, "sizes": list(sizes), "strides": list(strides)})).unwrap()
    }

    #[test]
    fn strides_say_where_the_numbers_are_and_may_not_lie() {
        let storage: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let read = |sizes, strides| numbers(&meta(sizes, strides), &storage, |v| v as f32);
        assert_eq!(read([2, 3], [3, 1]).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(read([3, 2], [1, 3]).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        for (sizes, strides) in [([3, 3], [3, 1]), ([1 << 40, 1], [0, 0]), ([usize::MAX >> 1, 2], [1, 1])] {
            assert!(read(sizes, strides).unwrap_err().contains("reaches past"), "{sizes:?}");
        }
    }
}
