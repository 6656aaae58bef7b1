//! Index spaces and the leaves that are read over them.

use super::transpose::transpose;
use crate::{
    device::cpu::vectors::{Isa, Real},
    plan::kernel::{Leaf, Source, View},
};

/// Axes that an index space may have after merging.
pub(crate) const MAX_RANK: usize = 16;
/// Blocks that are shorter cost more than copying.
const SHORTEST_BLOCK: usize = 128;
/// Bytes of the first-level cache, and registers of a program that are in use at once.
const FIRST_LEVEL: usize = 1 << 15;
const KEPT: usize = 3;

/// The points of a fused kernel in row-major order, with as few axes as its leaves allow.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub dims: Vec<usize>,
    pub leaves: Vec<SpaceLeaf>,
}

/// A leaf over the merged axes.
#[derive(Clone, Debug)]
pub(crate) struct SpaceLeaf {
    pub source: Source,
    offset: isize,
    strides: Vec<isize>,
    valid: Vec<[usize; 2]>,
    /// Zero everywhere: no coordinate of some axis is valid.
    empty: bool,
    access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// One value everywhere.
    Uniform,
    /// Element `i` of the space is element `offset + i` of the buffer.
    Identity,
    /// As [`Access::Identity`] along the last axis.
    Rows,
    General,
}

impl Space {
    /// `order[i]` is the axis of `dims` that becomes axis `i`.
    pub(crate) fn new(dims: &[usize], leaves: &[Leaf], order: &[usize]) -> Result<Self, String> {
        let kept: Vec<usize> = order.iter().copied().filter(|&d| dims[d] != 1).collect();
        let mut space = Space {
            dims: kept.iter().map(|&d| dims[d]).collect(),
            leaves: leaves.iter().map(|leaf| SpaceLeaf::new(leaf, &kept)).collect(),
        };
        for d in (1..space.dims.len()).rev() {
            if space.leaves.iter().all(|leaf| leaf.merges(&space.dims, d)) {
                let inner = space.dims.remove(d);
                space.dims[d - 1] *= inner;
                for leaf in &mut space.leaves {
                    leaf.merge(inner, d);
                }
            }
        }
        for leaf in &mut space.leaves {
            leaf.access = leaf.classify(&space.dims);
        }
        if space.dims.len() > MAX_RANK {
            return Err(format!("{} axes that do not merge, more than {MAX_RANK}", space.dims.len()));
        }
        Ok(space)
    }

    /// How well the leaves can be read in runs: the lengths of the runs, up to a cache line's worth. Leaves that repeat
    /// along some axis are small beside the others, and do not count: so the answer is the same whether or not trials share
    /// them.
    pub(crate) fn contiguity(&self) -> usize {
        let run = self.dims.last().map_or(1, |&n| n.min(64));
        let runs = |leaf: &SpaceLeaf| match leaf.strides.last() {
            Some(1) | None => run,
            Some(_) => 1,
        };
        self.leaves.iter().filter(|leaf| !leaf.strides.contains(&0)).map(runs).sum()
    }

    /// Loads points `start..start + to.len()` of leaf `index`. `data`: its buffer, none for
    /// [`Source::Ones`].
    pub(crate) fn load<R: Real>(&self, index: usize, data: Option<&[R]>, start: usize, to: &mut [R]) {
        let leaf = &self.leaves[index];
        match (leaf.access, data) {
            (Access::Uniform, _) => to.fill(leaf.uniform(data).expect("a uniform leaf")),
            (Access::Identity, Some(data)) => {
                to.copy_from_slice(&data[leaf.offset as usize + start..][..to.len()])
            }
            _ => self.load_rows(leaf, data, start, to),
        }
    }

    /// True if the points of every block are stored side by side, so that [`Space::direct`] may be used. `rows`: the length
    /// of blocks that cut rows into equal parts; none if they may start anywhere.
    pub(crate) fn is_direct(&self, index: usize, rows: Option<usize>) -> bool {
        match self.leaves[index].access {
            Access::Identity => true,
            Access::Rows => self.dims.last().zip(rows).is_some_and(|(row, len)| row.is_multiple_of(len)),
            Access::Uniform | Access::General => false,
        }
    }

    /// True if all points of every block have one value of this leaf, where blocks of `len` cut rows into equal parts.
    pub(crate) fn is_same_along_rows(&self, index: usize, len: usize) -> bool {
        let leaf = &self.leaves[index];
        let last = leaf.strides.last().zip(leaf.valid.last()).zip(self.dims.last());
        leaf.source != Source::Output
            && last.is_some_and(|((&stride, &valid), &row)| {
                row.is_multiple_of(len) && stride == 0 && valid == [0, row]
            })
    }

