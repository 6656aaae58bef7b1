//! Random contractions, windows and tables, with operands that are transposed, cut or shared by all trials.

use gia_gpu::tape::spec::{ConvSpec, WindowSpec};

use super::random_graph::{Grower, Known};

impl Grower {
    pub(crate) fn matmul(&mut self) {
        let [t, m, n, k] = [0; 4].map(|_| self.one_of(&[1, 2, 3, 4, 7]));
        let a = self.matrix([t, m, k]);
        let b = if m == n && self.chance(50) {
            Known { var: self.tape.transpose(a.var), ..a }
        } else {
            self.matrix([t, k, n])
        };
        let var = self.tape.matmul(a.var, b.var);
        self.put(var, a.bound * b.bound * k as f64, false);
    }

    fn matrix(&mut self, [t, rows, cols]: [usize; 3]) -> Known {
        if self.chance(50) {
            return self.pick_as(&[t, rows, cols]);
        }
        let x = self.pick_as(&[t, cols, rows]);
        Known { var: self.tape.transpose(x.var), ..x }
    }

    /// One of the three convolutions.
    pub(crate) fn convolution(&mut self) {
        let groups = self.one_of(&[1, 1, 2]);
        let mut pair = |choices: &[usize]| [0; 2].map(|_| self.one_of(choices));
        let (size, kernel) = (pair(&[3, 4, 5, 6]), pair(&[1, 2, 3]));
        let (stride, padding, dilation) = (pair(&[1, 2]), pair(&[0, 1, 2]), pair(&[1, 1, 2]));
        let spec = ConvSpec {
            batch: self.one_of(&[1, 2]),
            channels: groups * self.one_of(&[1, 2, 3]),
            outputs: groups * self.one_of(&[1, 2]),
            size,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        };
        let [oh, ow] = spec.output_size();
        if oh * ow == 0 {
            return;
        }
        let trials = self.one_of(&[1, 2, 3]);
        let [x, w, g] = [spec.input_shape(trials), spec.weight_shape(trials), spec.output_shape(trials)];
        match self.below(3) {
            0 => {
                let (a, b) = (self.pick_as(&x), self.pick_as(&w));
                let var = self.tape.conv2d(a.var, b.var, spec);
                self.put(var, a.bound * b.bound * spec.patch_len() as f64, false);
            }
            1 => {
                let (a, b) = (self.pick_as(&g), self.pick_as(&w));
                let var = self.tape.conv2d_grad_input(a.var, b.var, spec);
                self.put(var, a.bound * b.bound * (spec.outputs * kernel[0] * kernel[1]) as f64, false);
            }
            _ => {
                let (a, b) = (self.pick_as(&x), self.pick_as(&g));
                let var = self.tape.conv2d_grad_weight(a.var, b.var, spec);
                self.put(var, a.bound * b.bound * (spec.batch * oh * ow) as f64, false);
            }
        }
    }

    pub(crate) fn window(&mut self) {
        let mut pair = |choices: &[usize]| [0; 2].map(|_| self.one_of(choices));
        let spec = WindowSpec {
            size: pair(&[2, 3, 4, 5, 6]),
            kernel: pair(&[1, 2, 3]),
            stride: pair(&[1, 2, 3]),
            padding: pair(&[0, 0, 1]),
        };
        let [oh, ow] = spec.output_size();
        if oh * ow == 0 {
            return;
        }
        let (t, c) = (self.one_of(&[1, 2]), self.one_of(&[1, 3]));
        let large = [t, c, spec.size[0], spec.size[1]];
        let small = [t, c, oh, ow];
        let taps = (spec.kernel[0] * spec.kernel[1]) as f64;
        match self.below(3) {
            0 => {
                let x = self.pick_as(&large);
                let var = self.tape.window_sum(x.var, spec);
                self.put(var, x.bound * taps, false);
            }
            1 => {
                let x = self.pick_as(&small);
                let var = self.tape.window_spread(x.var, spec);
                self.put(var, x.bound * taps, false);
            }
            _ => {
                let chooser = self.pick_exact();
                let chooser = self.coerce(chooser, &large);
                let index = self.tape.window_argmax(chooser.var, spec);
                self.put(index, taps, true);
                let x = if self.chance(50) { chooser } else { self.pick_as(&large) };
                let var = self.tape.window_gather(x.var, index, spec);
                self.put(var, x.bound, x.exact);
                let g = self.pick_as(&small);
                let var = self.tape.window_scatter(g.var, index, spec);
                self.put(var, g.bound * taps, false);
            }
        }
    }

    pub(crate) fn table(&mut self) {
        let index = self.below(self.indices.len());
        let index = self.indices[index];
        let count = self.tape.shape(index.var)[0];
        let (rows, width) = (self.one_of(&[1, 3, 4]), self.one_of(&[1, 2, 5]));
        if self.chance(50) {
            let table = self.pick_as(&[rows, width]);
            let var = self.tape.gather(table.var, index.var);
            self.put(var, table.bound, table.exact);
        } else {
            let values = self.pick_as(&[count, width]);
            let var = self.tape.scatter_add(values.var, index.var, rows);
            self.put(var, values.bound * count as f64, false);
        }
    }
}
