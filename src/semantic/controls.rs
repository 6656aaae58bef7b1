//! What names say about pictures that know nothing: whoever reads more out of a reconstruction than out of these has
//! learned something from the gradient.

use rand::{RngExt, seq::SliceRandom};

use super::Seen;
use crate::random;

/// The reconstructions dealt to other indices: every row goes where another index stood, within and across batches.
/// `None` where that cannot be, because one index carries more than half of all rows.
pub fn shuffled(batches: &[Seen], seed: u64) -> Option<Vec<Seen>> {
    let indices: Vec<usize> = batches.iter().flat_map(|b| b.indices.iter().copied()).collect();
    let deal = derangement(&indices, seed)?;
    let rows: Vec<&Vec<f64>> = batches.iter().flat_map(|b| &b.rows).collect();
    let mut deal = deal.into_iter();
    let dealt = |batch: &Seen| Seen {
        indices: batch.indices.clone(),
        rows: deal.by_ref().take(batch.indices.len()).map(|from| rows[from].clone()).collect(),
    };
    Some(batches.iter().map(dealt).collect())
}

/// For each place, the place that it is dealt from: a permutation, drawn by `seed`, that gives no place an index equal
/// to its own.
fn derangement(indices: &[usize], seed: u64) -> Option<Vec<usize>> {
    let n = indices.len();
    let mut generator = random::generator(seed, "shuffled reconstructions");
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator);
    order.sort_by_key(|&place| indices[place]);
    let longest = order.chunk_by(|&a, &b| indices[a] == indices[b]).map(<[usize]>::len).max()?;
    if 2 * longest > n {
        return None;
    }
    // Turned by the longest run of equals, nobody stays beside its own; then exchanges that keep it so.
    let mut from = vec![0; n];
    (0..n).for_each(|i| from[order[i]] = order[(i + longest) % n]);
    for _ in 0..20 * n {
        let (a, b) = (generator.random_range(0..n), generator.random_range(0..n));
        if indices[from[a]] != indices[b] && indices[from[b]] != indices[a] {
            from.swap(a, b);
        }
    }
    Some(from)
}

/// Every row replaced by that of an original of another batch, of another class than its index: a picture of the same
/// class would be named right without any help of the gradient. Originals repeat where there are too few. `None` where a
/// row has none, with one batch always.
pub fn unrelated(batches: &[Seen], originals: &[Seen]) -> Option<Vec<Seen>> {
    let count = batches.len();
    let of_batch = |(m, batch): (usize, &Seen)| {
        // From the next batch on.
        let others = (1..count).map(|step| &originals[(m + step) % count]);
        let pool: Vec<(usize, &Vec<f64>)> =
            others.flat_map(|seen| seen.indices.iter().copied().zip(&seen.rows)).collect();
        let row = |(i, &index): (usize, &usize)| {
            let other = |place: usize| pool.get(place % pool.len().max(1)).filter(|(own, _)| *own != index);
            (i..i + pool.len()).find_map(other).map(|(_, row)| (*row).clone())
        };
        let rows = batch.indices.iter().enumerate().map(row).collect::<Option<_>>()?;
        Some(Seen { indices: batch.indices.clone(), rows })
    };
    batches.iter().enumerate().map(of_batch).collect()
}

/// Every reconstruction replaced by the same picture.
pub fn constant(batches: &[Seen], row: &[f64]) -> Vec<Seen> {
    let all = |b: &Seen| Seen { indices: b.indices.clone(), rows: vec![row.to_vec(); b.indices.len()] };
    batches.iter().map(all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_stays_with_its_index_and_none_is_lost() {
        let cases: [&[usize]; 5] =
            [&[0, 1], &[3, 3, 5, 5], &[0, 1, 2, 3, 4, 5, 6, 7], &[2, 2, 2, 9, 9, 1], &[4, 4, 1, 7]];
        for (seed, indices) in (0..40).flat_map(|seed| cases.map(|case| (seed, case))) {
            let from = derangement(indices, seed).unwrap();
            assert!((0..indices.len()).all(|i| indices[from[i]] != indices[i]), "{indices:?} {from:?}");
            let mut all = from.clone();
            all.sort_unstable();
            assert_eq!(all, (0..indices.len()).collect::<Vec<_>>());
            assert_eq!(from, derangement(indices, seed).unwrap());
        }
        let different =
            (0..20).map(|seed| derangement(cases[2], seed)).collect::<std::collections::BTreeSet<_>>();
        assert!(different.len() > 10);
    }

    #[test]
    fn what_cannot_be_dealt_to_others_is_no_control() {
        for indices in [&[3][..], &[3, 3], &[3, 3, 1], &[]] {
            assert_eq!(derangement(indices, 1), None, "{indices:?}");
        }
    }

    #[test]
    fn shuffled_batches_keep_their_indices_and_trade_rows() {
        let one = |index: usize| Seen { indices: vec![index], rows: vec![vec![index as f64]] };
        let batches = [one(4), one(2), one(7)];
        let dealt = shuffled(&batches, 5).unwrap();
        assert!(dealt.iter().zip(&batches).all(|(a, b)| a.indices == b.indices && a.rows != b.rows));
        let next = unrelated(&batches, &batches).unwrap();
        assert_eq!(next.iter().map(|b| b.rows[0][0]).collect::<Vec<_>>(), [2.0, 7.0, 4.0]);
        assert!(unrelated(&batches[..1], &batches[..1]).is_none());
    }

    #[test]
    fn unrelated_rows_are_of_other_classes_and_other_batches() {
        let one = |index: usize, row: f64| Seen { indices: vec![index], rows: vec![vec![row]] };
        let batches = [one(4, 0.0), one(4, 1.0), one(7, 2.0)];
        let others = unrelated(&batches, &batches).unwrap();
        assert_eq!(others.iter().map(|b| b.rows[0][0]).collect::<Vec<_>>(), [2.0, 2.0, 0.0]);
        assert!(unrelated(&batches[..2], &batches[..2]).is_none(), "one class has no other");
    }
}
