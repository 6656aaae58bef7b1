//! Which part of a sweep one task of a cluster computes.

use std::{cmp::Reverse, fmt, str::FromStr};

use super::Block;

/// Most shards: beyond is a mistake.
const MOST: usize = 100_000;

/// Shard `number` of `of`, counted from 1: `3/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: usize,
    /// How many shards there are.
    pub of: usize,
}

impl Shard {
    /// # Errors
    /// No such shard.
    pub fn new(number: usize, of: usize) -> Result<Shard, String> {
        match (1..=MOST).contains(&of) && (1..=of).contains(&number) {
            true => Ok(Shard { number, of }),
            false => Err(format!("expected I/N with 1 ≤ I ≤ N ≤ {MOST}, found {number}/{of}")),
        }
    }

    /// How many shards there are, as it is written.
    ///
    /// # Errors
    /// Fewer or more than a sweep can be dealt to.
    pub fn count(text: &str) -> Result<usize, String> {
        let count = text.parse().ok().filter(|count| (1..=MOST).contains(count));
        count.ok_or_else(|| format!("expected 1 to {MOST} shards"))
    }

    /// Its journal in the folder that all shards share.
    pub fn journal(self) -> String {
        format!("journal-{:03}-of-{:03}.jsonl", self.number, self.of)
    }

    /// Its blocks, the dearest first; `costs`: of all blocks, in order. Shards that do not talk to each other agree: each block in
    /// turn, by falling cost, goes to the shard that has least so far, of several to the first.
    pub fn blocks(self, blocks: &[Block], costs: &[u64]) -> Vec<Block> {
        let dealt = deal(costs, self.of);
        dealt[self.number - 1].iter().map(|&place| blocks[place].clone()).collect()
    }
}

/// Places of the costs that each of so many shards has, the dearest first.
pub fn deal(costs: &[u64], shards: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by_key(|&place| (Reverse(costs[place]), place));
    let (mut dealt, mut loads) = (vec![vec![]; shards], vec![0_u128; shards]);
    for place in order {
        let least = (0..shards).min_by_key(|&shard| (loads[shard], shard)).unwrap_or(0);
        dealt[least].push(place);
        loads[least] += u128::from(costs[place]);
    }
    dealt
}

/// The longest of so many shards, in mean ones.
pub fn imbalance(costs: &[u64], shards: usize) -> f64 {
    let load = |places: &Vec<usize>| places.iter().map(|&place| costs[place] as f64).sum::<f64>();
    let loads: Vec<f64> = deal(costs, shards).iter().map(load).collect();
    let mean = loads.iter().sum::<f64>() / shards as f64;
    loads.iter().copied().fold(0.0, f64::max) / mean.max(f64::MIN_POSITIVE)
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let read = |part: &str| part.trim().parse::<usize>().ok();
        match text.split_once('/').and_then(|(number, of)| Some((read(number)?, read(of)?))) {
            Some((number, of)) => Shard::new(number, of),
            None => Err(format!("expected I/N, such as 3/16, or auto, found '{text}'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_goes_to_one_shard_and_loads_are_even() {
        let costs: Vec<u64> = (1..=60).map(|i| (i * i) % 97 + 1).collect();
        for shards in [1, 2, 8, 59, 100] {
            let dealt = deal(&costs, shards);
            let mut all: Vec<usize> = dealt.concat();
            all.sort_unstable();
            assert_eq!(all, (0..costs.len()).collect::<Vec<_>>());
            assert_eq!(dealt, deal(&costs, shards));
        }
        assert!(imbalance(&costs, 8) < 1.05, "{}", imbalance(&costs, 8));
        assert_eq!(imbalance(&[5], 4), 4.0);
    }

    #[test]
    fn shards_are_counted_from_1() {
        assert_eq!("3/16".parse(), Ok(Shard { number: 3, of: 16 }));
        assert_eq!(Shard { number: 3, of: 16 }.journal(), "journal-003-of-016.jsonl");
        for text in ["0/4", "5/4", "1/0", "x", "1/x", "3", "-1/4", "1/1000000"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("expected I/N"), "{text}");
        }
    }
}