    /// The axis along which leaf `index` lies side by side, where that is not the last one and no point is outside of it.
    pub(crate) fn turned(&self, index: usize) -> Option<usize> {
        let leaf = &self.leaves[index];
        let full = leaf.valid.iter().zip(&self.dims).all(|(valid, &n)| *valid == [0, n]);
        let apart = leaf.strides.last().is_some_and(|&stride| stride > 1);
        let stored = matches!(leaf.source, Source::Read(_)) && leaf.access == Access::General;
        if !(stored && full && apart && leaf.strides.iter().all(|&stride| stride >= 0)) {
            return None;
        }
        leaf.strides.iter().position(|&stride| stride == 1)
    }

    /// Copies `sizes` points along `axis` and along the last axis, from point `at` on, of a leaf that is [`Space::turned`]: rows
    /// of the last axis, `row` elements apart.
    pub(crate) fn turn<R: Real>(
        &self,
        isa: Isa,
        index: usize,
        data: &[R],
        at: &[usize],
        [rows, cols]: [usize; 2],
        (to, row): (&mut [R], usize),
    ) {
        let leaf = &self.leaves[index];
        let from = leaf.offset
            + at.iter().zip(&leaf.strides).map(|(&c, &stride)| c as isize * stride).sum::<isize>();
        let stride = *leaf.strides.last().expect("a last axis") as usize;
        transpose(isa, &data[from as usize..], stride, [cols, rows], to, row);
    }

    /// The buffer's own elements for points `start..start + len`.
    pub(crate) fn direct<'a, R: Real>(
        &self,
        index: usize,
        data: &'a [R],
        start: usize,
        len: usize,
    ) -> &'a [R] {
        let leaf = &self.leaves[index];
        let from = match leaf.access {
            Access::Rows => {
                let mut rest = start;
                let mut from = leaf.offset;
                for (&n, &stride) in self.dims.iter().zip(&leaf.strides).rev() {
                    from += (rest % n) as isize * stride;
                    rest /= n;
                }
                from as usize
            }
            _ => leaf.offset as usize + start,
        };
        &data[from..][..len]
    }

    /// Points that are best evaluated together: at most `most`, fewer where that makes blocks of whole rows, whose elements
    /// need not be copied, and of which `most` is a multiple.
    pub(crate) fn block(&self, most: usize) -> usize {
        match self.dims.last() {
            Some(&row) if row < most && most.is_multiple_of(row) && row >= SHORTEST_BLOCK => row,
            _ => most,
        }
    }

    /// Points, at most `most`, of which all that is read, written and kept, and what is asked for of the next ones, stays in the
    /// first-level cache; rows or equal parts of them where that makes no blocks that are too short.
    pub(crate) fn cached_block<R>(&self, most: usize) -> usize {
        let streams = 1 + self.leaves.iter().filter(|leaf| !leaf.is_uniform()).count();
        let fits = FIRST_LEVEL / size_of::<R>() / (2 * streams + KEPT);
        let most = (1 << fits.max(SHORTEST_BLOCK).ilog2()).min(most);
        let row = self.dims.last().copied().unwrap_or(1);
        let fewest = row.div_ceil(most).max(1);
        let equal = (fewest..=2 * fewest).find(|&parts| row.is_multiple_of(parts));
        equal.map(|parts| row / parts).filter(|&block| block >= SHORTEST_BLOCK).unwrap_or(most)
    }

    fn load_rows<R: Real>(&self, leaf: &SpaceLeaf, data: Option<&[R]>, start: usize, mut to: &mut [R]) {
        let last = self.dims.len() - 1;
        let mut at = [0; MAX_RANK];
        let mut rest = start;
        for d in (0..=last).rev() {
            at[d] = rest % self.dims[d];
            rest /= self.dims[d];
        }
        while !to.is_empty() {
            // Whole rows along the axis before, or a part of one.
            let row = self.dims[last];
            let rows = match last {
                1.. if at[last] == 0 => (to.len() / row).min(self.dims[last - 1] - at[last - 1]).max(1),
                _ => 1,
            };
            let len = if rows > 1 { rows * row } else { to.len().min(row - at[last]) };
            let (now, next) = to.split_at_mut(len);
            leaf.load_rows(data, &at[..=last], rows, now);
            to = next;
            at[last] = 0;
            let mut step = rows;
            for d in (0..last).rev() {
                at[d] += step;
                if at[d] < self.dims[d] {
                    break;
                }
                (at[d], step) = (0, 1);
            }
        }
    }
}

fn row_major(dims: &[usize]) -> Vec<isize> {
    (0..dims.len()).map(|d| dims[d + 1..].iter().product::<usize>() as isize).collect()
}

