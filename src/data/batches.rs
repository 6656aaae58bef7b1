//! Which pictures make a batch.

use std::{collections::BTreeSet, str::FromStr};

use super::{DataError, Dataset};

/// A rule on the labels of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchRule {
    /// Pictures as they come.
    Any,
    /// No label twice.
    Distinct,
    /// So many of one label, all others distinct.
    Equal(usize),
}

impl FromStr for BatchRule {
    type Err = String;

    /// `any`, `distinct` or `equal:N`.
    fn from_str(text: &str) -> Result<BatchRule, String> {
        let equal = text.strip_prefix("equal:").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        match (text, equal) {
            ("any", _) => Ok(BatchRule::Any),
            ("distinct", _) => Ok(BatchRule::Distinct),
            (_, Some(n)) => Ok(BatchRule::Equal(n)),
            _ => Err(format!("expected any, distinct or equal:N, found '{text}'")),
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
        let too_few = |found: String| {
            let expected = format!("{batches} batches of {batch} pictures, labels {rule:?}");
            DataError::Mismatch { what: "pictures of the data set", expected, found }
        };
        if rule == BatchRule::Any {
            let wanted = batch.saturating_mul(batches);
            if wanted > self.len() {
                return Err(too_few(format!("{} pictures", self.len())));
            }
            let all: Vec<usize> = (0..wanted).collect();
            return Ok(all.chunks(batch).map(<[usize]>::to_vec).collect());
        }
        let equal = if let BatchRule::Equal(n) = rule { n.min(batch) } else { 1 };
        let mut free: BTreeSet<usize> = (0..self.len()).collect();
        let mut chosen = Vec::new();
        while chosen.len() < batches {
            let made = self.one_batch(&free, batch, equal);
            let made = made.ok_or_else(|| too_few(format!("{} such batches", chosen.len())))?;
            made.iter().for_each(|i| {
                free.remove(i);
            });
            chosen.push(made);
        }
        Ok(chosen)
    }

    /// `equal` pictures of the first class that has so many left, then others of further classes.
    fn one_batch(&self, free: &BTreeSet<usize>, batch: usize, equal: usize) -> Option<Vec<usize>> {
        let labels = self.labels();
        let repeated = free.iter().map(|&i| labels[i]).find_map(|class| {
            let same: Vec<usize> = free.iter().copied().filter(|&i| labels[i] == class).take(equal).collect();
            (same.len() == equal).then_some(same)
        });
        let mut made = repeated?;
        let mut used = BTreeSet::from([labels[made[0]]]);
        for &i in free {
            if made.len() < batch && used.insert(labels[i]) {
                made.push(i);
            }
        }
        (made.len() == batch).then_some(made)
    }
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
}
