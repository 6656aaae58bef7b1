//! Every kernel of the CPU device at every instruction set against its definition, written as nested loops in `f64`.

mod adjoint;
mod bits;
mod contraction;
mod depthwise;
mod direct;
mod errors;
mod indexed;
mod naive;
mod outputs;
mod pointwise;
mod reduction;
mod same_bits;
mod support;
mod threads;
mod window;
mod winograd;
