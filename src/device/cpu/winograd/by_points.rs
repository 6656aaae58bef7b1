//! The convolution point by point of its tiles: each point's weights and tiles fit the second-level cache, where those of all
//! points do not, and would be read from the next again and again.

use super::{
    Convolution, Panels,
    tiles::{POINTS, ROWS},
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
            let work = groups.len() * outputs * 16 * 5;
            workers.each_task(groups.len() * tasks, work, |_, task| {
                let (group, channel) = (task / tasks, task % tasks * CHANNELS);
                let channels = channel..outputs.min(channel + CHANNELS);
                let part = self.part(groups.start + group, layout, add);
                let products = &products[group * layout.len() + channel * layout.row..];
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
            let (point, first) = (task / tasks, task % tasks * CHUNK);
            let panels = outputs.min(first + CHUNK).div_ceil(ROWS) - first / ROWS;
            let weights = &weights[point * w.slice() + first / ROWS * w.row..];
            let left = Panels { data: weights, stride: w.row };
            for group in 0..groups {
                let right = Panels { data: &inputs[group * x.len() + point * x.slice()..], stride: 0 };
                let at = group * y.len() + point * y.slice() + first * y.row;
                // SAFETY: every task has rows of its own.
                let products = unsafe { products.slice(at..at + panels * ROWS * y.row) };
                R::winograd_products([panels, self.spec.channels, 1], left, right, products, y.row, false);
            }
        });
    }
}
