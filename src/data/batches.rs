//! Which pictures make a batch.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use rand::seq::SliceRandom;

use super::{DataError, Dataset};
use crate::{
    random,
    spelling::{Form, Spelled, as_text, unknown},
};

/// A rule on the labels of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchRule {
    /// Pictures as they come.
    Any,
    /// Classes in turn, so that all come equally often while pictures last.
    Stratified,
    /// No label twice.
    Distinct,
    /// So many of one label, all others distinct.
    Equal(usize),
}

impl Spelled for BatchRule {
    const ABOUT: &'static str = "A rule on the labels of a batch.";
    const FORMS: &'static [Form] = &[
        Form { text: "any", meaning: "Pictures as they come" },
        Form { text: "stratified", meaning: "Classes in turn: all equally often while pictures last" },
        Form { text: "distinct", meaning: "No label twice" },
        Form { text: "equal:N", meaning: "N pictures of one label, all others distinct" },
    ];
}

as_text!(BatchRule);

impl FromStr for BatchRule {
    type Err = String;

    /// `any`, `stratified`, `distinct` or `equal:N`.
    fn from_str(text: &str) -> Result<BatchRule, String> {
        let equal = text.strip_prefix("equal:").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        match (text, equal) {
            ("any", _) => Ok(BatchRule::Any),
            ("stratified", _) => Ok(BatchRule::Stratified),
            ("distinct", _) => Ok(BatchRule::Distinct),
            (_, Some(n)) => Ok(BatchRule::Equal(n)),
            _ => Err(unknown::<BatchRule>(text)),
        }
    }
}

impl fmt::Display for BatchRule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BatchRule::Any => f.write_str("any"),
            BatchRule::Stratified => f.write_str("stratified"),
            BatchRule::Distinct => f.write_str("distinct"),
            BatchRule::Equal(n) => write!(f, "equal:{n}"),
        }
    }
}

impl Dataset {
    /// Indices of `batches` batches of `batch` pictures, from the first picture on, none twice.
    ///
    /// # Errors
    /// The data set has too few that keep the rule.
    pub fn batches(
        &self,
        batch: usize,
        batches: usize,
        rule: BatchRule,
    ) -> Result<Vec<Vec<usize>>, DataError> {
        let order: Vec<usize> = (0..self.len()).collect();
        self.batches_in(&order, batch, batches, rule)
    }

    /// The same from pictures drawn by `seed` from the whole data set. Fewer batches are the first of more.
    ///
    /// # Errors
    /// As [`Dataset::batches`].
    pub fn random_batches(
        &self,
        batch: usize,
        batches: usize,
        rule: BatchRule,
        seed: u64,
    ) -> Result<Vec<Vec<usize>>, DataError> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut random::generator(seed, "order of the data set"));
        self.batches_in(&order, batch, batches, rule)
    }

    /// Batches of pictures in this order.
    fn batches_in(
        &self,
        order: &[usize],
        batch: usize,
        batches: usize,
        rule: BatchRule,
    ) -> Result<Vec<Vec<usize>>, DataError> {
        let too_few = |found: String| {
            let expected = format!("{batches} batches of {batch} pictures, labels {rule}");
            DataError::Mismatch { what: "pictures of the data set", expected, found }
        };
        if matches!(rule, BatchRule::Any | BatchRule::Stratified) {
            let wanted = batch.saturating_mul(batches);
            if wanted > self.len() {
                return Err(too_few(format!("{} pictures", self.len())));
            }
            let order = if rule == BatchRule::Any { order.to_vec() } else { self.in_turn(order) };
            return Ok(order[..wanted].chunks(batch).map(<[usize]>::to_vec).collect());
        }
        let equal = if let BatchRule::Equal(n) = rule { n.min(batch) } else { 1 };
        let labels: Vec<usize> = order.iter().map(|&i| self.labels()[i]).collect();
        // Places in the order.
        let mut free: BTreeSet<usize> = (0..order.len()).collect();
        let mut chosen: Vec<Vec<usize>> = Vec::new();
        while chosen.len() < batches {
            let made = one_batch(&labels, &free, batch, equal);
            let made = made.ok_or_else(|| too_few(format!("{} such batches", chosen.len())))?;
            made.iter().for_each(|place| {
                free.remove(place);
            });
            chosen.push(made.into_iter().map(|place| order[place]).collect());
        }
        Ok(chosen)
    }
}

