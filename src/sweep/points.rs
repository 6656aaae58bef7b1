//! Cells pooled over seeds, as lines over batch size: what tables and plots show.

use std::collections::{BTreeMap, BTreeSet};

use super::{BatchRecord, Cell, Pairings, Record, Scores, Seen, Source, UNDEFENDED, UNTRAINED};
use crate::{report::html::Measured, semantic::Assignment, statistics::paired_p_value};

/// All cells of one victim, its weights, one defence and one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its architecture, with options.
    pub victim: String,
    /// Where its weights come from.
    pub weights: String,
    /// What it is called; `none`.
    pub defence: String,
    /// As in [`Cell`].
    pub attack: String,
    /// By rising batch size.
    pub points: Vec<Point>,
}

/// Mean over the seeds of one batch size.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// `B`
    pub batch_size: usize,
    /// Of all seeds.
    pub batches: usize,
    /// Batches of which nothing could be read.
    pub skipped: usize,
    /// Share of names that is right by chance; absent where nothing was named.
    pub random: Option<f64>,
    /// Share of labels named right from one batch.
    pub single: BTreeMap<Source, Measured>,
    /// That chance makes reconstructions name as much more than this control does on the same batches.
    pub against: BTreeMap<Source, f64>,
    /// The same from groups of batches.
    pub aggregated: BTreeMap<Source, Measured>,
    /// In dB, one-to-one.
    pub psnr: Option<Measured>,
    /// One-to-one.
    pub ssim: Option<Measured>,
    /// SSIM of a flat grey picture in place of every reconstruction.
    pub ssim_flat_grey: Option<Measured>,
    /// As networks see them, one-to-one.
    pub likeness: Seen<Measured>,
    /// Share of the batches' labels that were found (IRec).
    pub irec: Option<Measured>,
    /// Share of the members found at no false alarm.
    pub membership: Option<Measured>,
}

impl Line {
    /// Whether its weights come from a file.
    pub fn is_trained(&self) -> bool {
        self.weights != UNTRAINED
    }

    /// Whether its clients protect what they send.
    pub fn is_defended(&self) -> bool {
        self.defence != UNDEFENDED
    }
}

/// The lines of a sweep, in the order in which its cells name them; names are given by `assignment`.
pub fn lines(records: &[&Record], assignment: Assignment) -> Vec<Line> {
    let of = |cell: &Cell| {
        let Cell { victim, weights, defence, attack, .. } = cell;
        [victim, weights, defence, attack].map(String::clone)
    };
    let mut order = vec![];
    for record in records {
        let name = of(&record.cell);
        if !order.contains(&name) {
            order.push(name);
        }
    }
    let line = |name: [String; 4]| {
        let own: Vec<&Record> = records.iter().copied().filter(|r| of(&r.cell) == name).collect();
        let sizes: BTreeSet<usize> = own.iter().map(|r| r.cell.batch_size).collect();
        let point = |size: usize| {
            let seeds: Vec<&Record> = own.iter().copied().filter(|r| r.cell.batch_size == size).collect();
            Point::of(size, &seeds, assignment)
        };
        let points = sizes.into_iter().map(point).collect();
        let [victim, weights, defence, attack] = name;
        Line { victim, weights, defence, attack, points }
    };
    order.into_iter().map(line).collect()
}

impl Point {
    fn of(batch_size: usize, seeds: &[&Record], assignment: Assignment) -> Point {
        let over = |value: &dyn Fn(&Record) -> Option<Measured>| {
            pool(&seeds.iter().filter_map(|r| value(r)).collect::<Vec<_>>())
        };
        let one_to_one = |of: fn(&Record) -> &Pairings<Measured>| over(&|r| of(r).one_to_one);
        let naming = || seeds.iter().filter_map(|r| r.naming.as_ref());
        let scores = |all: Vec<&BTreeMap<Source, Scores>>| {
            let score = |source: Source| {
                let of_seeds = all.iter().filter_map(|scores| scores.get(&source)?.by(assignment));
                Some((source, pool(&of_seeds.collect::<Vec<_>>())?))
            };
            Source::ALL.into_iter().filter_map(score).collect()
        };
        Point {
            batch_size,
            batches: seeds.iter().map(|r| r.batches.len()).sum(),
            skipped: seeds.iter().map(|r| r.skipped.len()).sum(),
            random: naming().next().map(|n| n.random),
            single: scores(naming().map(|n| &n.single).collect()),
            against: Source::CONTROLS
                .into_iter()
                .filter_map(|s| Some((s, against(seeds, s, assignment)?)))
                .collect(),
            aggregated: scores(naming().map(|n| &n.aggregated).collect()),
            psnr: one_to_one(|r| &r.figures.psnr),
            ssim: one_to_one(|r| &r.figures.ssim),
            ssim_flat_grey: over(&|r| r.figures.ssim_flat_grey),
            likeness: Seen {
                lpips: over(&|r| r.figures.likeness.lpips),
                fmse: over(&|r| r.figures.likeness.fmse),
                rank_lpips: over(&|r| r.figures.likeness.rank_lpips),
                rank_features: over(&|r| r.figures.likeness.rank_features),
            },
            irec: over(&|r| r.figures.irec),
            membership: over(&|r| r.membership),
        }
    }
}

/// Paired by batch, over all seeds; `None` where a batch lacks one of both.
fn against(seeds: &[&Record], control: Source, assignment: Assignment) -> Option<f64> {
    let pair = |batch: &BatchRecord| {
        let share = |source| batch.named.get(&source)?.by(assignment);
        Some((share(Source::Reconstructions)?, share(control)?))
    };
    let pairs: Option<Vec<_>> = seeds.iter().flat_map(|record| &record.batches).map(pair).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| paired_p_value(&pairs))
}

/// Mean of independent means. An end of the interval is as far from it as the squares of its parts add up to; without
/// an interval in every part there is none.
fn pool(parts: &[Measured]) -> Option<Measured> {
    let count = parts.len() as f64;
    let mean = parts.iter().map(|p| p.mean).sum::<f64>() / count;
    let distance = |end: usize| {
        let squares = parts.iter().map(|p| p.interval_95.map(|ends| (ends[end] - p.mean).powi(2)));
        squares.sum::<Option<f64>>().map(|sum| sum.sqrt() / count)
    };
    let interval_95 = distance(0).zip(distance(1)).map(|(below, above)| [mean - below, mean + above]);
    (!parts.is_empty()).then_some(Measured { mean, interval_95 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_equals_narrows_by_the_root_of_their_number() {
        let part = Measured { mean: 0.5, interval_95: Some([0.3, 0.6]) };
        assert_eq!(pool(&[part]).unwrap().mean, 0.5);
        let four = pool(&[part; 4]).unwrap();
        let [low, high] = four.interval_95.unwrap();
        assert!((low - 0.4).abs() < 1e-12 && (high - 0.55).abs() < 1e-12, "{low} {high}");
        let alone = Measured { mean: 1.5, interval_95: None };
        assert_eq!(pool(&[part, alone]), Some(Measured { mean: 1.0, interval_95: None }));
        assert_eq!(pool(&[]), None);
    }
}
