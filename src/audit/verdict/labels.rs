//! Whether the labels restored are more than a guess.

use rand::RngExt;

use super::{Measure, chance::beside};
use crate::{
    attack::{
        invert::{LabelSource, Reconstruction},
        labels::LabelMetrics,
    },
    audit::Clients,
    random,
    statistics::Estimate,
};

/// Guesses of all batches' labels.
const DRAWS: usize = 9_999;

/// Share of the labels restored (IRec), beside labels drawn evenly from all classes; `None` where they were given.
pub(crate) fn measure(
    found: &[Reconstruction],
    clients: &Clients,
    classes: usize,
    seed: u64,
) -> Option<Measure> {
    if found.iter().all(|f| f.label_source == LabelSource::Given) {
        return None;
    }
    let right = |labels: &[usize], truth: &[usize]| LabelMetrics::of(labels, truth, classes).irec;
    let pairs = || found.iter().zip(&clients.batches);
    let shares: Vec<f64> = pairs().map(|(f, b)| right(&f.labels, &b.labels)).collect();
    let estimate = Estimate::of_shares(&shares);
    let mut generator = random::generator(seed, "guesses of labels");
    let mut guess = || {
        let of_batch = |labels: &Vec<usize>| {
            let guessed: Vec<usize> = labels.iter().map(|_| generator.random_range(0..classes)).collect();
            right(&guessed, labels)
        };
        clients.batches.iter().map(|b| &b.labels).map(of_batch).sum::<f64>() / shares.len() as f64
    };
    let draws: Vec<f64> = (0..DRAWS).map(|_| guess()).collect();
    let (p_value, floor) = beside(estimate.mean, &draws);
    Some(Measure { estimate: estimate.mean, interval: estimate.interval_95, floor, p_value: Some(p_value) })
}
