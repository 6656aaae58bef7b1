//! How the pictures of an update are shared among the clients whose mean it is.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_BATCH;

/// Clients whose updates are averaged, each weighted by its pictures (McMahan 2017).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Shares {
    /// So many clients with as many pictures each.
    Equal(usize),
    /// The pictures of each client, in the order of the batch.
    Sizes(Vec<usize>),
}

impl Default for Shares {
    /// One client.
    fn default() -> Self {
        Shares::Equal(1)
    }
}

impl Shares {
    /// How many clients there are.
    pub fn clients(&self) -> usize {
        match self {
            Shares::Equal(clients) => *clients,
            Shares::Sizes(sizes) => sizes.len(),
        }
    }

    /// How many pictures they have together, where that is said.
    pub fn pictures(&self) -> Option<usize> {
        match self {
            Shares::Equal(_) => None,
            Shares::Sizes(sizes) => Some(sizes.iter().copied().fold(0, usize::saturating_add)),
        }
    }

    /// The fewest pictures that can be shared so.
    pub fn least(&self) -> usize {
        self.pictures().unwrap_or_else(|| self.clients())
    }

    /// Whether so many pictures can be shared so.
    pub fn fits(&self, pictures: usize) -> bool {
        match self {
            Shares::Equal(clients) => *clients > 0 && pictures.is_multiple_of(*clients),
            Shares::Sizes(sizes) => !sizes.contains(&0) && self.pictures() == Some(pictures),
        }
    }

    /// The pictures of each client, of `pictures` in all.
    pub fn sizes(&self, pictures: usize) -> Vec<usize> {
        match self {
            Shares::Equal(clients) => vec![pictures / (*clients).max(1); *clients],
            Shares::Sizes(sizes) => sizes.clone(),
        }
    }

    /// First picture, number of pictures and weight of each client; equal clients have weight 1, and the weights of
    /// others are the smallest whole numbers of their ratio.
    pub fn slices(&self, pictures: usize) -> Vec<Slice> {
        let sizes = self.sizes(pictures);
        let common = sizes.iter().copied().fold(0, gcd).max(1);
        let slice = |start: &mut usize, &count: &usize| {
            *start += count;
            Some(Slice { start: *start - count, count, weight: count / common })
        };
        sizes.iter().scan(0, slice).collect()
    }

    /// The most pictures that a client has.
    pub fn largest(&self, pictures: usize) -> usize {
        match self {
            Shares::Equal(_) => self.mean(pictures),
            Shares::Sizes(sizes) => sizes.iter().copied().max().unwrap_or(0),
        }
    }

    /// Pictures of a client in the mean, rounded down.
    pub fn mean(&self, pictures: usize) -> usize {
        pictures / self.clients().max(1)
    }

    /// Mean of a figure of each client by its pictures, weighted by them.
    pub fn weighted(&self, pictures: usize, of: impl Fn(usize) -> f64) -> f64 {
        match self {
            Shares::Equal(_) => of(self.mean(pictures)),
            Shares::Sizes(sizes) => {
                let sum: f64 = sizes.iter().map(|&size| size as f64 * of(size)).sum();
                sum / self.least().max(1) as f64
            }
        }
    }
}

/// A client's part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its first picture's place in the batch.
    pub start: usize,
    /// How many pictures it has.
    pub count: usize,
    /// How much its update counts in the mean.
    pub weight: usize,
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `4`, or `3,5,8`.
impl FromStr for Shares {
    type Err = String;

    fn from_str(text: &str) -> Result<Shares, String> {
        let wrong =
            || format!("expected the number of clients, or the pictures of each as in 3,5,8, found '{text}'");
        let count = |part: &str| match part.trim().parse() {
            Ok(count) if (1..=MAX_BATCH).contains(&count) => Ok(count),
            _ => Err(wrong()),
        };
        match text.contains(',') {
            false => Ok(Shares::Equal(count(text)?)),
            true => Ok(Shares::Sizes(text.split(',').map(count).collect::<Result<_, _>>()?)),
        }
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Shares::Equal(clients) => write!(f, "{clients}"),
            Shares::Sizes(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
                f.write_str(&sizes.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shared_as_it_is_written() {
        for text in ["1", "4", "3,5,8"] {
            let shares: Shares = text.parse().unwrap();
            assert_eq!(shares.to_string(), text);
            let json = serde_json::to_value(&shares).unwrap();
            assert_eq!(serde_json::from_value::<Shares>(json).unwrap(), shares);
        }
        for wrong in ["", "0", "3,", "3,0,8", "3,-5", "1.5", "a,b"] {
            let error = wrong.parse::<Shares>().unwrap_err();
            assert!(error.contains("3,5,8") && error.contains(&format!("'{wrong}'")), "{error}");
        }
        let equal = Shares::Equal(4);
        assert!(equal.fits(8) && !equal.fits(6) && equal.pictures().is_none());
        let slice = |start, count, weight| Slice { start, count, weight };
        assert_eq!(equal.slices(8)[1], slice(2, 2, 1));
        let sizes: Shares = "2,4,6".parse().unwrap();
        assert!(sizes.fits(12) && !sizes.fits(11));
        assert_eq!(sizes.slices(12), [slice(0, 2, 1), slice(2, 4, 2), slice(6, 6, 3)]);
        assert_eq!((sizes.clients(), sizes.largest(12), sizes.mean(12)), (3, 6, 4));
        assert_eq!(sizes.weighted(12, |size| size as f64), (4.0 + 16.0 + 36.0) / 12.0);
    }
}
