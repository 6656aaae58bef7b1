//! Chains of multiply-adds in registers.

use super::{
    super::launch::{Launch, Slot},
    text,
};

const SHADER: &str = include_str!("../../../../shaders/probe_fma.wgsl");

/// Enough to fill the largest adapter several times, and little enough for one dispatch on the smallest.
const GROUPS: usize = 2048;
const TRIPS: usize = 128;
/// Multiply-adds of each chain in one trip.
const REPEATS: usize = 4;
/// Of one trip: eight chains of four lanes, two operations a multiply-add.
const FLOPS: usize = 8 * 4 * REPEATS * 2;

/// Elements of the result.
pub const LEN: usize = GROUPS * 256;

/// The launch, and the floating-point operations that it does.
pub fn launch(write: Slot) -> (Launch, u64) {
    let launch = Launch {
        kernel: "probe_fma",
        variant: String::new(),
        source: text::unroll(&text::fill(SHADER, &[("REPEATS", &REPEATS.to_string())])),
        params: vec![TRIPS as u32, 0.5f32.to_bits(), 1.0f32.to_bits()],
        reads: vec![],
        write,
        groups: [GROUPS as u32, 1, 1],
    };
    (launch, (LEN * TRIPS * FLOPS) as u64)
}
