//! Kinds of defences, each from weak to strong, on the scale of these clients' gradients.

use super::Advisor;
use crate::{
    audit::{AuditError, Clients},
    federated::{Client, Protocol, defence::Defence},
};

/// Deviation of noise, in the gradient's root mean square.
const NOISE: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Deviation of DP-SGD's noise, in clip norms.
const MULTIPLIERS: [f64; 7] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// Share of the entries that are sent.
const KEPT: [f64; 4] = [0.3, 0.1, 0.01, 0.001];
/// Share of the last layer's inputs that are pruned.
const PRUNED: [f64; 3] = [0.4, 0.8, 0.95];

/// `gradients`: what the clients send undefended, as mean gradients.
pub(crate) fn families(
    advisor: &Advisor,
    clients: &Clients,
    gradients: &[Vec<f32>],
) -> Result<Vec<Vec<Defence>>, AuditError> {
    let protocol = &advisor.audit.protocol;
    let count = gradients.iter().map(Vec::len).sum::<usize>().max(1);
    let square: f64 = gradients.iter().flatten().map(|v| f64::from(*v).powi(2)).sum();
    let level = (square / count as f64).sqrt() * protocol.scale(clients.batch()).abs();
    let clip = round(norm_of_a_picture(advisor, clients)?);
    Ok(vec![
        NOISE.iter().map(|factor| Defence::Noise(round(factor * level))).collect(),
        MULTIPLIERS.iter().map(|&multiplier| Defence::DpSgd { clip, multiplier }).collect(),
        KEPT.iter().map(|&share| Defence::TopK(share)).collect(),
        PRUNED.iter().map(|&share| Defence::Soteria(share)).collect(),
        vec![Defence::Sign],
    ])
}

/// Median length of one picture's gradient, which Abadi 2016 recommends to clip to.
fn norm_of_a_picture(advisor: &Advisor, clients: &Clients) -> Result<f64, AuditError> {
    let audit = advisor.audit;
    // One picture alone has no statistics of a batch.
    let protocol = Protocol { loss: audit.protocol.loss.clone(), ..Protocol::default() };
    let mut client = Client::new(advisor.device, &audit.victim, &protocol, 1)?;
    let mut lengths = vec![];
    for batch in &clients.batches {
        for (picture, &label) in batch.pictures.iter().zip(&batch.labels) {
            let image = audit.normalisation.normalise(std::slice::from_ref(picture))?;
            let gradient = client.update(&audit.victim, &image, &[label])?.gradient;
            lengths.push(gradient.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt());
        }
    }
    lengths.sort_by(f64::total_cmp);
    Ok(lengths.get(lengths.len() / 2).copied().unwrap_or(1.0))
}

/// Two digits, so that it can be typed; never 0.
fn round(value: f64) -> f64 {
    let rounded = format!("{value:.1e}").parse().unwrap_or(value);
    if rounded > 0.0 { rounded } else { f64::from(f32::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::round;

    #[test]
    fn strengths_have_two_digits() {
        assert_eq!(round(0.012345), 0.012);
        assert_eq!(round(987.0), 990.0);
        assert!(round(0.0) > 0.0);
    }
}
