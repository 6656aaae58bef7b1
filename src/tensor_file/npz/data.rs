//! The data of an `.npy` array, as row-major f32.

use std::io::Read;

use super::{MemberError, content, header::Header};
use crate::tensor_file::read::Decode;

/// A multiple of every float's width.
const CHUNK: usize = 1 << 16;

/// `from` is at the first byte of data. The caller has checked that there is enough memory for the elements,
/// where the system says how much there is; row-major data takes it only as it arrives.
pub(super) fn read(from: &mut impl Read, header: &Header, decode: Decode) -> Result<Vec<f32>, MemberError> {
    let width = header.dtype.bitsize() / 8;
    let mut data = Vec::new();
    data.try_reserve_exact(header.elements).map_err(|_| MemberError::Memory { elements: header.elements })?;
    let mut places = header.fortran.then(|| Places::new(header));
    if header.fortran {
        data.resize(header.elements, 0.0);
    }
    let mut done = 0;
    let mut buffer = vec![0; CHUNK.min(header.elements.saturating_mul(width))];
    while done < header.elements {
        let count = (header.elements - done).min(CHUNK / width);
        let bytes = &mut buffer[..count * width];
        from.read_exact(bytes).map_err(|cause| content(&cause))?;
        if header.big_endian {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        let values = decode(bytes);
        match &mut places {
            Some(places) => values.into_iter().for_each(|value| data[places.next()] = value),
            None => data.extend(values),
        }
        done += count;
    }
    Ok(data)
}

/// Where the elements of a Fortran-ordered array go, one after the other.
struct Places {
    /// Size and row-major stride of each axis; the first varies fastest.
    axes: Vec<(usize, usize)>,
    at: Vec<usize>,
    place: usize,
}

impl Places {
    fn new(header: &Header) -> Places {
        let mut stride = 1usize;
        let mut axes: Vec<_> = header
            .shape
            .iter()
            .rev()
            .map(|&size| {
                let axis = (size, stride);
                // An array with an axis of size 0 has no places.
                stride = stride.saturating_mul(size);
                axis
            })
            .collect();
        axes.reverse();
        Places { at: vec![0; axes.len()], axes, place: 0 }
    }

    fn next(&mut self) -> usize {
        let place = self.place;
        for (at, &(size, stride)) in self.at.iter_mut().zip(&self.axes) {
            *at += 1;
            self.place += stride;
            if *at < size {
                break;
            }
            self.place -= size * stride;
            *at = 0;
        }
        place
    }
}
