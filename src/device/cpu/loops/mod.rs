//! The loops that kernels are made of: matrix products, and fused expressions block by block.

pub(crate) mod evaluate;
pub(crate) mod folds;
pub(crate) mod gemm;
pub(crate) mod gemv;
pub(crate) mod lanes;
pub(crate) mod program;
pub(crate) mod space;
pub(crate) mod transpose;
mod window_rows;
pub(crate) mod window_tiles;
