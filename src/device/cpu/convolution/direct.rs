//! Convolutions of stride 1 or 2 without patches: a few planes of a run of results stay in registers while all
//! products of them are added.
//!
//! With few channels, packing patches costs more than multiplying them. The gradient by x is such a convolution
//! itself, of g and the weights turned round, at stride 2 one for each place in a cell of 2×2 pixels. Every element adds its
//! products in an order given by the convolution's sizes alone.

use super::{
    direct_form::{Form, lanes},
    direct_split::{join, split},
    direct_tiles::{PLANES, Runs, convolve},
    pad,
    weights::Weights,
};
use crate::{
    device::cpu::{
        loops::gemm,
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Images from which on each is a task of its own, and padded by it: then they are still in its cache.
const IMAGES: usize = 8;

/// A convolution `x (T,B,C,H,W) * w (T,O,C,kh,kw)`, or its gradient by x.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    kernel: ConvKernel,
    form: Form,
    lanes: usize,
    /// Where the taps of each place lie.
    offsets: Vec<Vec<usize>>,
    /// Those of four planes at a time, `(places, channels, taps, 4)`.
    weights: Weights,
}

impl Convolution {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<Convolution> {
        let ConvSpec { channels, kernel: [kh, kw], .. } = kernel.spec;
        let stored = |o: usize, c: usize, [ky, kx]: [usize; 2]| ((o * channels + c) * kh + ky) * kw + kx;
        Convolution::of(kernel, Form::new(&kernel.spec)?, true, stored)
    }

    /// The gradient by x.
    pub(crate) fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        let ConvSpec { channels, kernel: [kh, kw], .. } = kernel.spec;
        let stored = |c: usize, o: usize, [ky, kx]: [usize; 2]| ((o * channels + c) * kh + ky) * kw + kx;
        Convolution::of(kernel, Form::grad_input(&kernel.spec)?, false, stored)
    }

    /// `stored`: where the weight of an output, a channel and a tap is.
    fn of(
        kernel: &ConvKernel,
        form: Form,
        in_order: bool,
        stored: impl Fn(usize, usize, [usize; 2]) -> usize,
    ) -> Option<Convolution> {
        let lanes = lanes(form.positions[1])?;
        let channels = 0..form.image[0];
        let patch: Vec<_> = form
            .places
            .iter()
            .flat_map(|taps| channels.clone().flat_map(move |c| taps.iter().map(move |tap| (c, tap.kernel))))
            .collect();
        let weights = Weights::new(kernel, [form.outputs, patch.len(), PLANES], in_order, |output, tap| {
            Some(stored(output, patch[tap].0, patch[tap].1))
        })?;
        let offsets = form.places.iter().map(|taps| taps.iter().map(|tap| tap.offset).collect()).collect();
        Some(Convolution { kernel: *kernel, form, lanes, offsets, weights })
    }

    fn images(&self) -> usize {
        let ConvKernel { spec, trials, shared } = &self.kernel;
        if shared[0] { spec.batch } else { trials * spec.batch }
    }

    fn by_images(&self) -> bool {
        self.kernel.trials * self.kernel.spec.batch >= IMAGES
    }

    /// Elements of the places of a tile of results, where they are computed apart.
    fn places_len(&self) -> usize {
        if self.form.cell == 1 { 0 } else { PLANES * self.form.result_plane() }
    }

    /// Elements of scratch for each thread: a padded image, and the places of a tile.
    pub(crate) fn scratch_len(&self) -> usize {
        self.places_len() + if self.by_images() { self.form.padded_len() } else { 0 }
    }

    /// Elements of padded images that threads share.
    fn shared_images_len(&self) -> usize {
        if self.by_images() { 0 } else { self.images() * self.form.padded_len() }
    }

    /// Elements of shared memory: padded images, then weights in the order in which they are used.
    pub(crate) fn shared_len(&self) -> usize {
        self.shared_images_len() + self.weights.len()
    }

    /// Writes to `out`, or adds to it.
    pub(crate) fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let ConvKernel { spec, trials, shared } = self.kernel;
        let form = &self.form;
        let isa = workers.isa();
        let mut memory = workers.take_shared();
        let (images, weights) = memory.split_at_mut(self.shared_images_len());
        let weights = &mut weights[..self.weights.len()];
        self.weights.arrange(w, weights, workers);
        let (weights, stored_len) = (&*weights, form.image.iter().product::<usize>());
        let (padded_len, tile_weights) = (form.padded_len(), self.weights.block_len());
        if !images.is_empty() {
            let work = images.len() / 4;
            workers.for_each(images, padded_len, work, |_, index, to| {
                self.pad(isa, &x[index * stored_len..][..stored_len], to);
            });
        }
        let images = &*images;
        let work = gemm::work(trials * spec.flops() as usize / 2);
        let stored = |index: usize| {
            let index = if shared[0] { index % spec.batch } else { index };
            match images {
                [] => &x[index * stored_len..][..stored_len],
                images => &images[index * padded_len..][..padded_len],
            }
        };
        let tile_len = PLANES * form.result_plane();
        if self.by_images() {
            workers.for_each(out, form.result_len(), work, |workspace, index, out| {
                let (places, image) = workspace.scratch[..self.scratch_len()].split_at_mut(self.places_len());
                let image = match image {
                    [] => stored(index),
                    image => {
                        self.pad(isa, stored(index), image);
                        image
                    }
                };
                for (out, w) in
                    out.chunks_mut(tile_len).zip(self.weights.of(index, weights).chunks(tile_weights))
                {
                    self.tile(isa, image, w, out, add, places);
                }
            });
        } else {
            let tiles = form.outputs.div_ceil(PLANES);
            // Tiles of an image, of which the last may be smaller.
            let out = Output::new(out);
            workers.each_task(trials * spec.batch * tiles, work, |workspace, task| {
                let (index, tile) = (task / tiles, task % tiles);
                let start = index * form.result_len() + tile * tile_len;
                let end = (start + tile_len).min((index + 1) * form.result_len());
                // SAFETY: every task has a tile of its own.
                let out = unsafe { out.slice(start..end) };
                let w = &self.weights.of(index, weights)[tile * tile_weights..][..tile_weights];
                self.tile(isa, stored(index), w, out, add, &mut workspace.scratch[..self.places_len()]);
            });
        }
        workers.give_shared(memory);
    }

    fn pad<R: Real>(&self, isa: Isa, from: &[R], to: &mut [R]) {
        let Form { image: [_, height, width], before, size, .. } = self.form;
        if self.form.split == 1 {
            pad::image(isa, from, [height, width], to, size, before);
        } else {
            split(isa, from, [height, width], to, size, before);
        }
    }

    /// A few planes of the result of a padded image.
    fn tile<R: Real>(&self, isa: Isa, image: &[R], w: &[R], out: &mut [R], add: bool, places: &mut [R]) {
        let form = &self.form;
        let isa = isa.fitting::<R>(self.lanes);
        let [rows, row] = form.positions;
        let apart = form.cell > 1;
        let planes = out.len() / form.result_plane();
        let mut start = 0;
        for (place, taps) in form.places.iter().enumerate() {
            let offsets: &[usize] = &self.offsets[place];
            let runs = Runs {
                lanes: self.lanes,
                width: form.width(),
                plane: form.plane(),
                row,
                tile_plane: rows * row,
                offsets,
                add: add && !apart,
            };
            let len = form.image[0] * taps.len() * PLANES;
            let to = match apart {
                true => &mut places[place * PLANES * rows * row..][..planes * rows * row],
                false => &mut *out,
            };
            convolve(isa, &runs, image, &w[start..start + len], to);
            start += len;
        }
        if apart {
            join(isa, places, form.positions, out, add);
        }
    }
}
