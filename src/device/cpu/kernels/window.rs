//! Where the windows of a pooling operation lie.

use std::ops::Range;

use crate::{
    device::cpu::{
        memory::workers::Workers,
        vectors::{Isa, Real},
    },
    plan::kernel::WindowKernel,
    tape::spec::WindowSpec,
};

/// One window of a plane `(H,W)`.
pub(crate) struct Window<'a> {
    spec: &'a WindowSpec,
    /// Coordinates of its first element, in the padding where negative.
    origin: [isize; 2],
}

impl Window<'_> {
    /// The rows that lie in the input.
    #[inline]
    pub(crate) fn rows(&self) -> Range<usize> {
        self.inside(0)
    }

    /// The columns that lie in the input.
    #[inline]
    pub(crate) fn cols(&self) -> Range<usize> {
        self.inside(1)
    }

    #[inline]
    fn inside(&self, axis: usize) -> Range<usize> {
        let (from, size) = (self.origin[axis], self.spec.size[axis]);
        let end = (from + self.spec.kernel[axis] as isize).clamp(0, size as isize) as usize;
        (from.max(0) as usize).min(end)..end
    }

    /// Position of input element `(y, x)` in the window, row-major.
    #[inline]
    pub(crate) fn index(&self, y: usize, x: usize) -> usize {
        let within = |axis: usize, i: usize| (i as isize - self.origin[axis]) as usize;
        within(0, y) * self.spec.kernel[1] + within(1, x)
    }

    /// The element of a plane at position `index`; none in the padding or outside the window.
    #[inline]
    pub(crate) fn element(&self, index: f64) -> Option<usize> {
        let WindowSpec { kernel, size, .. } = self.spec;
        if !(index >= 0.0 && index < (kernel[0] * kernel[1]) as f64) {
            return None;
        }
        // Half the width divides in a third of the time.
        let (index, width) = (index as u32, kernel[1] as u32);
        // Negative coordinates become too large.
        let y = (self.origin[0] + (index / width) as isize) as usize;
        let x = (self.origin[1] + (index % width) as isize) as usize;
        (y < size[0] && x < size[1]).then(|| y * size[1] + x)
    }
}

/// Calls `body(output position, window)` for every window of a plane, in order.
#[inline]
pub(crate) fn for_each_window(spec: &WindowSpec, mut body: impl FnMut(usize, Window)) {
    let [oh, ow] = spec.output_size();
    let start = |axis: usize, o: usize| (o * spec.stride[axis]) as isize - spec.padding[axis] as isize;
    for oy in 0..oh {
        let y = start(0, oy);
        for ox in 0..ow {
            body(oy * ow + ox, Window { spec, origin: [y, start(1, ox)] });
        }
    }
}

/// Calls `body(row of the input, row of the output)` for every row of a plane whose windows are single elements of the input, a
/// stride of the input's row apart; false where they are not.
#[inline]
pub(crate) fn for_each_row_of_points(
    spec: &WindowSpec,
    mut body: impl FnMut(Range<usize>, Range<usize>),
) -> bool {
    let ([oh, ow], width) = (spec.output_size(), spec.size[1]);
    let is_points = spec.kernel == [1, 1] && spec.padding == [0, 0];
    for oy in 0..if is_points { oh } else { 0 } {
        let start = oy * spec.stride[0] * width;
        body(start..start + width, oy * ow..(oy + 1) * ow);
    }
    is_points
}

/// Elements of a task's planes at least: enough to hide the cost of taking it.
const TASK: usize = 8192;

/// Calls `body(planes, their part of out)` for groups of planes, `len` elements of `out` a plane.
pub(crate) fn for_planes<R: Real>(
    out: &mut [R],
    len: usize,
    work: usize,
    workers: &mut Workers<R>,
    body: impl Fn(Range<usize>, &mut [R]) + Sync,
) {
    let group = (TASK / len.max(1)).max(1);
    workers.for_each(out, group * len, work, |_, task, out| {
        let first = task * group;
        body(first..first + out.len() / len, out);
    });
}

/// The instruction set for rows of windows: none so wide that a row does not fill a vector.
pub(crate) fn isa<R: Real>(spec: &WindowSpec, workers: &Workers<R>) -> Isa {
    workers.isa().fitting::<R>(spec.output_size()[1].max(8))
}

/// Elements of the input and the output of all planes.
pub(crate) fn lens(kernel: &WindowKernel) -> [usize; 2] {
    let [oh, ow] = kernel.spec.output_size();
    [kernel.planes * kernel.spec.size[0] * kernel.spec.size[1], kernel.planes * oh * ow]
}
