//! An index space with as few axes as its views allow: every axis costs a division on the device.

use crate::plan::kernel::{Program, View};

pub(crate) struct Space {
    pub dims: Vec<usize>,
    /// How many leading axes are kept by a reduction; all of them in a map.
    pub outer: usize,
    /// One for each leaf of the program.
    pub views: Vec<View>,
}

impl Space {
    /// Drops axes of size 1 and merges neighbours that every view walks in one stride.
    pub(crate) fn new(dims: &[usize], outer: usize, program: &Program) -> Self {
        let mut space = Space {
            dims: Vec::new(),
            outer: 0,
            views: program
                .leaves
                .iter()
                .map(|leaf| View { offset: leaf.view.offset, strides: Vec::new(), valid: Vec::new() })
                .collect(),
        };
        for (d, &n) in dims.iter().enumerate() {
            let axes: Vec<_> =
                program.leaves.iter().map(|leaf| (leaf.view.strides[d], leaf.view.valid[d])).collect();
            let full = axes.iter().all(|&(_, valid)| valid == [0, n]);
            if n == 1 && full {
                continue;
            }
            // The first reduced axis is not merged into a kept one.
            if full && space.dims.len() > if d < outer { 0 } else { space.outer } && space.continues(n, &axes)
            {
                space.merge(n, &axes);
                continue;
            }
            space.dims.push(n);
            space.outer += usize::from(d < outer);
            for (view, &(stride, valid)) in space.views.iter_mut().zip(&axes) {
                view.strides.push(stride);
                view.valid.push(valid);
            }
        }
        space
    }

    /// True if one step on the last axis is `n` steps on the next, for every view.
    fn continues(&self, n: usize, axes: &[(isize, [usize; 2])]) -> bool {
        let last = self.dims.len() - 1;
        self.views.iter().zip(axes).all(|(view, &(stride, _))| view.strides[last] == stride * n as isize)
    }

    fn merge(&mut self, n: usize, axes: &[(isize, [usize; 2])]) {
        let last = self.dims.len() - 1;
        self.dims[last] *= n;
        for (view, &(stride, _)) in self.views.iter_mut().zip(axes) {
            view.strides[last] = stride;
            view.valid[last] = view.valid[last].map(|bound| bound * n);
        }
    }

    /// Elements kept and elements reduced into each.
    pub(crate) fn lens(&self) -> [usize; 2] {
        [&self.dims[..self.outer], &self.dims[self.outer..]].map(|axes| axes.iter().product())
    }

    /// True if more elements are read contiguously along the last kept axis than along the last reduced one.
    pub(crate) fn runs_along_kept(&self) -> bool {
        let contiguous = |axis: Option<usize>| -> usize {
            let Some(axis) = axis else { return 0 };
            self.views
                .iter()
                .filter(|view| view.strides[axis].abs() == 1)
                .map(|view| self.elements(view))
                .sum()
        };
        let reduced = (self.dims.len() > self.outer).then(|| self.dims.len() - 1);
        contiguous(self.outer.checked_sub(1)) > contiguous(reduced)
    }

    /// Distinct elements that a view reads, roughly: broadcast axes do not count.
    fn elements(&self, view: &View) -> usize {
        self.dims.iter().zip(&view.strides).filter(|&(_, &stride)| stride != 0).map(|(n, _)| n).product()
    }
}
