//! Where the windows of a pooling operation lie.

use std::ops::Range;

use crate::{plan::kernel::WindowKernel, tape::spec::WindowSpec};

/// The part of a window that lies in the input.
pub struct Window {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    spec: WindowSpec,
    /// The output position that the window belongs to.
    at: [usize; 2],
}

impl Window {
    pub fn new(spec: &WindowSpec, oy: usize, ox: usize) -> Self {
        let range = |axis: usize, o: usize| {
            let from = o * spec.stride[axis];
            let end = (from + spec.kernel[axis]).saturating_sub(spec.padding[axis]).min(spec.size[axis]);
            from.saturating_sub(spec.padding[axis]).min(end)..end
        };
        Window { rows: range(0, oy), cols: range(1, ox), spec: *spec, at: [oy, ox] }
    }

    /// Position of input element `(y, x)` in the window, row-major.
    pub fn index(&self, y: usize, x: usize) -> usize {
        let within =
            |axis: usize, i: usize| i + self.spec.padding[axis] - self.at[axis] * self.spec.stride[axis];
        within(0, y) * self.spec.kernel[1] + within(1, x)
    }

    /// The element of a plane `(H,W)` at position `index`; none in the padding or outside the window.
    pub fn element(&self, index: f64) -> Option<usize> {
        let WindowSpec { kernel, stride, padding, size } = &self.spec;
        if !(index >= 0.0 && index < (kernel[0] * kernel[1]) as f64) {
            return None;
        }
        let index = index as usize;
        let y = (self.at[0] * stride[0] + index / kernel[1]).checked_sub(padding[0])?;
        let x = (self.at[1] * stride[1] + index % kernel[1]).checked_sub(padding[1])?;
        (y < size[0] && x < size[1]).then_some(y * size[1] + x)
    }
}

/// Every output position of a plane, in order, with its window.
pub fn windows(spec: &WindowSpec) -> impl Iterator<Item = Window> {
    let [oh, ow] = spec.output_size();
    (0..oh).flat_map(move |oy| (0..ow).map(move |ox| Window::new(spec, oy, ox)))
}

/// Elements of the input and the output of all planes.
pub fn lens(kernel: &WindowKernel) -> [usize; 2] {
    let [oh, ow] = kernel.spec.output_size();
    [kernel.planes * kernel.spec.size[0] * kernel.spec.size[1], kernel.planes * oh * ow]
}
