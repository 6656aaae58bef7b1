//! The convolution point by point of its tiles: each point's weights and tiles fit the second-level cache, where those of all
//! points do not, and would be read from the next again and again.

use super::{
    Convolution, SUM, TRANSFORM, piece,
    tiles::{LANES, POINTS},
};
use crate::device::cpu::{
    loops::gemm::{Panels, Place, multiply_panels},
    memory::{output::Output, workers::Workers},
    vectors::Real,
};

/// Output channels of a point that are one task.
const CHUNK: usize = 128;
/// Output channels of a group that one task transforms back.
const CHANNELS: usize = 16;

impl Convolution {
    /// `round` groups at a time.
    pub(super) fn run_points<R: Real>(
        &self,
        x: &[R],
        w: &[R],
        shared: &mut [R],
        (out, add): (&Output<R>, bool),
        round: usize,
        workers: &mut Workers<R>,
    ) {
        let outputs = self.spec.outputs;
        let (weights, shared) = shared.split_at_mut(self.weights(outputs).len());
        let (inputs, products) = shared.split_at_mut(round * self.inputs().len());
        self.transform_all_weights(w, weights, workers);
        for first in (0..self.groups()).step_by(round) {
            let groups = first..self.groups().min(first + round);
            self.transform_groups(x, groups.clone(), inputs, workers);
            self.multiply_points(weights, inputs, groups.len(), products, workers);
            let (isa, products, layout) = (workers.isa(), &*products, self.products(outputs));
            let tasks = outputs.div_ceil(CHANNELS);
            let work = groups.len() * LANES * outputs * TRANSFORM;
            workers.each_task(groups.len() * tasks, work, |_, task| {
                let (group, channels) = (task / tasks, piece(task % tasks, CHANNELS, outputs));
                let part = self.part(groups.start + group, layout, add);
                let products = &products[group * layout.len() + channels.start * layout.row..];
                self.transform_back(isa, products, &part, channels, out);
            });
        }
    }

    /// The products of all weights and so many groups.
    fn multiply_points<R: Real>(
        &self,
        weights: &[R],
        inputs: &[R],
        groups: usize,
        products: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let outputs = self.spec.outputs;
        let [w, x, y] = [self.weights(outputs), self.inputs(), self.products(outputs)];
        let (isa, products) = (workers.isa(), Output::new(products));
        let tasks = outputs.div_ceil(CHUNK);
        workers.each_task(POINTS * tasks, self.work() * groups / self.groups(), |_, task| {
            let (point, chunk) = (task / tasks, piece(task % tasks, CHUNK, outputs));
            let left = w.block(weights, point, chunk.start);
            let right = Panels { data: &inputs[point * x.slice()..], stride: x.len() };
            let first = point * y.slice() + chunk.start * y.row;
            // Every task has rows of its own.
            let place = Place { out: &products, first, row: y.row, panel: y.len(), add: false };
            let sizes = [chunk.len(), self.spec.channels, groups * LANES];
            multiply_panels(isa, sizes, SUM, left, right, place);
        });
    }
}
