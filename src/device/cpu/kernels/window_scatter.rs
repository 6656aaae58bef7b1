//! The adjoint of `window_gather`: `g (…,OH,OW), index (…,OH,OW) → (…,H,W)`

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, window},
        loops::window_tiles::{self, Tiles},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::WindowKernel,
};

pub(crate) struct WindowScatter(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowScatter {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![output, output], write: input, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let work = out.len() + 4 * self.0.planes * output;
        let spec = &self.0.spec;
        let isa = window::isa::<R>(spec, workers);
        if output == 0 {
            return out.fill(R::zero());
        }
        window::for_planes(out, input, work, workers, |planes, out| {
            let g = &reads[0][planes.start * output..planes.end * output];
            let index = &reads[1][planes.start * output..planes.end * output];
            if let Some(tiles) = Tiles::of(spec, planes.len()) {
                let [input, output] = [input, output].map(|len| len * tiles.together);
                let planes = g.chunks(output).zip(index.chunks(output)).zip(out.chunks_mut(input));
                return planes
                    .for_each(|((g, index), out)| window_tiles::scatter(isa, &tiles, g, index, out));
            }
            out.fill(R::zero());
            for ((g, index), out) in g.chunks(output).zip(index.chunks(output)).zip(out.chunks_mut(input)) {
                window::for_each_window(spec, |i, window| {
                    if let Some(element) = window.element(index[i].into_f64()) {
                        out[element] += g[i];
                    }
                });
            }
        });
    }
}
