//! The adaptive eavesdropper: it knows the defence and its strength, and does to its trial gradient what the
//! client did to its own.

use serde::Serialize;

use super::{Defence, client_protocol, noise_deviation};
use crate::federated::Protocol;

/// What is done to a trial gradient to match a defended one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Scaled down to this norm where it is longer.
    Clip(f64),
    /// Only the entries that are not 0 in the observed gradient.
    Support,
    /// tanh(g/s) with s the tensor's mean magnitude: a sign with a slope.
    SoftSign,
}

/// What follows from the defences on an update of `batch` pictures, in their order; views act on the mean gradient. Noise has no view, it
/// lowers [`weights`].
pub fn views(defences: &[Defence], protocol: &Protocol, batch: usize) -> Vec<View> {
    let of = |defence: &Defence| match defence {
        Defence::Clip(limit) => Some(View::Clip(limit / protocol.scale(batch).abs())),
        Defence::TopK(_) | Defence::Soteria(_) => Some(View::Support),
        Defence::Sign => Some(View::SoftSign),
        Defence::Noise(_) | Defence::Laplace(_) | Defence::DpSgd { .. } => None,
    };
    defences.iter().filter_map(of).collect()
}

/// The protocol with clipping per example, where the defences have it.
pub fn protocol(defences: &[Defence], protocol: &Protocol) -> Protocol {
    client_protocol(protocol, defences).unwrap_or_else(|_| protocol.clone())
}

/// The share of a tensor's observed energy that is not noise, max(0, 1 − n·s²/‖g*‖²), as its weight (Wiener's
/// filter, one factor a tensor); 1 for all where nothing rises above the noise. `None` without noise.
pub fn weights(
    defences: &[Defence],
    protocol: &Protocol,
    batch: usize,
    gradient: &[Vec<f32>],
) -> Option<Vec<f32>> {
    let deviation = noise_deviation(defences, batch) / protocol.scale(batch).abs();
    if deviation == 0.0 {
        return None;
    }
    let share = |tensor: &Vec<f32>| {
        let energy: f64 = tensor.iter().map(|v| f64::from(*v).powi(2)).sum();
        let noise = tensor.len() as f64 * deviation * deviation;
        (1.0 - noise / energy.max(f64::MIN_POSITIVE)).max(0.0) as f32
    };
    let weights: Vec<f32> = gradient.iter().map(share).collect();
    Some(if weights.iter().all(|w| *w == 0.0) { vec![1.0; weights.len()] } else { weights })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federated::defence::parse;

    #[test]
    fn a_tensor_that_is_all_noise_counts_nothing() {
        let gradient = [vec![0.1f32; 100], vec![10.0; 100]];
        let weights = weights(&parse("noise:0.1").unwrap(), &Protocol::default(), 1, &gradient).unwrap();
        assert!(weights[0].abs() < 1e-6 && weights[1] > 0.999, "{weights:?}");
        assert_eq!(super::weights(&parse("clip:1").unwrap(), &Protocol::default(), 1, &gradient), None);
    }
}