impl Dataset {
    /// The same pictures, a class after the other in turn, classes as they first come in `order`.
    fn in_turn(&self, order: &[usize]) -> Vec<usize> {
        let (mut rank, mut seen): (BTreeMap<usize, usize>, BTreeMap<usize, usize>) = Default::default();
        let mut places: Vec<(usize, usize, usize)> = order
            .iter()
            .map(|&picture| {
                let label = self.labels()[picture];
                let next = rank.len();
                let class = *rank.entry(label).or_insert(next);
                let turn = seen.entry(label).or_default();
                *turn += 1;
                (*turn, class, picture)
            })
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(_, _, picture)| picture).collect()
    }
}

/// `equal` pictures of the first class that has so many left, then others of further classes.
fn one_batch(labels: &[usize], free: &BTreeSet<usize>, batch: usize, equal: usize) -> Option<Vec<usize>> {
    let repeated = free.iter().map(|&i| labels[i]).find_map(|class| {
        let same: Vec<usize> = free.iter().copied().filter(|&i| labels[i] == class).take(equal).collect();
        (same.len() == equal).then_some(same)
    });
    let mut made = repeated?;
    let mut used = BTreeSet::from([labels[made[0]]]);
    for &i in free {
        if made.len() == batch {
            break;
        }
        if used.insert(labels[i]) {
            made.push(i);
        }
    }
    (made.len() == batch).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::samples;

    #[test]
    fn batches_keep_their_rule_and_share_no_picture() {
        let data = samples();
        let count = |batch: &[usize]| {
            let labels: Vec<usize> = batch.iter().map(|&i| data.labels()[i]).collect();
            labels.iter().map(|l| labels.iter().filter(|m| *m == l).count()).max().unwrap()
        };
        for (rule, most) in [(BatchRule::Distinct, 1), (BatchRule::Equal(2), 2), (BatchRule::Equal(4), 4)] {
            let batches = data.batches(4, 3, rule).unwrap();
            assert!(batches.iter().all(|b| b.len() == 4 && count(b) == most), "{rule:?}: {batches:?}");
            let all: BTreeSet<usize> = batches.concat().into_iter().collect();
            assert_eq!(all.len(), 12);
        }
        let error = data.batches(11, 1, BatchRule::Distinct).unwrap_err().to_string();
        assert!(error.contains("0 such batches"), "{error}");
    }

    #[test]
    fn stratified_batches_hold_all_classes_equally_often() {
        let data = samples();
        let batches = data.random_batches(4, 5, BatchRule::Stratified, 3).unwrap();
        let labels: Vec<usize> = batches.concat().iter().map(|&i| data.labels()[i]).collect();
        assert!((0..10).all(|class| labels.iter().filter(|&&l| l == class).count() == 2), "{labels:?}");
        assert_eq!(batches[..2], data.random_batches(4, 2, BatchRule::Stratified, 3).unwrap());
    }

    #[test]
    fn random_batches_come_from_the_whole_data_set_and_fewer_are_the_first_of_more() {
        let data = samples();
        for rule in [BatchRule::Any, BatchRule::Stratified, BatchRule::Distinct, BatchRule::Equal(2)] {
            let draw = |batches, seed| data.random_batches(4, batches, rule, seed).unwrap();
            let five = draw(5, 1);
            assert_eq!(five[..2], draw(2, 1));
            assert_ne!(five, draw(5, 2));
            let all: BTreeSet<usize> = five.concat().into_iter().collect();
            assert_eq!(all.len(), 20);
            assert!(*all.first().unwrap() < 10 && *all.last().unwrap() > 29, "{all:?}");
        }
        assert!(data.random_batches(4, 11, BatchRule::Any, 1).is_err());
    }
}
