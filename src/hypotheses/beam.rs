//! The hypotheses that an unguided reconstruction makes most likely, where all would be too many.
//!
//! A hypothesis is as likely as the product of its names' similarities. The best ones are found exactly: index by index
//! where names may repeat, because the best beginnings are all that the best wholes can begin with; by Murty's algorithm
//! (1968) where they may not, because there a good beginning can take a name that a later index needs.

use std::collections::BTreeSet;

use super::{Names, enumerate::count};
use crate::metrics::assign::largest_sum;

/// Logarithm of a similarity of 0, so that products can still be ordered.
const NOTHING: f64 = -700.0;

/// Logarithm that stands for a name that an index may not have; a sum with one of these is no assignment.
const FORBIDDEN: f64 = -1e6;

/// What is left of all hypotheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The most likely first; equal ones in lexicographic order.
    pub hypotheses: Vec<Names>,
    /// Product of similarities of each.
    pub products: Vec<f64>,
    /// All that there are; `None` where they are more than can be counted.
    pub of: Option<u64>,
}

impl Kept {
    /// How many were left out.
    pub fn pruned(&self) -> Option<u64> {
        self.of.map(|of| of - self.hypotheses.len() as u64)
    }
}

/// The `width` hypotheses with the largest products of `similarity`, `(indices, names)`: values from 0 to 1.
pub fn most_similar(similarity: &[Vec<f64>], one_to_one: bool, width: usize) -> Kept {
    let names = similarity.first().map_or(0, Vec::len);
    let logs: Vec<Vec<f64>> =
        similarity.iter().map(|row| row.iter().map(|p| p.ln().max(NOTHING)).collect()).collect();
    let mut found = match one_to_one {
        true => murty(&logs, width),
        false => by_index(&logs, width),
    };
    best(&mut found, width);
    let product = |names: &Names| similarity.iter().zip(names).map(|(row, &name)| row[name]).product();
    Kept {
        products: found.iter().map(|(_, names)| product(names)).collect(),
        hypotheses: found.into_iter().map(|(_, names)| names).collect(),
        of: count(similarity.len(), names, one_to_one),
    }
}

type Scored = (f64, Names);

/// The first `width` by score, then by order.
fn best(all: &mut Vec<Scored>, width: usize) {
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all.truncate(width);
}

fn by_index(logs: &[Vec<f64>], width: usize) -> Vec<Scored> {
    logs.iter().fold(vec![(0.0, vec![])], |beginnings: Vec<Scored>, row| {
        let longer = |(score, names): &Scored| {
            let extended = row.iter().enumerate();
            let extended = extended.map(|(name, log)| (score + log, [names.as_slice(), &[name]].concat()));
            extended.collect::<Vec<_>>()
        };
        let mut all = beginnings.iter().flat_map(longer).collect();
        best(&mut all, width);
        all
    })
}

/// A part of all assignments: some indices' names are settled, some are ruled out; and the best of the part.
struct Part {
    best: Scored,
    settled: usize,
    /// (index, name)
    ruled_out: BTreeSet<(usize, usize)>,
}

/// The best assignment, then the best of what is left without it, and so on: each time, the part that held the best is
/// split into parts that differ from it in the first, the second, … index.
fn murty(logs: &[Vec<f64>], width: usize) -> Vec<Scored> {
    let mut parts: Vec<Part> = part(logs, &[], BTreeSet::new()).into_iter().collect();
    let mut found = vec![];
    while found.len() < width {
        let order = |a: &Part, b: &Part| a.best.0.total_cmp(&b.best.0).then_with(|| b.best.1.cmp(&a.best.1));
        let Some(at) = (0..parts.len()).max_by(|&a, &b| order(&parts[a], &parts[b])) else { break };
        let Part { best, settled, ruled_out } = parts.swap_remove(at);
        for index in settled..logs.len() {
            // As the best up to here, and different in this index.
            let mut without: BTreeSet<(usize, usize)> =
                ruled_out.iter().copied().filter(|&(i, _)| i >= index).collect();
            without.insert((index, best.1[index]));
            parts.extend(part(logs, &best.1[..index], without));
        }
        found.push(best);
    }
    found
}

/// The best of the assignments that begin so; `None` where there is none.
fn part(logs: &[Vec<f64>], beginning: &[usize], ruled_out: BTreeSet<(usize, usize)>) -> Option<Part> {
    let (indices, names) = (logs.len(), logs.first().map_or(0, Vec::len));
    if indices > names {
        return None;
    }
    let weight = |index: usize, name: usize| {
        let settled = beginning.get(index).is_some_and(|&other| other != name);
        let free = !settled && !ruled_out.contains(&(index, name));
        if free { logs[index][name] } else { FORBIDDEN }
    };
    let weights: Vec<f64> =
        (0..indices).flat_map(|i| (0..names).map(move |n| (i, n))).map(|(i, n)| weight(i, n)).collect();
    let assigned = largest_sum(indices, names, &weights);
    let score: f64 = assigned.iter().enumerate().map(|(index, &name)| weight(index, name)).sum();
    (score > FORBIDDEN).then_some(Part { best: (score, assigned), settled: beginning.len(), ruled_out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hypotheses::enumerate::all, random};
    use rand::RngExt;

    #[test]
    fn the_largest_products_are_kept_in_order_and_the_rest_is_counted() {
        let mut generator = random::generator(1, "beam");
        for (indices, names) in [(1, 4), (2, 4), (3, 3), (4, 6)] {
            let row =
                |generator: &mut _| (0..names).map(|_| RngExt::random_range(generator, 0.01..1.0)).collect();
            let similarity: Vec<Vec<f64>> = (0..indices).map(|_| row(&mut generator)).collect();
            for one_to_one in [true, false] {
                let product =
                    |h: &Names| -> f64 { similarity.iter().zip(h).map(|(row, &n)| row[n]).product() };
                let mut expected = all(indices, names, one_to_one);
                expected.sort_by(|a, b| product(b).total_cmp(&product(a)));
                for width in [1, 3, 7, 1000] {
                    let kept = most_similar(&similarity, one_to_one, width);
                    let most = width.min(expected.len());
                    assert_eq!(kept.hypotheses, expected[..most], "{indices} of {names}, {width}");
                    assert_eq!(kept.pruned(), Some((expected.len() - most) as u64));
                    assert!(kept.products.windows(2).all(|pair| pair[0] >= pair[1]));
                }
            }
        }
    }

    #[test]
    fn a_similarity_of_0_and_too_few_names_are_no_trouble() {
        let kept = most_similar(&[vec![0.0, 1.0], vec![0.0, 1.0]], true, 5);
        assert_eq!(kept.hypotheses, [[0, 1], [1, 0]]);
        assert_eq!(kept.products, [0.0, 0.0]);
        let none = most_similar(&[vec![1.0], vec![1.0]], true, 5);
        assert_eq!((none.hypotheses.len(), none.of), (0, Some(0)));
    }

    #[test]
    fn a_beam_of_many_indices_stays_small() {
        // 12 indices that all look like the first of 16 names.
        let row: Vec<f64> = (0..16).map(|name| if name == 0 { 0.9 } else { 0.1 / 15.0 }).collect();
        let kept = most_similar(&vec![row; 12], true, 20);
        assert_eq!(kept.hypotheses.len(), 20);
        assert!(kept.hypotheses.iter().all(|h| h.contains(&0)));
        assert_eq!(kept.of, count(12, 16, true));
    }
}
