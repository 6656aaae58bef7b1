//! The processor's probes: multiply-adds in registers, and a triad over memory, on every thread of the pool.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::hint::black_box;

use fearless_simd::{Simd, SimdFloat};
use rayon::prelude::*;

use super::vectors::{Isa, Real, V, first, len, put, registers, splat, vectorized};
use crate::{
    device::{
        DeviceError, Executable, host,
        probe::{Limit, Probe},
    },
    tape::Var,
};

/// Multiply-adds of each lane in one replay.
const TRIPS: usize = 100_000;

/// Elements of each array of the triad: 128 MiB, more than the caches of a processor hold.
const LEN: usize = 32 << 20;
/// Elements that a thread works on at a time.
const BLOCK: usize = 64 << 10;

pub(crate) fn probe(isa: Isa, limit: Limit) -> Result<Probe, DeviceError> {
    let (executable, amount): (Box<dyn Executable>, u64) = match limit {
        Limit::Arithmetic => {
            let lanes = multiply_adds(isa, 1.0f32, 0) * rayon::current_num_threads();
            (Box::new(Chains(isa)), 2 * (TRIPS * lanes) as u64)
        }
        Limit::Memory => {
            let bytes = (3 * LEN * size_of::<f32>()) as u64;
            host::check(|| "the memory probe".into(), bytes)?;
            (Box::new(Triad { isa, arrays: [1.0, 2.0, 3.0].map(|value| vec![value; LEN]) }), bytes)
        }
    };
    Ok(Probe { limit, amount, executable, wait: Var::from_index(0) })
}

/// Chains of multiply-adds, each waiting for itself alone.
struct Chains(Isa);

impl Executable for Chains {
    fn write(&mut self, input: Var, _: &[f32]) -> Result<(), DeviceError> {
        Err(DeviceError::UnknownVar(input))
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        let isa = self.0;
        rayon::broadcast(|_| {
            for _ in 0..iterations {
                multiply_adds(isa, 1.0f32, TRIPS);
            }
        });
        Ok(())
    }

    fn read(&mut self, _: Var) -> Result<Vec<f32>, DeviceError> {
        Ok(vec![])
    }
}

vectorized! {
    /// `trips` multiply-adds, from `one` on, on each of as many lanes as are returned: in as many vectors as a tile of sums has, which is enough
    /// for every unit and cycle of latency.
    fn multiply_adds(one: R, trips: usize) -> usize = multiply_adds_loop;

    /// `a[i] = b[i] + factor·c[i]`
    fn triad(factor: R, a: &mut [R], b: &[R], c: &[R]) = triad_loop;
}

#[inline(always)]
fn multiply_adds_loop<S: Simd, R: Real>(simd: S, one: R, trips: usize) -> usize {
    if registers::<S, R>() == 32 {
        chains::<S, R, 16>(simd, one, trips)
    } else {
        chains::<S, R, 10>(simd, one, trips)
    }
}

#[inline(always)]
fn chains<S: Simd, R: Real, const N: usize>(simd: S, one: R, trips: usize) -> usize {
    let (factor, term) = black_box((0.5, 1.0));
    let [factor, term] = [factor, term].map(|value| splat::<S, R>(simd, R::of(value)));
    let mut sums = [splat::<S, R>(simd, one); N];
    for _ in 0..trips {
        for i in 0..N {
            sums[i] = sums[i].mul_add(factor, term);
        }
    }
    let mut lanes = [R::zero(); 16];
    for i in 0..N {
        put::<S, R>(sums[i], black_box(&mut lanes));
    }
    N * len::<S, R>()
}

#[inline(always)]
fn triad_loop<S: Simd, R: Real>(simd: S, factor: R, a: &mut [R], b: &[R], c: &[R]) {
    let factor = splat::<S, R>(simd, factor);
    let width = len::<S, R>();
    for ((a, b), c) in a.chunks_exact_mut(width).zip(b.chunks_exact(width)).zip(c.chunks_exact(width)) {
        let sum: V<S, R> = factor.mul_add(first::<S, R>(simd, c), first::<S, R>(simd, b));
        put::<S, R>(sum, a);
    }
}

/// `a ← b + s·c` (McCalpin's STREAM).
struct Triad {
    isa: Isa,
    arrays: [Vec<f32>; 3],
}

impl Executable for Triad {
    fn write(&mut self, input: Var, _: &[f32]) -> Result<(), DeviceError> {
        Err(DeviceError::UnknownVar(input))
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        let isa = self.isa;
        let [a, b, c] = &mut self.arrays;
        let factor = black_box(3.0);
        for _ in 0..iterations {
            let blocks = a.par_chunks_mut(BLOCK).zip(b.par_chunks(BLOCK)).zip(c.par_chunks(BLOCK));
            blocks.for_each(|((a, b), c)| triad(isa, factor, a, b, c));
        }
        Ok(())
    }

    fn read(&mut self, _: Var) -> Result<Vec<f32>, DeviceError> {
        Ok(vec![])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triad_computes_and_the_chains_count_their_lanes() {
        for isa in Isa::available() {
            let arrays = [0.0, 2.0, 3.0].map(|value| vec![value; BLOCK + 64]);
            let mut triad = Triad { isa, arrays };
            triad.run(1).unwrap();
            assert!(triad.arrays[0].iter().all(|&a| a == 11.0));
            assert!([40, 64, 80, 256].contains(&multiply_adds(isa, 1.0f32, 3)));
        }
    }
}
