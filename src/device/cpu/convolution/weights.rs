//! Weights in the order in which blocks of outputs read them.

use crate::{
    device::cpu::{loops::transpose::transpose, memory::workers::Workers, vectors::Real},
    plan::kernel::ConvKernel,
};

/// A weight that is zero.
const NONE: u32 = u32::MAX;

/// Where the weights of a convolution lie, block after block of its outputs: `(blocks, patch, lanes)`.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Where each is stored in a set, or [`NONE`].
    stored: Vec<u32>,
    /// Weights of an output that are not left out, and outputs of a block.
    patch: usize,
    lanes: usize,
    outputs: usize,
    /// Each output's weights are stored side by side, in this order.
    in_order: bool,
    /// Weights of a set as they are stored; sets; images that share one.
    set_len: usize,
    sets: usize,
    images: usize,
}

impl Weights {
    /// `stored`: where the weight of an output and a place in the patch is stored, if it has one. `None` where there are too many.
    pub(crate) fn new(
        kernel: &ConvKernel,
        [outputs, patch, lanes]: [usize; 3],
        in_order: bool,
        stored: impl Fn(usize, usize) -> Option<usize>,
    ) -> Option<Weights> {
        let ConvKernel { spec, trials, shared } = kernel;
        let place = |index: usize| {
            let (output, tap) = (index / lanes / patch * lanes + index % lanes, index / lanes % patch);
            let place = if output < outputs { stored(output, tap) } else { None };
            place.map_or(NONE, |place| place as u32)
        };
        let count = outputs.div_ceil(lanes) * patch * lanes;
        (spec.weight_len() < NONE as usize).then(|| Weights {
            stored: (0..count).map(place).collect(),
            patch,
            lanes,
            outputs,
            in_order,
            set_len: spec.weight_len(),
            sets: if shared[1] { 1 } else { *trials },
            images: if shared[1] { trials * spec.batch } else { spec.batch },
        })
    }

    /// Elements of all sets.
    pub(crate) fn len(&self) -> usize {
        self.sets * self.stored.len()
    }

    /// Elements of a block.
    pub(crate) fn block_len(&self) -> usize {
        self.patch * self.lanes
    }

    /// The set of an image of all trials', of all sets in order.
    pub(crate) fn of<'a, R>(&self, image: usize, all: &'a [R]) -> &'a [R] {
        &all[image / self.images * self.stored.len()..][..self.stored.len()]
    }

    /// Brings all sets in order, by all threads.
    pub(crate) fn arrange<R: Real>(&self, from: &[R], to: &mut [R], workers: &mut Workers<R>) {
        let (isa, lanes) = (workers.isa(), self.lanes);
        let (blocks, work) = (self.outputs.div_ceil(lanes), to.len());
        workers.for_each(to, self.block_len(), work, |_, index, to| {
            let (from, block) = (&from[index / blocks * self.set_len..][..self.set_len], index % blocks);
            if self.in_order {
                let count = lanes.min(self.outputs - block * lanes);
                to.chunks_exact_mut(lanes).for_each(|lanes| lanes[count..].fill(R::zero()));
                let from = &from[block * self.block_len()..];
                return transpose(isa, from, self.patch, [count, self.patch], to, lanes);
            }
            for (to, &place) in to.iter_mut().zip(&self.stored[block * self.block_len()..]) {
                *to = from.get(place as usize).copied().unwrap_or(R::zero());
            }
        });
    }
}
