//! What names come to on gradients that have nothing to do with them.

use std::collections::BTreeMap;

use super::{Names, calibration::Scored, comparison::Unit};

/// Gradients for which a name's or a pair's own mean counts half.
const NAME_PRIOR: f64 = 2.0;
const PAIR_PRIOR: f64 = 6.0;
/// Rounds in which means of names and of pairs settle.
const ROUNDS: usize = 30;

/// Means of what has nothing to do with a gradient.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    pub(super) names: Vec<f64>,
    pairs: BTreeMap<Names, f64>,
    pub(super) spread: f64,
}

/// Losses of one gradient's hypotheses in units that gradients share.
pub(super) struct Scale {
    mean: f64,
    unit: f64,
    worst: f64,
}

impl Scale {
    pub(super) fn of(unit: Unit, scored: &Scored) -> Scale {
        let finite: Vec<f64> = scored.losses.iter().copied().filter(|loss| loss.is_finite()).collect();
        let n = finite.len().max(1) as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let spread = (finite.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / n).sqrt();
        let unit = match unit {
            Unit::Spread if spread > 0.0 => spread,
            _ => 1.0,
        };
        let worst = finite.iter().copied().fold(mean, f64::max);
        Scale { mean, unit, worst }
    }

    /// One that is not finite is as bad as the worst that is.
    pub(super) fn scaled(&self, loss: f64) -> f64 {
        let loss = if loss.is_finite() { loss } else { self.worst };
        (loss - self.mean) / self.unit
    }
}

impl Effects {
    pub(super) fn of<'s>(unit: Unit, gradients: impl Iterator<Item = &'s Scored>, names: usize) -> Effects {
        let seen: Vec<(Names, f64)> = gradients
            .flat_map(|scored| {
                let scale = Scale::of(unit, scored);
                let one = |(names, loss): (&Names, &f64)| (sorted(names), scale.scaled(*loss));
                scored.names.iter().zip(&scored.losses).map(one).collect::<Vec<_>>()
            })
            .collect();
        let mut effects = Effects { names: vec![0.0; names], pairs: BTreeMap::new(), spread: 1.0 };
        for _ in 0..ROUNDS {
            for name in 0..names {
                let own: Vec<f64> = seen
                    .iter()
                    .filter(|(all, _)| all.contains(&name))
                    .map(|(all, loss)| {
                        let times = all.iter().filter(|other| **other == name).count() as f64;
                        (loss - effects.usual_of(all) + times * effects.names[name]) / times
                    })
                    .collect();
                effects.names[name] = own.iter().sum::<f64>() / (own.len() as f64 + NAME_PRIOR);
            }
        }
        let mut pairs: BTreeMap<Names, Vec<f64>> = BTreeMap::new();
        for (names, loss) in seen.iter().filter(|(names, _)| names.len() > 1) {
            pairs.entry(names.clone()).or_default().push(loss - effects.usual_of(names));
        }
        let shrunk = |left: Vec<f64>| left.iter().sum::<f64>() / (left.len() as f64 + PAIR_PRIOR);
        effects.pairs = pairs.into_iter().map(|(names, left)| (names, shrunk(left))).collect();
        let square: f64 = seen.iter().map(|(names, loss)| (loss - effects.usual_of(names)).powi(2)).sum();
        let spread = (square / seen.len().max(1) as f64).sqrt();
        effects.spread = if spread > 0.0 { spread } else { 1.0 };
        effects
    }

    /// What these names come to on a gradient that has nothing to do with them.
    pub(super) fn usual(&self, names: &Names) -> f64 {
        self.usual_of(&sorted(names))
    }

    pub(super) fn usual_of(&self, sorted: &Names) -> f64 {
        let each: f64 = sorted.iter().map(|&name| self.names[name]).sum();
        each + self.pairs.get(sorted).copied().unwrap_or(0.0)
    }

    pub(super) fn scores(&self, unit: Unit, scored: &Scored) -> Vec<f64> {
        let scale = Scale::of(unit, scored);
        let one = |(names, loss): (&Names, &f64)| (self.usual(names) - scale.scaled(*loss)) / self.spread;
        scored.names.iter().zip(&scored.losses).map(one).collect()
    }
}

fn sorted(names: &Names) -> Names {
    let mut names = names.clone();
    names.sort_unstable();
    names
}
