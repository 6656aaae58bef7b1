//! The numbers of a tensor: raw little-endian bytes, or a list of the tensor's own kind.

use half::{bf16, f16};

use super::proto::{TensorProto, tensor_proto::DataLocation};
use crate::nn::graph::Tensor;

/// Codes of types.
const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
pub(crate) const BOOL: i32 = 9;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

pub(crate) fn is_float(tensor: &TensorProto) -> bool {
    is_float_type(tensor.data_type())
}

pub(crate) fn is_float_type(code: i32) -> bool {
    matches!(code, FLOAT | FLOAT16 | DOUBLE | BFLOAT16)
}

pub(crate) fn is_bool(tensor: &TensorProto) -> bool {
    tensor.data_type() == BOOL
}

pub(crate) fn shape(tensor: &TensorProto) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = tensor.dims.iter().map(|&n| usize::try_from(n).ok()).collect();
    sizes.ok_or_else(|| format!("its shape is {:?}, expected sizes ≥ 0", tensor.dims))
}

/// A parameter or a running statistic.
pub(crate) fn parameter(tensor: &TensorProto, trainable: bool) -> Result<Tensor, String> {
    let data: Vec<f32> = numbers(tensor, |v| v as f32)?;
    Ok(Tensor { name: tensor.name().into(), shape: shape(tensor)?, data: data.into(), trainable })
}

/// Row-major.
///
/// # Errors
/// A type that is not read, numbers in another file, and another count than the shape says; nothing is allocated before.
pub(crate) fn numbers<T>(tensor: &TensorProto, convert: fn(f64) -> T) -> Result<Vec<T>, String> {
    if tensor.data_location() == DataLocation::External {
        let file = tensor.external_data.iter().find(|entry| entry.key() == "location");
        return Err(format!(
            "its numbers are in another file, '{}', which is not read: export the network with external_data=False",
            file.map_or("", |entry| entry.value())
        ));
    }
    if tensor.segment.is_some() {
        return Err("a tensor in segments is not known".into());
    }
    let shape = shape(tensor)?;
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    let found = match &tensor.raw_data {
        Some(raw) => {
            let (width, decode) = decoder(tensor.data_type())?;
            let numbers = raw.len() / width;
            if count != Some(numbers) || raw.len() % width != 0 {
                return Err(format!("its shape is {shape:?}, it has {} bytes of {width} each", raw.len()));
            }
            return Ok(raw.chunks_exact(width).map(|bytes| convert(decode(bytes))).collect());
        }
        None => match tensor.data_type() {
            FLOAT => tensor.float_data.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>(),
            DOUBLE => tensor.double_data.clone(),
            INT64 => tensor.int64_data.iter().map(|&v| v as f64).collect(),
            INT32 | BOOL => tensor.int32_data.iter().map(|&v| f64::from(v)).collect(),
            FLOAT16 => tensor.int32_data.iter().map(|&v| f16::from_bits(v as u16).to_f64()).collect(),
            BFLOAT16 => tensor.int32_data.iter().map(|&v| bf16::from_bits(v as u16).to_f64()).collect(),
            code => return Err(format!("its type (code {code}) is not read")),
        },
    };
    match count == Some(found.len()) {
        true => Ok(found.into_iter().map(convert).collect()),
        false => Err(format!("its shape is {shape:?}, it has {} numbers", found.len())),
    }
}

/// How many bytes a number has, and how it is read.
type Decode = (usize, fn(&[u8]) -> f64);

fn decoder(code: i32) -> Result<Decode, String> {
    fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.try_into().expect("cut to this size")
    }
    Ok(match code {
        FLOAT => (4, |b| f64::from(f32::from_le_bytes(array(b)))),
        DOUBLE => (8, |b| f64::from_le_bytes(array(b))),
        INT32 => (4, |b| f64::from(i32::from_le_bytes(array(b)))),
        INT64 => (8, |b| i64::from_le_bytes(array(b)) as f64),
        BOOL => (1, |b| f64::from(b[0])),
        FLOAT16 => (2, |b| f16::from_le_bytes(array(b)).to_f64()),
        BFLOAT16 => (2, |b| bf16::from_le_bytes(array(b)).to_f64()),
        _ => return Err(format!("its type (code {code}) is not read")),
    })
}
