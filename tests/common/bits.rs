//! What an attack found, to the bit.

use gia_gpu::attack::invert::Reconstruction;

/// Pictures, losses and the objective of every trial.
pub(crate) fn bits(found: &[Reconstruction]) -> Vec<Vec<u32>> {
    let trials = found.iter().flat_map(|r| &r.trials);
    trials
        .map(|t| t.images.iter().chain(&t.history).chain([&t.objective]).map(|v| v.to_bits()).collect())
        .collect()
}
