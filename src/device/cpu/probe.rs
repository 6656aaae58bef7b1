//! The processor's probes: multiply-adds in registers, and a triad over memory, on every thread of the pool.

use std::hint::black_box;

use multiversion::{multiversion, target::target_cfg_f};
use rayon::prelude::*;

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

pub fn probe(limit: Limit) -> Result<Probe, DeviceError> {
    let (executable, amount): (Box<dyn Executable>, u64) = match limit {
        Limit::Arithmetic => {
            let lanes = multiply_adds(0) * rayon::current_num_threads();
            (Box::new(Chains), 2 * (TRIPS * lanes) as u64)
        }
        Limit::Memory => {
            let bytes = (3 * LEN * size_of::<f32>()) as u64;
            host::check(|| "the memory probe".into(), bytes)?;
            (Box::new(Triad { arrays: [1.0, 2.0, 3.0].map(|value| vec![value; LEN]) }), bytes)
        }
    };
    Ok(Probe { limit, amount, executable, wait: Var::from_index(0) })
}

/// Chains of multiply-adds, each waiting for itself alone.
struct Chains;

impl Executable for Chains {
    fn write(&mut self, input: Var, _: &[f32]) -> Result<(), DeviceError> {
        Err(DeviceError::UnknownVar(input))
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        rayon::broadcast(|_| {
            for _ in 0..iterations {
                multiply_adds(TRIPS);
            }
        });
        Ok(())
    }

    fn read(&mut self, _: Var) -> Result<Vec<f32>, DeviceError> {
        Ok(vec![])
    }
}

/// `trips` multiply-adds on each of as many lanes as are returned: two vectors for each unit and cycle of latency,
/// and no more than there are registers.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn multiply_adds(trips: usize) -> usize {
    if target_cfg_f!(target_feature = "avx512f") {
        chains::<192, true>(trips)
    } else if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
        chains::<96, true>(trips)
    } else {
        chains::<48, false>(trips)
    }
}

/// `FMA`: the processor has an instruction for it; where not, a call would take its place.
#[inline(always)]
fn chains<const LANES: usize, const FMA: bool>(trips: usize) -> usize {
    let (factor, term) = black_box((0.5f32, 1.0f32));
    let mut lanes = [1.0f32; LANES];
    for _ in 0..trips {
        for lane in &mut lanes {
            *lane = if FMA { lane.mul_add(factor, term) } else { *lane * factor + term };
        }
    }
    black_box(lanes);
    LANES
}

/// `a ← b + s·c` (McCalpin's STREAM).
struct Triad {
    arrays: [Vec<f32>; 3],
}

impl Executable for Triad {
    fn write(&mut self, input: Var, _: &[f32]) -> Result<(), DeviceError> {
        Err(DeviceError::UnknownVar(input))
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        let [a, b, c] = &mut self.arrays;
        let factor = black_box(3.0);
        for _ in 0..iterations {
            let blocks = a.par_chunks_mut(BLOCK).zip(b.par_chunks(BLOCK)).zip(c.par_chunks(BLOCK));
            blocks.for_each(|((a, b), c)| {
                for ((a, &b), &c) in a.iter_mut().zip(b).zip(c) {
                    *a = b + factor * c;
                }
            });
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
        let mut triad = Triad { arrays: [0.0, 2.0, 3.0].map(|value| vec![value; BLOCK + 1]) };
        triad.run(1).unwrap();
        assert!(triad.arrays[0].iter().all(|&a| a == 11.0));
        assert!([48, 96, 192].contains(&multiply_adds(3)));
    }
}
