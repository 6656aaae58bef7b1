//! The convolution by chunks of its outputs or by blocks of its tiles: one thread's part of the operand that is larger stays in its
//! second-level cache from the transform to the products.

use std::ops::Range;

use super::{
    Convolution, SUM, aligned, piece,
    tiles::{LANES, POINTS},
    transforms::Slices,
};
use crate::{
    device::cpu::{
        loops::gemm::{Panels, Place, multiply_panels},
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    tape::spec::ConvSpec,
};

impl Convolution {
    /// Each chunk of the outputs transforms its own weights, and meets all groups.
    pub(super) fn run_chunks<R: Real>(
        &self,
        x: &[R],
        w: &[R],
        inputs: &mut [R],
        out: (&Output<R>, bool),
        workers: &mut Workers<R>,
    ) {
        self.transform_groups(x, 0..self.groups(), inputs, workers);
        let (isa, inputs) = (workers.isa(), &*inputs);
        let outputs = self.spec.outputs;
        workers.each_task(outputs.div_ceil(self.chunk()), self.work(), |workspace, task| {
            let chunk = piece(task, self.chunk(), outputs);
            let layout = self.weights(chunk.len());
            let (weights, products) = aligned(&mut workspace.scratch).split_at_mut(layout.len());
            self.transform_weights(isa, w, chunk.clone(), chunk.start, layout, &Output::new(weights));
            self.multiply(isa, weights, layout, inputs, 0..self.groups(), chunk, products, out);
        });
    }

    /// Each block of groups transforms its own tiles, and meets all weights.
    pub(super) fn run_blocks<R: Real>(
        &self,
        x: &[R],
        w: &[R],
        weights: &mut [R],
        out: (&Output<R>, bool),
        block: usize,
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let layout = self.transform_all_weights(w, weights, workers);
        let (isa, weights) = (workers.isa(), &*weights);
        let length = self.inputs().len();
        workers.each_task(self.groups().div_ceil(block), self.work(), |workspace, task| {
            let groups = piece(task, block, self.groups());
            let (inputs, products) = aligned(&mut workspace.scratch).split_at_mut(block * length);
            for (group, inputs) in groups.clone().zip(inputs.chunks_mut(length)) {
                self.transform_inputs(isa, x, group, 0..channels, &Output::new(inputs));
            }
            for index in 0..outputs.div_ceil(self.chunk()) {
                let chunk = piece(index, self.chunk(), outputs);
                let weights = &weights[chunk.start * layout.row..];
                self.multiply(isa, weights, layout, inputs, groups.clone(), chunk, products, out);
            }
        });
    }

    /// The products of a chunk of output channels, whose transformed weights come first in `weights`, and `groups` of tiles,
    /// transformed back into `out`.
    #[allow(clippy::too_many_arguments)]
    fn multiply<R: Real>(
        &self,
        isa: Isa,
        weights: &[R],
        w: Slices,
        inputs: &[R],
        groups: Range<usize>,
        chunk: Range<usize>,
        products: &mut [R],
        (out, add): (&Output<R>, bool),
    ) {
        let [x, y] = [self.inputs(), self.products(chunk.len())];
        for point in 0..POINTS {
            let sizes = [chunk.len(), self.spec.channels, groups.len() * LANES];
            let left = w.block(weights, point, 0);
            let right = Panels { data: &inputs[point * x.slice()..], stride: x.len() };
            let out = &Output::new(products);
            let place = Place { out, first: point * y.slice(), row: y.row, panel: y.len(), add: false };
            multiply_panels(isa, sizes, SUM, left, right, place);
        }
        for (group, products) in groups.zip(products.chunks(y.len())) {
            self.transform_back(isa, products, &self.part(group, y, add), chunk.clone(), out);
        }
    }
}
