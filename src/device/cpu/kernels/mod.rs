//! The twin of every kernel, by its name, and what the executable asks of each.

mod conv2d;
mod conv2d_grad_input;
mod conv2d_grad_weight;
mod conv_sum;
mod gather;
mod map;
mod map_reduce;
mod matmul;
mod scatter_add;
mod validate;
mod window;
mod window_argmax;
mod window_gather;
mod window_scatter;
mod window_spread;
mod window_sum;

use self::{
    conv_sum::ConvSum, conv2d::Conv2d, conv2d_grad_input::Conv2dGradInput,
    conv2d_grad_weight::Conv2dGradWeight, gather::Gather, map::Map, map_reduce::MapReduce, matmul::Matmul,
    scatter_add::ScatterAdd, window_argmax::WindowArgmax, window_gather::WindowGather,
    window_scatter::WindowScatter, window_spread::WindowSpread, window_sum::WindowSum,
};
use super::{convolution::Way, memory::workers::Workers, vectors::Real};
use crate::plan::kernel::{Kernel, MatrixView};

/// A kernel prepared for its shapes.
pub trait Prepared<R>: Send + Sync {
    fn needs(&self) -> Needs;

    /// Computes `out` (exactly [`Needs::write`] elements) from `reads` (at least [`Needs::reads`]).
    /// Allocates nothing.
    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>);

    /// The operand that is brought into another order as a whole before it is used, if there is one: where it stays the same
    /// from iteration to iteration that is done once.
    fn packing(&self) -> Option<Packing> {
        None
    }

    /// Brings that operand into its order: [`Packing::len`] elements.
    fn pack(&self, _reads: &[&[R]], _to: &mut [R], _workers: &mut Workers<R>) {}

    /// As [`Prepared::run`], with that operand in its order.
    fn run_packed(&self, reads: &[&[R]], _packed: &[R], out: &mut [R], workers: &mut Workers<R>) {
        self.run(reads, out, workers);
    }
}

/// An operand in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packing {
    /// Which of the kernel's reads.
    pub read: usize,
    /// Its matrix, `(rows, columns)`.
    pub view: MatrixView,
    pub sizes: [usize; 2],
    /// Elements in that order.
    pub len: usize,
}

/// Elements that a kernel uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Length that each buffer read must at least have.
    pub reads: Vec<usize>,
    pub write: usize,
    /// Registers for each thread.
    pub registers: usize,
    /// Scratch for each thread.
    pub scratch: usize,
    /// Scratch of the whole step.
    pub shared: usize,
    /// Operands that are packed once for all threads.
    pub packed: usize,
}

/// A number type that all kernels are compiled for, once, in this crate: whoever uses the device does not compile them again.
pub trait Number: Real {
    /// The kernel of a step, or what is wrong with it. Convolutions go `way` where it fits.
    #[doc(hidden)]
    fn prepare(kernel: &Kernel, way: Option<Way>) -> Result<Box<dyn Prepared<Self>>, String>;
}

impl Number for f32 {
    fn prepare(kernel: &Kernel, way: Option<Way>) -> Result<Box<dyn Prepared<Self>>, String> {
        prepare(kernel, way)
    }
}

impl Number for f64 {
    fn prepare(kernel: &Kernel, way: Option<Way>) -> Result<Box<dyn Prepared<Self>>, String> {
        prepare(kernel, way)
    }
}

fn prepare<R: Real>(kernel: &Kernel, way: Option<Way>) -> Result<Box<dyn Prepared<R>>, String> {
    Ok(match kernel {
        Kernel::Map(k) => Box::new(Map::new(k)?),
        Kernel::MapReduce(k) => Box::new(MapReduce::new(k)?),
        Kernel::Matmul(k) => Box::new(Matmul::new(k)),
        Kernel::Conv2d(k) => Box::new(Conv2d::new(k, way)),
        Kernel::Conv2dGradInput(k) => Box::new(Conv2dGradInput::new(k, way)),
        Kernel::Conv2dGradWeight(k) => Box::new(Conv2dGradWeight::new(k, way)),
        Kernel::Conv2dSum(k) => Box::new(ConvSum(k.parts().map(|part| Conv2d::new(&part, way)))),
        Kernel::Conv2dGradInputSum(k) => {
            Box::new(ConvSum(k.parts().map(|part| Conv2dGradInput::new(&part, way))))
        }
        Kernel::WindowArgmax(k) => Box::new(WindowArgmax(*k)),
        Kernel::WindowGather(k) => Box::new(WindowGather(*k)),
        Kernel::WindowScatter(k) => Box::new(WindowScatter(*k)),
        Kernel::WindowSum(k) => Box::new(WindowSum(*k)),
        Kernel::WindowSpread(k) => Box::new(WindowSpread(*k)),
        Kernel::Gather(k) => Box::new(Gather(*k)),
        Kernel::ScatterAdd(k) => Box::new(ScatterAdd(*k)),
    })
}
