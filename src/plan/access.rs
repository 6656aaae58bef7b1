//! How the coordinates of a fused kernel's index space map onto the tensors it reads.
//!
//! Shape operations cost nothing when they can be written as affine maps of coordinates: a fused
//! expression then reads straight through slices, flips, broadcasts, transposes and most reshapes.

use super::kernel::View;
use crate::tape::op::Op;

/// One coordinate of a tensor: `offset + Σ factor · c[dim]` over the coordinates `c` of the index space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Coordinate {
    pub offset: isize,
    pub terms: Vec<(usize, isize)>,
}

/// A tensor seen from an index space: one [`Coordinate`] per axis, valid inside a box.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Access {
    pub coordinates: Vec<Coordinate>,
    /// Half-open interval of each index coordinate outside which the tensor reads as 0.
    pub valid: Vec<[usize; 2]>,
}

/// Why an access cannot be passed on through a shape operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It can if this dimension of the index space is cut into `(len / inner, inner)`.
    Split { dim: usize, inner: usize },
    /// It cannot: the tensor must be stored.
    Opaque,
}

impl Access {
    /// What the operand of a shape operation sees, given what its result sees.
    pub(crate) fn through(&self, op: &Op, from: &[usize], to: &[usize]) -> Result<Access, Obstacle> {
        let mut access = self.clone();
        match op {
            Op::Reshape => access.coordinates = self.reshaped(from, to)?,
            Op::Permute(axes) => {
                for (d, &a) in axes.iter().enumerate() {
                    access.coordinates[a] = self.coordinates[d].clone();
                }
            }
            Op::Broadcast => {
                for d in (0..from.len()).filter(|&d| from[d] != to[d]) {
                    access.coordinates[d] = Coordinate { offset: 0, terms: vec![] };
                }
            }
            Op::Slice(start) => {
                for (c, &s) in access.coordinates.iter_mut().zip(start) {
                    c.offset += s as isize;
                }
            }
            Op::Flip(marks) => {
                for (d, c) in access.coordinates.iter_mut().enumerate().filter(|(d, _)| marks[*d]) {
                    c.offset = from[d] as isize - 1 - c.offset;
                    c.terms.iter_mut().for_each(|t| t.1 = -t.1);
                }
            }
            Op::Pad(before) => {
                for (d, c) in access.coordinates.iter_mut().enumerate() {
                    c.offset -= before[d] as isize;
                    if from[d] != to[d] {
                        restrict(&mut access.valid, c, from[d])?;
                    }
                }
            }
            other => unreachable!("{other:?} is not a shape operation"),
        }
        Ok(access)
    }

    /// The address of the element in a row-major tensor of this shape.
    pub(crate) fn view(&self, shape: &[usize]) -> View {
        let linear = self.linear(shape);
        let mut strides = vec![0; self.valid.len()];
        linear.terms.iter().for_each(|&(d, factor)| strides[d] += factor);
        View { offset: linear.offset, strides, valid: self.valid.clone() }
    }

    fn linear(&self, shape: &[usize]) -> Coordinate {
        let mut sum = Coordinate { offset: 0, terms: vec![] };
        let mut stride = 1isize;
        for (coordinate, &n) in self.coordinates.iter().zip(shape).rev() {
            if n != 1 {
                sum.offset += coordinate.offset * stride;
                sum.terms.extend(coordinate.terms.iter().map(|&(d, f)| (d, f * stride)));
            }
            stride *= n as isize;
        }
        sum
    }

    /// Coordinates in a tensor of shape `from` whose row-major order is that of shape `to`.
    fn reshaped(&self, from: &[usize], to: &[usize]) -> Result<Vec<Coordinate>, Obstacle> {
        let mut rest = self.linear(to);
        let mut stride = from.iter().product::<usize>() as isize;
        let mut coordinates = Vec::with_capacity(from.len());
        for &n in from {
            stride /= n.max(1) as isize;
            let mut axis = Coordinate { offset: 0, terms: vec![] };
            if n != 1 {
                let (whole, part): (Vec<_>, Vec<_>) =
                    rest.terms.into_iter().partition(|&(_, f)| f % stride == 0);
                axis.terms = whole.into_iter().map(|(d, f)| (d, f / stride)).collect();
                axis.offset = rest.offset.div_euclid(stride);
                rest = Coordinate { offset: rest.offset.rem_euclid(stride), terms: part };
                self.check(&axis, n as isize, stride, &rest)?;
            }
            coordinates.push(axis);
        }
        Ok(coordinates)
    }

    /// `axis` must stay in `[0, n)` and `rest` in `[0, stride)` over all valid coordinates.
    fn check(&self, axis: &Coordinate, n: isize, stride: isize, rest: &Coordinate) -> Result<(), Obstacle> {
        let (low, high) = self.range(axis);
        let (rest_low, rest_high) = self.range(rest);
        if low >= 0 && high < n && rest_low >= 0 && rest_high < stride {
            return Ok(());
        }
        for &(dim, factor) in &rest.terms {
            let [start, end] = self.valid[dim].map(|bound| bound as isize);
            let inner = stride / factor.max(1);
            let splits = factor > 0 && stride % factor == 0 && start == 0 && end > inner && end % inner == 0;
            if splits {
                return Err(Obstacle::Split { dim, inner: inner as usize });
            }
        }
        Err(Obstacle::Opaque)
    }

    fn range(&self, c: &Coordinate) -> (isize, isize) {
        c.terms.iter().fold((c.offset, c.offset), |(low, high), &(d, f)| {
            let [start, end] = self.valid[d];
            let (a, b) = (f * start as isize, f * (end as isize - 1));
            (low + a.min(b), high + a.max(b))
        })
    }
}

/// Narrows `valid` to where `0 ≤ c < len`.
fn restrict(valid: &mut [[usize; 2]], c: &Coordinate, len: usize) -> Result<(), Obstacle> {
    let &[(dim, factor)] = c.terms.as_slice() else { return Err(Obstacle::Opaque) };
    let (offset, len) = (c.offset, len as isize);
    let (low, high) = match factor {
        1 => (-offset, len - offset),
        -1 => (offset - len + 1, offset + 1),
        _ => return Err(Obstacle::Opaque),
    };
    let [start, end] = valid[dim];
    let start = low.clamp(start as isize, end as isize);
    let end = high.clamp(start, end as isize);
    valid[dim] = [start as usize, end as usize];
    Ok(())
}