impl SpaceLeaf {
    fn new(leaf: &Leaf, kept: &[usize]) -> Self {
        let View { offset, strides, valid } = &leaf.view;
        let empty = valid.iter().any(|v| v[0] >= v[1]);
        SpaceLeaf {
            source: leaf.source,
            offset: *offset,
            strides: kept.iter().map(|&d| strides[d]).collect(),
            valid: kept.iter().map(|&d| valid[d]).collect(),
            empty,
            access: Access::General,
        }
    }

    fn merges(&self, dims: &[usize], d: usize) -> bool {
        self.empty
            || (self.valid[d] == [0, dims[d]] && self.strides[d - 1] == self.strides[d] * dims[d] as isize)
    }

    fn merge(&mut self, inner: usize, d: usize) {
        self.strides.remove(d - 1);
        self.valid.remove(d);
        self.valid[d - 1] = self.valid[d - 1].map(|edge| edge * inner);
    }

    fn classify(&self, dims: &[usize]) -> Access {
        if self.source == Source::Output {
            return Access::General;
        }
        let full = self.valid.iter().zip(dims).all(|(v, &n)| *v == [0, n]);
        if self.empty || (full && (self.source == Source::Ones || self.strides.iter().all(|&s| s == 0))) {
            Access::Uniform
        } else if full && self.source != Source::Ones && self.strides == row_major(dims) {
            Access::Identity
        } else if full && self.source != Source::Ones && self.strides.last() == Some(&1) {
            Access::Rows
        } else {
            Access::General
        }
    }

    /// The elements of points `start..start + len`, if all points are stored in order; else none.
    pub(crate) fn run<'a, R>(&self, data: &'a [R], start: usize, len: usize) -> &'a [R] {
        match self.access {
            Access::Identity => &data[self.offset as usize + start..][..len],
            _ => &[],
        }
    }

    /// Its buffer; none for ones and for what is written.
    pub(crate) fn data<'a, R>(&self, reads: &[&'a [R]]) -> Option<&'a [R]> {
        match self.source {
            Source::Read(i) => Some(reads[i]),
            Source::Ones | Source::Output => None,
        }
    }

    pub(crate) fn is_uniform(&self) -> bool {
        self.access == Access::Uniform
    }

    /// The value of a leaf that is the same everywhere.
    pub(crate) fn uniform<R: Real>(&self, data: Option<&[R]>) -> Option<R> {
        match (self.access, data) {
            (Access::Uniform, _) if self.empty => Some(R::zero()),
            (Access::Uniform, None) => Some(R::one()),
            (Access::Uniform, Some(data)) => Some(data[self.offset as usize]),
            _ => None,
        }
    }

    /// Loads `rows` runs along the last axis, of which the first starts at coordinates `at` and the others are next to it along
    /// the axis before.
    fn load_rows<R: Real>(&self, data: Option<&[R]>, at: &[usize], rows: usize, to: &mut [R]) {
        let (last, len) = (at.len() - 1, to.len() / rows);
        let outer = last.saturating_sub(1);
        if !at[..outer].iter().zip(&self.valid).all(|(&c, v)| (v[0]..v[1]).contains(&c)) {
            return to.fill(R::zero());
        }
        // What of them is valid.
        let clip = |d: usize, len: usize| {
            let from = self.valid[d][0].saturating_sub(at[d]).min(len);
            from..self.valid[d][1].saturating_sub(at[d]).clamp(from, len)
        };
        let cols = clip(last, len);
        let (rows, row_stride) = match last {
            0 => (0..1, 0),
            _ => (clip(outer, rows), self.strides[outer]),
        };
        to[..rows.start * len].fill(R::zero());
        to[rows.end * len..].fill(R::zero());
        let stride = self.strides[last];
        let origin: isize = at.iter().zip(&self.strides).map(|(&c, &s)| c as isize * s).sum();
        let mut first =
            self.offset + origin + rows.start as isize * row_stride + cols.start as isize * stride;
        for row in to[rows.start * len..rows.end * len].chunks_exact_mut(len) {
            row[..cols.start].fill(R::zero());
            row[cols.end..].fill(R::zero());
            let row = &mut row[cols.clone()];
            match (data, stride) {
                _ if row.is_empty() => {}
                (None, _) => row.fill(R::one()),
                (Some(data), 0) => row.fill(data[first as usize]),
                (Some(data), 1) => row.copy_from_slice(&data[first as usize..][..row.len()]),
                (Some(data), _) => {
                    let mut address = first;
                    for value in row {
                        *value = data[address as usize];
                        address += stride;
                    }
                }
            }
            first += row_stride;
        }
    }
}
