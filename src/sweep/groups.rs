//! What an eavesdropper reads who has several updates: naming from groups of batches.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Scores, Shares};
use crate::{
    random,
    report::html::Measured,
    semantic::{Assignment, Scorer, Seen, Truth},
    statistics::fraction_interval_95,
};

/// Groups that the mean is of, about.
const GROUPS: usize = 200;

/// Batches that are named in groups of `size`, and what they are judged by.
#[derive(Clone, Copy)]
pub struct Groups<'a> {
    /// `M` batches.
    pub seen: &'a [Seen],
    /// `M`: the indices that each truly holds.
    pub present: &'a [BTreeSet<usize>],
    /// What the label indices mean.
    pub truth: &'a Truth,
    /// `M`: how much each counts.
    pub weights: &'a [f64],
    /// Batches of a group.
    pub size: usize,
}

impl Groups<'_> {
    /// Share of a group's indices named right from all its batches together, over groups of different batches; `None`
    /// where there are too few batches for one.
    ///
    /// The mean is over random groups in which every batch is about as often. The interval is Clopper and Pearson's, of so
    /// many independent units as there are groups of different batches times the indices of a group, or its batches where
    /// those are fewer.
    pub fn scores(&self) -> Option<Scores> {
        let greedy = self.score(Assignment::Greedy)?;
        Some(Scores { greedy, one_to_one: self.score(Assignment::OneToOne) })
    }

    /// From each batch alone.
    pub fn alone(&self) -> Vec<Shares> {
        let share = |m: usize, assignment| self.share(assignment, &[m]);
        let both = |m| Shares {
            greedy: share(m, Assignment::Greedy).unwrap_or(0.0),
            one_to_one: share(m, Assignment::OneToOne),
        };
        (0..self.seen.len()).map(both).collect()
    }

    fn score(&self, assignment: Assignment) -> Option<Measured> {
        let count = self.seen.len();
        if self.size == 0 || count < self.size {
            return None;
        }
        let mut generator = random::generator(0, "groups of batches");
        let mean = self.mean(assignment, &partitions(count, self.size, &mut generator))?;
        let units = (count / self.size) as f64 * self.indices().min(self.size as f64);
        Some(Measured { mean, interval_95: Some(fraction_interval_95(mean * units, units)) })
    }

    /// Different indices of a group of neighbours, on average.
    fn indices(&self) -> f64 {
        let groups = self.present.chunks_exact(self.size);
        let count = groups.len();
        let of = |group: &[BTreeSet<usize>]| group.iter().flatten().collect::<BTreeSet<_>>().len();
        groups.map(of).sum::<usize>() as f64 / count.max(1) as f64
    }

    fn mean(&self, assignment: Assignment, groups: &[Vec<usize>]) -> Option<f64> {
        let shares = groups.iter().map(|group| self.share(assignment, group));
        Some(shares.sum::<Option<f64>>()? / groups.len() as f64)
    }

    fn share(&self, assignment: Assignment, batches: &[usize]) -> Option<f64> {
        let Groups { seen, present, truth, weights, .. } = *self;
        let (right, of) = Scorer { seen, present, truth, weights }.right(assignment, batches).ok()?;
        Some(right as f64 / of.max(1) as f64)
    }
}

/// The batches dealt into groups, again and again in another order; one group where all fit.
fn partitions(count: usize, size: usize, generator: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..count).collect();
    if count == size {
        return vec![order];
    }
    let mut groups = vec![];
    while groups.len() < GROUPS {
        order.shuffle(generator);
        groups.extend(order.chunks_exact(size).map(<[usize]>::to_vec));
    }
    groups
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// Batches of one index each out of two, whose rows are right with probability 3/4.
    fn scene(count: usize) -> (Vec<Seen>, Vec<BTreeSet<usize>>) {
        let mut generator = random::generator(7, "scene");
        let one = |_| {
            let right = if generator.random_range(0..4) > 0 { 0.7 } else { 0.3 };
            let index = generator.random_range(0..2);
            let row = if index == 0 { vec![right, 1.0 - right] } else { vec![1.0 - right, right] };
            (Seen { indices: vec![index], rows: vec![row] }, BTreeSet::from([index]))
        };
        (0..count).map(one).unzip()
    }

    fn truth() -> Truth {
        let names = ["cat".to_string(), "dog".to_string()];
        Truth::new(&names.clone().map(Some), &names)
    }

    fn score(count: usize, size: usize) -> Option<Measured> {
        let ((seen, present), truth) = (scene(count), truth());
        let weights = vec![1.0; count];
        let groups = Groups { seen: &seen, present: &present, truth: &truth, weights: &weights, size };
        groups.scores().map(|scores| scores.greedy)
    }

    #[test]
    fn larger_groups_read_more_with_intervals_that_hold_the_mean() {
        let scores: Vec<Measured> = [1, 4, 12].map(|size| score(60, size).unwrap()).into();
        assert!(scores.windows(2).all(|pair| pair[0].mean + 0.03 < pair[1].mean), "{scores:?}");
        for Measured { mean, interval_95 } in scores {
            let [low, high] = interval_95.unwrap();
            assert!(low <= mean && mean <= high && high - low > 0.01, "{low} {mean} {high}");
        }
        assert_eq!(score(60, 4), score(60, 4));
    }

    #[test]
    fn groups_of_one_are_the_batches_and_their_interval_narrows_with_the_sample() {
        let ((seen, present), truth, weights) = (scene(60), truth(), vec![1.0; 60]);
        let groups = Groups { seen: &seen, present: &present, truth: &truth, weights: &weights, size: 1 };
        let alone = groups.alone();
        let mean = alone.iter().map(|shares| shares.greedy).sum::<f64>() / 60.0;
        assert!((score(60, 1).unwrap().mean - mean).abs() < 1e-12);
        let width = |count| {
            let [low, high] = score(count, 1).unwrap().interval_95.unwrap();
            high - low
        };
        assert!(width(240) < width(20));
    }

    #[test]
    fn too_few_batches_have_no_group_and_one_group_a_wide_interval() {
        assert_eq!(score(3, 4), None);
        let width = |count| {
            let [low, high] = score(count, 4).unwrap().interval_95.unwrap();
            high - low
        };
        assert!(width(4) > 0.8 && width(40) < width(8), "{} {} {}", width(4), width(8), width(40));
    }
}
