//! What [`super::direct`] adds up: which elements of a padded image go into which results.

use super::plain::is_small_stride;
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// Neighbouring results that fit a vector and lie side by side in a row; none where rows are too short.
pub(crate) fn lanes(row: usize) -> Option<usize> {
    [16, 8].into_iter().find(|&lanes| row > 0 && row.is_multiple_of(lanes))
}

/// A convolution of stride 1 or 2, or its gradient by x.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Channels, height and width of an image as it is stored.
    pub image: [usize; 3],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Height and width of a padded image.
    pub size: [usize; 2],
    /// 2 where rows and columns of one parity lie together, in four planes for each of a padded image; else 1.
    pub split: usize,
    /// Results come in cells of this side, whose places are computed apart.
    pub cell: usize,
    /// Rows and columns of cells.
    pub positions: [usize; 2],
    /// Planes of the result.
    pub outputs: usize,
    /// The taps of each place in a cell.
    pub places: Vec<Vec<Tap>>,
}

/// An element that a result adds up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    /// Where it lies in a channel of a padded image, from the result's position on.
    pub offset: usize,
    /// The kernel's element that it is multiplied by.
    pub kernel: [usize; 2],
}

impl Form {
    /// The convolution's. `None` where it has none.
    pub(crate) fn new(spec: &ConvSpec) -> Option<Form> {
        let [oh, ow] = is_small_stride(spec).then(|| spec.output_size())?;
        let ConvSpec { channels, size, kernel, padding, .. } = *spec;
        let split = spec.stride[0];
        let reach = [0, 1].map(|d| split * ([oh, ow][d] - 1) + kernel[d]);
        let mut form = Form {
            image: [channels, size[0], size[1]],
            before: padding,
            // What the last positions do not reach is stored all the same.
            size: [0, 1].map(|d| reach[d].max(size[d] + padding[d]).next_multiple_of(split)),
            split,
            cell: 1,
            positions: [oh, ow],
            outputs: spec.outputs,
            places: Vec::new(),
        };
        let taps = (0..kernel[0] * kernel[1]).map(|tap| {
            let [ky, kx] = [tap / kernel[1], tap % kernel[1]];
            let parity = ky % split * split + kx % split;
            let offset = parity * form.plane() / (split * split) + ky / split * form.width() + kx / split;
            Tap { offset, kernel: [ky, kx] }
        });
        form.places = vec![taps.collect()];
        Some(form)
    }

    /// The gradient's by x.
    pub(crate) fn grad_input(spec: &ConvSpec) -> Option<Form> {
        let outputs = is_small_stride(spec).then(|| spec.output_size())?;
        let ConvSpec { size, kernel, padding, .. } = *spec;
        let cell = spec.stride[0];
        if size.iter().any(|n| !n.is_multiple_of(cell)) {
            return None;
        }
        // Pixel s·i + p is the sum over all k ≡ p + padding (mod s) of g[i + (p + padding − k)/s]·w[k].
        let shift = |d: usize, p: usize, k: usize| {
            let shift = (p + padding[d]) as isize - k as isize;
            (shift % cell as isize == 0).then_some(shift / cell as isize)
        };
        let shifts =
            |d: usize| (0..cell).flat_map(move |p| (0..kernel[d]).filter_map(move |k| shift(d, p, k)));
        let least = [0, 1].map(|d| shifts(d).min().unwrap_or(0).min(0));
        let most = [0, 1].map(|d| shifts(d).max().unwrap_or(0).max(0));
        let positions = size.map(|n| n / cell);
        let reach = [0, 1].map(|d| positions[d] + (most[d] - least[d]) as usize);
        let before = least.map(|least| least.unsigned_abs());
        let mut form = Form {
            image: [spec.outputs, outputs[0], outputs[1]],
            before,
            size: [0, 1].map(|d| reach[d].max(outputs[d] + before[d])),
            split: 1,
            cell,
            positions,
            outputs: spec.channels,
            places: Vec::new(),
        };
        form.places = (0..cell * cell)
            .map(|place| {
                let [py, px] = [place / cell, place % cell];
                let taps = (0..kernel[0] * kernel[1]).filter_map(|tap| {
                    let [ky, kx] = [tap / kernel[1], tap % kernel[1]];
                    let [ty, tx] = [shift(0, py, ky)? - least[0], shift(1, px, kx)? - least[1]];
                    Some(Tap { offset: ty as usize * form.size[1] + tx as usize, kernel: [ky, kx] })
                });
                taps.collect()
            })
            .collect();
        Some(form)
    }

    /// Elements of a channel of a padded image.
    pub(crate) fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Distance between the rows of a padded image.
    pub(crate) fn width(&self) -> usize {
        self.size[1] / self.split
    }

    /// Elements of a padded image; 0 if the stored one serves.
    pub(crate) fn padded_len(&self) -> usize {
        let stored = self.split == 1 && self.before == [0; 2] && self.size == [self.image[1], self.image[2]];
        if stored { 0 } else { self.image[0] * self.plane() }
    }

    /// Elements of an image of the result.
    pub(crate) fn result_len(&self) -> usize {
        self.outputs * self.result_plane()
    }

    /// Elements of a plane of the result.
    pub(crate) fn result_plane(&self) -> usize {
        self.cell * self.cell * self.positions[0] * self.positions[1]
    }
}

/// Whether the convolution's form, or its gradient's, has rows of whole vectors.
pub(crate) fn has_rows(kernel: &ConvKernel, of_input: bool) -> bool {
    let form = if of_input { Form::grad_input(&kernel.spec) } else { Form::new(&kernel.spec) };
    form.is_some_and(|form| lanes(form.positions[1]).is_some())
}
