//! All assignments of names to label indices.

use super::Names;

/// How many there are: `names^indices`, or `names·(names − 1)·…` where no two indices may share a name. `None` where
/// that is more than a `u64` holds.
pub fn count(indices: usize, names: usize, one_to_one: bool) -> Option<u64> {
    (0..indices).try_fold(1u64, |product, taken| {
        let free = if one_to_one { names.saturating_sub(taken) } else { names };
        product.checked_mul(free as u64)
    })
}

/// Every one of them, in lexicographic order.
pub fn all(indices: usize, names: usize, one_to_one: bool) -> Vec<Names> {
    (0..indices).fold(vec![vec![]], |prefixes, _| {
        let longer = |prefix: &Names| {
            let free = (0..names).filter(|name| !(one_to_one && prefix.contains(name)));
            free.map(|name| [prefix.as_slice(), &[name]].concat()).collect::<Vec<_>>()
        };
        prefixes.iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_listed_as_are_counted_and_no_two_are_equal() {
        for (indices, names, one_to_one, expected) in
            [(2, 4, true, 12), (2, 4, false, 16), (1, 3, true, 3), (3, 3, true, 6), (3, 2, true, 0)]
        {
            let mut found = all(indices, names, one_to_one);
            assert_eq!(count(indices, names, one_to_one), Some(expected));
            assert_eq!(found.len() as u64, expected, "{indices} indices, {names} names");
            assert!(found.iter().all(|h| h.len() == indices && h.iter().all(|&n| n < names)));
            if one_to_one {
                assert!(found.iter().all(|h| (1..h.len()).all(|i| !h[..i].contains(&h[i]))));
            }
            found.dedup();
            assert_eq!(found.len() as u64, expected);
        }
        assert_eq!(count(64, 10, false), None);
    }
}
