//! The adjoint of `window_sum`: `g (…,OH,OW) → (…,H,W)`

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, window},
        loops::window_tiles::{self, Tiles},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::WindowKernel,
};

pub(crate) struct WindowSpread(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowSpread {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![output], write: input, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let isa = window::isa::<R>(spec, workers);
        let work = out.len() + self.0.planes * output * spec.kernel[0] * spec.kernel[1];
        if output == 0 {
            return out.fill(R::zero());
        }
        window::for_planes(out, input, work, workers, |planes, out| {
            let g = &reads[0][planes.start * output..planes.end * output];
            if let Some(tiles) = Tiles::of(spec, planes.len()) {
                let planes = g.chunks(tiles.together * output).zip(out.chunks_mut(tiles.together * input));
                return planes.for_each(|(g, out)| window_tiles::spread(isa, &tiles, g, out));
            }
            out.fill(R::zero());
            for (g, out) in g.chunks(output).zip(out.chunks_mut(input)) {
                let is_done = window::for_each_row_of_points(spec, |to, from| {
                    let points = out[to].iter_mut().step_by(spec.stride[1]);
                    points.zip(&g[from]).for_each(|(value, &g)| *value += g);
                });
                if is_done {
                    continue;
                }
                window::for_each_window(spec, |i, window| {
                    for row in window.rows() {
                        for value in &mut out[row * spec.size[1]..][window.cols()] {
                            *value += g[i];
                        }
                    }
                });
            }
        });
    }
}
