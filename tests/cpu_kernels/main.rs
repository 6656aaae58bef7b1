//! Every kernel of the CPU device against its definition, written as nested loops in `f64`.

mod adjoint;
mod bits;
mod contraction;
mod direct;
mod errors;
mod indexed;
mod naive;
mod outputs;
mod pointwise;
mod reduction;
mod support;
mod threads;
mod window;
mod winograd;
