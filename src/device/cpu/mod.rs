//! The CPU device: the twin of every kernel, generic over `f32` and `f64`.
