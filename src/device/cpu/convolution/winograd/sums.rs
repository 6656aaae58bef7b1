//! The three sums over tiles of the gradient by w.

use std::ops::Range;

use super::{
    GradWeight, SUM, TRANSFORM, aligned,
    grad_weight::{CHUNK, part, products_layout},
    gradient::gradient,
    input::input,
    piece,
    tiles::{LANES, POINTS},
    transforms::Slices,
    weight::weight_gradient,
};
use crate::{
    device::cpu::{
        loops::gemm::{Panels, Place, multiply_panels},
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    tape::spec::ConvSpec,
};

/// Channels of x whose products at one point are one task.
const POINT_CHUNK: usize = 64;

impl GradWeight {
    #[allow(clippy::too_many_arguments)]
    /// One thread's sum over `tiles`, `(O,C,3,3)`.
    pub(super) fn sum_part<R: Real>(
        &self,
        isa: Isa,
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
                input(isa, &self.tiling, x, image, &x_part, 0..channels, &x_to);
                gradient(isa, &self.tiling, g, outputs, &g_part, 0..outputs, &g_to);
            }
            for point in 0..POINTS {
                let sizes = [channels, block.len(), outputs];
                let add = first > tiles.start;
                let operands = [(&*inputs, layouts[0]), (&*gradients, layouts[1])];
                multiply_point(
                    isa,
                    sizes,
                    point,
                    operands,
                    [0, 0],
                    (&Output::new(products), layouts[2], 0),
                    add,
                );
            }
        }
        weight_gradient(isa, products, layouts[2], 0..channels, 0..outputs, channels, &Output::new(out));
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
        let (isa, inputs, gradients) = (workers.isa(), &*inputs, &*gradients);
        let out = Output::new(out);
        let tasks = outputs.div_ceil(CHUNK);
        workers.each_task(channels.div_ceil(CHUNK) * tasks, self.work(), |workspace, task| {
            let [rows, cols] = [(task / tasks, channels), (task % tasks, outputs)]
                .map(|(task, count)| piece(task, CHUNK, count));
            let layout = products_layout(rows.len(), cols.len());
            let products = aligned(&mut workspace.scratch);
            let to = Output::new(products);
            for point in 0..POINTS {
                let sizes = [rows.len(), self.tiles(), cols.len()];
                let operands = [(inputs, x_layout), (gradients, g_layout)];
                multiply_point(
                    isa,
                    sizes,
                    point,
                    operands,
                    [rows.start, cols.start],
                    (&to, layout, 0),
                    false,
                );
            }
            weight_gradient(isa, products, layout, rows, cols, channels, &out);
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
        let isa = workers.isa();
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
                // Every task has rows of its own.
                let sizes = [rows.len(), tiles.len(), outputs];
                let operands = [(inputs, x_layout), (gradients, g_layout)];
                let to = (&kept, layout, rows.start);
                multiply_point(isa, sizes, point, operands, [rows.start, 0], to, first > 0);
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
            weight_gradient(isa, products, layout, rows, cols, all, &out);
        });
    }
}

/// The products of a point, of sizes `[channels of x, tiles, O]`, from channels `first` of x and of g on, to row `to` of theirs.
fn multiply_point<R: Real>(
    isa: Isa,
    sizes: [usize; 3],
    point: usize,
    [(inputs, x), (gradients, g)]: [(&[R], Slices); 2],
    first: [usize; 2],
    (out, layout, to): (&Output<R>, Slices, usize),
    add: bool,
) {
    let left = x.block(inputs, point, first[0]);
    let right = Panels { data: g.block(gradients, point, first[1] / LANES).data, stride: g.row };
    let place =
        Place { out, first: point * layout.slice() + to * layout.row, row: layout.row, panel: LANES, add };
    multiply_panels(isa, sizes, SUM, left, right, place);
}
