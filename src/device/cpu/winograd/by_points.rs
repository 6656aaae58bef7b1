//! The convolution point by point of its tiles: each point's weights and tiles fit the second-level cache, where those of all
//! points do not, and would be read from the next again and again.

use super::{
    Convolution, TRANSFORM, piece,
    tiles::{LANES, POINTS, ROWS},
};
use crate::device::cpu::{gemm::Output, real::Real, workers::Workers};

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
            let (products, layout) = (&*products, self.products(outputs));
            let tasks = outputs.div_ceil(CHANNELS);
            let work = groups.len() * LANES * outputs * TRANSFORM;
            workers.each_task(groups.len() * tasks, work, |_, task| {
                let (group, channels) = (task / tasks, piece(task % tasks, CHANNELS, outputs));
                let part = self.part(groups.start + group, layout, add);
                let products = &products[group * layout.len() + channels.start * layout.row..];
                self.transform_back(products, &part, channels, out);
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
        let products = Output::new(products);
        let tasks = outputs.div_ceil(CHUNK);
        workers.each_task(POINTS * tasks, self.work() * groups / self.groups(), |_, task| {
            let (point, chunk) = (task / tasks, piece(task % tasks, CHUNK, outputs));
            let panels = chunk.len().div_ceil(ROWS);
            let left = w.panels(weights, point, chunk.start / ROWS);
            for group in 0..groups {
                let right = x.panels(&inputs[group * x.len()..], point, 0);
                let at = group * y.len() + point * y.slice() + chunk.start * y.row;
                // SAFETY: every task has rows of its own.
                let products = unsafe { products.slice(at..at + panels * ROWS * y.row) };
                R::winograd_products([panels, self.spec.channels, 1], left, right, products, y.row, false);
            }
        });
    }
}
