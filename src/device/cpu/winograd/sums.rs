//! The three sums over tiles of the gradient by w.

use std::ops::Range;

use super::{
    GradWeight, TRANSFORM, aligned,
    grad_weight::{CHUNK, part, products_layout},
    piece,
    tiles::{LANES, POINTS, ROWS},
};
use crate::{
    device::cpu::{gemm::Output, real::Real, workers::Workers},
    tape::spec::ConvSpec,
};

/// Channels of x whose products at one point are one task.
const POINT_CHUNK: usize = 64;

impl GradWeight {
    /// One thread's sum over `tiles`, `(O,C,3,3)`.
    pub(super) fn sum_part<R: Real>(
        &self,
        x: &[R],
        g: &[R],
        tiles: Range<usize>,
        block: usize,
        scratch: &mut [R],
        out: &mut [R],
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let layouts = self.layouts(channels, block);
        let (inputs, scratch) = scratch.split_at_mut(layouts[0].len());
        let (gradients, products) = scratch.split_at_mut(layouts[1].len());
        for first in tiles.clone().step_by(block) {
            let block = first..tiles.end.min(first + block);
            let image = channels * self.tiling.input_plane();
            let [x_to, g_to] = [Output::new(inputs), Output::new(gradients)];
            for first in block.clone().step_by(LANES) {
                let [x_part, g_part] = [0, 1].map(|i| part(first, &block, layouts[i]));
                R::winograd_input(&self.tiling, x, image, &x_part, 0..channels, true, &x_to);
                R::winograd_gradient(&self.tiling, g, outputs, &g_part, 0..outputs, &g_to);
            }
            for point in 0..POINTS {
                let [left, right] = [(&*inputs, layouts[0]), (&*gradients, layouts[1])]
                    .map(|(data, layout)| layout.panels(data, point, 0));
                let sizes = [channels.div_ceil(ROWS), block.len(), outputs.div_ceil(LANES)];
                let products = &mut products[point * layouts[2].slice()..];
                let add = first > tiles.start;
                R::winograd_products(sizes, left, right, products, layouts[2].row, add);
            }
        }
        R::winograd_weight_gradient(
            products,
            layouts[2],
            0..channels,
            0..outputs,
            channels,
            &Output::new(out),
        );
    }

    /// All threads' sum over all tiles, chunk of channels by chunk.
    pub(super) fn sum_chunks<R: Real>(
        &self,
        (x, g): (&[R], &[R]),
        shared: &mut [R],
        out: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let layouts @ [x_layout, g_layout, _] = self.layouts(channels, self.tiles());
        let (inputs, gradients) = shared.split_at_mut(x_layout.len());
        self.transform((x, g), 0..channels, 0..self.tiles(), layouts, [inputs, gradients], workers);
        let (inputs, gradients) = (&*inputs, &*gradients);
        let out = Output::new(out);
        let tasks = outputs.div_ceil(CHUNK);
        workers.each_task(channels.div_ceil(CHUNK) * tasks, self.work(), |workspace, task| {
            let [rows, cols] = [(task / tasks, channels), (task % tasks, outputs)]
                .map(|(task, count)| piece(task, CHUNK, count));
            let layout = products_layout(rows.len(), cols.len());
            let products = aligned(&mut workspace.scratch);
            for point in 0..POINTS {
                let left = x_layout.panels(inputs, point, rows.start / ROWS);
                let right = g_layout.panels(gradients, point, cols.start / LANES);
                let sizes = [rows.len().div_ceil(ROWS), self.tiles(), cols.len().div_ceil(LANES)];
                let products = &mut products[point * layout.slice()..];
                R::winograd_products(sizes, left, right, products, layout.row, false);
            }
            R::winograd_weight_gradient(products, layout, rows, cols, channels, &out);
        });
    }

    /// All threads' sum over all tiles for `channels` of x, point by point.
    pub(super) fn sum_rounds<R: Real>(
        &self,
        operands: (&[R], &[R]),
        channels: Range<usize>,
        round: usize,
        shared: &mut [R],
        out: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels: all, outputs, .. } = self.spec;
        let count = channels.len();
        let layouts @ [x_layout, g_layout, layout] = self.layouts(count, round);
        let (inputs, shared) = shared.split_at_mut(x_layout.len());
        let (gradients, kept) = shared.split_at_mut(g_layout.len());
        for first in (0..self.tiles()).step_by(round) {
            let tiles = first..self.tiles().min(first + round);
            let to = [&mut *inputs, &mut *gradients];
            self.transform(operands, channels.clone(), tiles.clone(), layouts, to, workers);
            let (inputs, gradients) = (&*inputs, &*gradients);
            let kept = Output::new(kept);
            let tasks = count.div_ceil(POINT_CHUNK);
            let work = self.work() * count / all * tiles.len() / self.tiles();
            workers.each_task(POINTS * tasks, work, |_, task| {
                let (point, rows) = (task / tasks, piece(task % tasks, POINT_CHUNK, count));
                let panels = rows.len().div_ceil(ROWS);
                let left = x_layout.panels(inputs, point, rows.start / ROWS);
                let right = g_layout.panels(gradients, point, 0);
                let sizes = [panels, tiles.len(), outputs.div_ceil(LANES)];
                let at = point * layout.slice() + rows.start * layout.row;
                // SAFETY: every task has rows of its own.
                let products = unsafe { kept.slice(at..at + panels * ROWS * layout.row) };
                R::winograd_products(sizes, left, right, products, layout.row, first > 0);
            });
        }
        let kept = &*kept;
        let out = Output::new(out);
        let tasks = outputs.div_ceil(CHUNK);
        workers.each_task(count.div_ceil(CHUNK) * tasks, count * outputs * TRANSFORM, |_, task| {
            let [rows, cols] = [(task / tasks, count), (task % tasks, outputs)]
                .map(|(task, count)| piece(task, CHUNK, count));
            let products = &kept[rows.start * layout.row + cols.start..];
            let rows = channels.start + rows.start..channels.start + rows.end;
            R::winograd_weight_gradient(products, layout, rows, cols, all, &out);
        });
    }
}
