//! Which candidates are the columns of D: first the sparsest that are independent, then those whose pictures switch on the
//! units that they say (Dimitrov 2024, section 5).

use super::{
    candidates::{Candidate, same},
    matrix::{Matrix, NotConverged, svd},
};

/// Columns of length 1 are independent from this smallest singular value on.
const INDEPENDENT: f64 = 1e-2;
/// Candidates that are kept, for each picture.
const KEPT: usize = 8;
/// Passes over all candidates in the second stage.
const PASSES: usize = 4;

/// Candidates seen so far, the one with the most zeros first, each once.
#[derive(Debug, Default)]
pub(crate) struct Pool(pub Vec<Candidate>);

impl Pool {
    /// Takes new ones in; whether any was new. Of `rank` pictures no more than a few candidates each are kept.
    pub(crate) fn add(&mut self, new: Vec<Candidate>, rank: usize) -> bool {
        let mut grown = false;
        for candidate in new {
            if !self.0.iter().any(|known| same(known, &candidate)) {
                self.0.push(candidate);
                grown = true;
            }
        }
        self.0.sort_by_key(|c| (std::cmp::Reverse(c.zeros), c.forced));
        self.0.truncate(KEPT * rank);
        grown
    }

    /// The first stage: positions of up to `rank` independent candidates, sparsest first.
    pub(crate) fn sparsest(&self, rank: usize) -> Result<Vec<usize>, NotConverged> {
        let mut chosen: Vec<usize> = vec![];
        for i in 0..self.0.len() {
            if chosen.len() == rank {
                break;
            }
            chosen.push(i);
            if !self.independent(&chosen)? {
                chosen.pop();
            }
        }
        Ok(chosen)
    }

    /// The second stage: swaps that raise what `agreement` says of a choice, until none does.
    pub(crate) fn improved(
        &self,
        mut chosen: Vec<usize>,
        agreement: &dyn Fn(&[usize]) -> Result<f64, NotConverged>,
    ) -> Result<Vec<usize>, NotConverged> {
        let mut best = agreement(&chosen)?;
        for _ in 0..PASSES {
            let before = best;
            for candidate in 0..self.0.len() {
                if chosen.contains(&candidate) {
                    continue;
                }
                for place in 0..chosen.len() {
                    let replaced = std::mem::replace(&mut chosen[place], candidate);
                    let found = if self.independent(&chosen)? { agreement(&chosen)? } else { 0.0 };
                    if found > best {
                        best = found;
                        break;
                    }
                    chosen[place] = replaced;
                }
            }
            if best == before {
                break;
            }
        }
        Ok(chosen)
    }

    fn independent(&self, chosen: &[usize]) -> Result<bool, NotConverged> {
        let columns: Vec<Vec<f64>> = chosen.iter().map(|&i| self.0[i].column.clone()).collect();
        Ok(svd(&Matrix::of_columns(&columns))?.s.last().is_some_and(|&s| s > INDEPENDENT))
    }
}
