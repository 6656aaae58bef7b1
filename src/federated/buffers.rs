//! Batch norm's running statistics in what a client sends: as they are, or as differences to the server's.

use super::{Kind, Protocol, Victim};

/// Rounding that a running statistic may have, in share of its size.
const ROUNDING: f32 = 1e-3;

/// What the buffers of an update hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The client's own.
    Absolute,
    /// The client's minus the server's, as a whole `state_dict` that is subtracted gives them.
    Differences,
}

/// What `buffers` (mean and variance of each batch norm in turn) of a client that took these steps can be. A running
/// variance is at least (1 − momentum)^steps times what it was, and its difference can be anything.
pub fn meaning(victim: &Victim, kind: Kind, protocol: &Protocol, buffers: &[Vec<f32>]) -> Meaning {
    if kind != Kind::Update {
        return Meaning::Absolute;
    }
    let kept = |momentum: f64| (1.0 - momentum).powi(protocol.steps() as i32) as f32;
    let variances = victim.buffers().zip(buffers).skip(1).step_by(2);
    let below = variances.zip(victim.model.momenta()).any(|((server, sent), momentum)| {
        let least = kept(momentum) - ROUNDING;
        server.iter().zip(sent).any(|(server, sent)| *sent < least * server)
    });
    if below { Meaning::Differences } else { Meaning::Absolute }
}

/// The client's own statistics after its training.
pub fn absolute(victim: &Victim, meaning: Meaning, mut buffers: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    if meaning == Meaning::Differences {
        for (sent, server) in buffers.iter_mut().zip(victim.buffers()) {
            sent.iter_mut().zip(server).for_each(|(sent, server)| *sent += server);
        }
    }
    buffers
}

/// Whether they differ from the server's, as those of a client in train mode do.
pub fn moved(victim: &Victim, buffers: &[Vec<f32>]) -> bool {
    let pairs = victim.buffers().zip(buffers).flat_map(|(server, sent)| server.iter().zip(sent));
    pairs.into_iter().any(|(server, sent)| (sent - server).abs() > 1e-6 * server.abs().max(1e-3))
}

/// The name and value of the first variance below 0, beyond what rounding does.
///
/// `statistics`: mean and variance of each batch norm in turn.
pub fn negative_variance(victim: &Victim, statistics: &[Vec<f32>]) -> Option<(String, f32)> {
    let names = victim.buffer_specs();
    statistics.iter().zip(names).skip(1).step_by(2).find_map(|(variances, spec)| {
        let largest = variances.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        let negative = variances.iter().find(|v| **v < -ROUNDING * largest.max(1e-6))?;
        Some((spec.name, *negative))
    })
}
