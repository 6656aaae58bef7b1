//! The loops that kernels are made of: matrix products, and fused expressions block by block.

pub mod evaluate;
pub mod folds;
pub mod gemm;
pub mod gemv;
pub mod lanes;
pub mod program;
pub mod space;
pub mod transpose;
mod window_rows;
pub mod window_tiles;
