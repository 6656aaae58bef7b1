//! Sum over each window, padding counted as zero: `x (…,H,W) → (…,OH,OW)`

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, window},
        loops::window_tiles::{self, Tiles},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::WindowKernel,
};

pub(crate) struct WindowSum(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowSum {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![input], write: output, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let isa = window::isa::<R>(spec, workers);
        let work = 2 * out.len() * spec.kernel[0] * spec.kernel[1];
        window::for_planes(out, output, work, workers, |planes, out| {
            let x = &reads[0][planes.start * input..planes.end * input];
            if let Some(tiles) = Tiles::of(spec, planes.len()) {
                let planes = x.chunks(tiles.together * input).zip(out.chunks_mut(tiles.together * output));
                return planes.for_each(|(x, out)| window_tiles::sum(isa, &tiles, x, out));
            }
            for (x, out) in x.chunks(input).zip(out.chunks_mut(output)) {
                // A sum of one number, which makes a 0 of −0, as all sums do.
                let is_done = window::for_each_row_of_points(spec, |from, to| {
                    let points = x[from].iter().step_by(spec.stride[1]);
                    out[to].iter_mut().zip(points).for_each(|(sum, &x)| *sum = x + R::zero());
                });
                if is_done {
                    continue;
                }
                window::for_each_window(spec, |i, window| {
                    let mut sum = R::zero();
                    for row in window.rows() {
                        let row = &x[row * spec.size[1]..][window.cols()];
                        sum += row.iter().fold(R::zero(), |sum, &x| sum + x);
                    }
                    out[i] = sum;
                });
            }
        });
    }
}
