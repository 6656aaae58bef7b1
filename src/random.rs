//! The one source of randomness: a seeded generator, split by purpose, so that adding a draw for one
//! purpose never changes what another draws.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

/// The generator for one purpose of a run, e.g. `"weights"`.
pub fn generator(seed: u64, purpose: &str) -> ChaCha8Rng {
    // FNV-1a: any fixed hash will do, it only has to stay the same.
    let stream = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// `len` draws from N(0, 1).
pub fn normal(generator: &mut impl Rng, len: usize) -> Vec<f32> {
    StandardNormal.sample_iter(generator).take(len).collect()
}

/// `len` draws from U(−bound, bound).
pub fn uniform(generator: &mut impl Rng, bound: f32, len: usize) -> Vec<f32> {
    let range = Uniform::new_inclusive(-bound, bound).expect("a finite bound ≥ 0");
    range.sample_iter(generator).take(len).collect()
}
