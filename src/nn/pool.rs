//! Pooling, and other changes of an activation's size that own no parameters.

use super::Network;
use crate::tape::{Var, spec::WindowSpec};

impl Network<'_> {
    /// PyTorch's `MaxPool2d`.
    pub fn max_pool(&mut self, x: Var, kernel: usize, stride: usize, padding: usize) -> Var {
        let shape = self.tape.shape(x);
        let spec = WindowSpec {
            size: [shape[shape.len() - 2], shape[shape.len() - 1]],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
        };
        self.largest(x, spec)
    }

    /// The largest of each window.
    pub(super) fn largest(&mut self, x: Var, spec: WindowSpec) -> Var {
        let index = self.tape.window_argmax(x, spec);
        self.tape.window_gather(x, index, spec)
    }

    /// Mean over all pixels: `(T,B,C,H,W) → (T,B,C)`.
    pub fn global_average_pool(&mut self, x: Var) -> Var {
        let mean = self.tape.mean(x, &[3, 4]);
        self.flatten(mean)
    }

    /// PyTorch's `AdaptiveAvgPool2d([height, width])`: output i of an axis is the mean of [⌊i·n/side⌋, ⌈(i+1)·n/side⌉).
    pub fn adaptive_average_pool(&mut self, x: Var, [height, width]: [usize; 2]) -> Var {
        let [trials, batch, channels, h, w] = self.tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
        let planes = trials * batch * channels;
        let mut y = self.tape.reshape(x, &[planes, h, w]);
        for (n, side) in [(w, width), (h, height)] {
            if n != side {
                // (side, n)
                let matrix = (0..side).flat_map(|i| {
                    let (low, high) = (i * n / side, ((i + 1) * n).div_ceil(side));
                    (0..n)
                        .map(move |j| if (low..high).contains(&j) { 1.0 / (high - low) as f64 } else { 0.0 })
                });
                let matrix = matrix.collect();
                let matrix = self.tape.literal(&[1, side, n], matrix);
                let matrix = self.tape.broadcast_to(matrix, &[planes, side, n]);
                let turned = self.tape.transpose(y);
                y = self.tape.matmul(matrix, turned);
            } else {
                y = self.tape.transpose(y);
            }
        }
        self.tape.reshape(y, &[trials, batch, channels, height, width])
    }

    /// Every second pixel of each axis, from the first: `x[:, :, ::2, ::2]`, a sum over windows of one pixel.
    pub fn every_second(&mut self, x: Var) -> Var {
        let shape = self.tape.shape(x);
        let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
        let spec = WindowSpec { size, kernel: [1; 2], stride: [2; 2], padding: [0; 2] };
        self.tape.window_sum(x, spec)
    }

    /// `(T,B,C,H,W) → (T,B,C·H·W)`.
    pub fn flatten(&mut self, x: Var) -> Var {
        let shape = self.tape.shape(x);
        let features = shape[2..].iter().product();
        let flat = [shape[0], shape[1], features];
        self.tape.reshape(x, &flat)
    }
}
