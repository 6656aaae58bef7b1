//! The adjoint of the convolution in x: `g (T,B,O,OH,OW), w (T,O,C/g,kh,kw) → (T,B,C,H,W)`
//!
//! A few channels at a time, transposed weights times g give the gradient of every patch, which is added into the
//! image while it is still in the cache.

use crate::{
    device::cpu::{
        convolution::{
            Chosen, Derivative, Way, col2im,
            pad::{self, padded},
        },
        kernels::{Needs, Prepared, conv_sum::Adding, conv2d::Sizes},
        loops::gemm::{self, Layout, Problem, Strided, Transposed},
        memory::{output::Output, workers::Workers},
        vectors::Real,
    },
    plan::kernel::ConvKernel,
};

/// Columns that a task aims at, so that packing the weights pays.
const COLS: usize = 128;
/// Patch elements (rows) of a task.
const ROWS: usize = 96;
/// Columns up to which the weights are packed as they lie: turning them round would cost more than the products.
const FEW_COLS: usize = 64;
/// Patch elements of a task with few columns, at most: so many lie together in every row of the weights, which memory
/// likes long.
const FEW_COLS_ROWS: usize = 1152;
/// Tasks a thread that channels are left for.
const TASKS: usize = 2;
/// Elements of a task's columns, at most unless one channel needs more.
const COLUMNS: usize = 1 << 17;

pub(crate) struct Conv2dGradInput {
    sizes: Sizes,
    /// Images of a task.
    images: usize,
    /// Channels of a task.
    channels: usize,
    way: Chosen,
}

impl Conv2dGradInput {
    /// `way` is taken where it fits.
    pub(crate) fn new(kernel: &ConvKernel, way: Option<Way>) -> Self {
        let sizes = Sizes::new(kernel);
        let spec = &kernel.spec;
        let taps = spec.kernel[0] * spec.kernel[1];
        let images = (COLS / sizes.positions.max(1)).clamp(1, sizes.images.max(1));
        let rows = if images * sizes.positions <= FEW_COLS { FEW_COLS_ROWS } else { ROWS };
        let rows = rows.min(COLUMNS / (images * sizes.positions).max(1));
        let others = (sizes.trials * spec.groups * sizes.images.div_ceil(images)).max(1);
        let channel_tasks = (TASKS * rayon::current_num_threads()).div_ceil(others);
        let channels = (rows / taps).min((spec.channels / spec.groups).div_ceil(channel_tasks)).max(1);
        let way = Chosen::new(kernel, Derivative::Input, way);
        Conv2dGradInput { sizes, images, channels, way }
    }

    /// Elements of a task's channels of one padded image; 0 if there is no padding.
    fn padded_len(&self) -> usize {
        let spec = &self.sizes.kernel.spec;
        pad::padded_len(spec, 1) / spec.channels.max(1) * self.channels
    }

    /// `[M, K, N]` of a task.
    fn product(&self) -> [usize; 3] {
        let [kh, kw] = self.sizes.kernel.spec.kernel;
        [self.channels * kh * kw, self.sizes.outputs, self.images * self.sizes.positions]
    }
}

impl<R: Real> Prepared<R> for Conv2dGradInput {
    fn needs(&self) -> Needs {
        let ConvKernel { spec, trials, .. } = &self.sizes.kernel;
        let [m, k, n] = self.product();
        let products = gemm::scratch_len([m, k, n]).max(gemm::scratch_len([n, k, m]));
        let [scratch, shared] = self.way.memory([self.padded_len() + m * n + products, 0]);
        Needs {
            reads: vec![
                self.sizes.operand_len(0, spec.output_len()),
                self.sizes.operand_len(1, spec.weight_len()),
            ],
            write: trials * spec.input_len(),
            scratch,
            shared,
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        self.run_into(reads, out, false, workers);
    }
}

impl<R: Real> Adding<R> for Conv2dGradInput {
    fn add(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        self.run_into(reads, out, true, workers);
    }
}

impl Conv2dGradInput {
    /// Writes to `out`, or adds to it.
    fn run_into<R: Real>(&self, reads: &[&[R]], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        if self.way.run(reads, out, add, workers) {
            return;
        }
        let Sizes { kernel, trials, images, positions, patch, outputs } = self.sizes;
        let spec = &kernel.spec;
        let taps = spec.kernel[0] * spec.kernel[1];
        let plane = spec.size[0] * spec.size[1];
        let group_channels = spec.channels / spec.groups;
        let channel_tasks = group_channels.div_ceil(self.channels);
        let image_tasks = images.div_ceil(self.images);
        let work = gemm::work(kernel.trials * spec.flops() as usize / 2);
        let (isa, out) = (workers.isa(), Output::new(out));
        workers.each_task(trials * spec.groups * image_tasks * channel_tasks, work, |workspace, task| {
            let (task, first_channel) = (task / channel_tasks, task % channel_tasks * self.channels);
            let (task, first_image) = (task / image_tasks, task % image_tasks * self.images);
            let (t, group) = (task / spec.groups, task % spec.groups);
            let task_channels = self.channels.min(group_channels - first_channel);
            let task_images = self.images.min(images - first_image);

            let g = &self.sizes.trial(0, reads[0], t, spec.output_len())
                [(first_image * spec.outputs + group * outputs) * positions..];
            let w = &self.sizes.trial(1, reads[1], t, spec.weight_len())
                [group * outputs * patch + first_channel * taps..];
            let (rows, cols) = (task_channels * taps, task_images * positions);
            let (padded_image, scratch) = workspace.scratch.split_at_mut(self.padded_len());
            let (columns, scratch) = scratch.split_at_mut(rows * cols);
            let w = Strided::matrix(w, patch, 1);
            let g = Strided::planes(g, positions, spec.outputs * positions);
            if outputs == 0 {
                columns.fill(R::zero());
            }
            let to = Output::new(columns);
            // SAFETY: the columns are this thread's own.
            unsafe {
                if cols <= FEW_COLS {
                    let problem = Problem { a: Transposed(g), b: w, c: Layout::transposed(0, cols) };
                    gemm::block(isa, &problem, outputs, 0..cols, 0..rows, &to, scratch);
                } else {
                    let problem = Problem { a: Transposed(w), b: g, c: Layout::row_major(0, cols) };
                    gemm::block(isa, &problem, outputs, 0..rows, 0..cols, &to, scratch);
                }
            }

            for i in 0..task_images {
                let image = t * images + first_image + i;
                let first = (image * spec.channels + group * group_channels + first_channel) * plane;
                // SAFETY: a task owns its channels of its images.
                let to = unsafe { out.slice(first..first + task_channels * plane) };
                let columns = &columns[i * positions..];
                if padded_image.is_empty() {
                    if !add {
                        to.fill(R::zero());
                    }
                    col2im::add(spec, columns, cols, to);
                } else {
                    let image = &mut padded_image[..self.padded_len() / self.channels * task_channels];
                    image.fill(R::zero());
                    col2im::add(&padded(spec), columns, cols, image);
                    pad::crop(isa, spec, image, to, add);
                }
            }
        });
    }
}
