//! Sizes of which the batch is a factor. A file bakes in the batch that its network was exported with; here it is told
//! apart from all other numbers, so that the network is rebuilt for any batch, and so that pictures are never mixed.

use std::fmt;

/// The size of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed(usize),
    /// `outer·B·inner`, row-major: `(B,L)` flattened is `B·L`, `(L,B)` is `L·B`.
    Pictures {
        outer: usize,
        inner: usize,
    },
}

/// `B`
pub(crate) const BATCH: Extent = Extent::Pictures { outer: 1, inner: 1 };

impl Extent {
    /// For a batch of this size; saturates.
    pub(crate) fn at(self, batch: usize) -> usize {
        match self {
            Extent::Fixed(n) => n,
            Extent::Pictures { outer, inner } => outer.saturating_mul(inner).saturating_mul(batch),
        }
    }

    pub(crate) fn fixed(self) -> Option<usize> {
        match self {
            Extent::Fixed(n) => Some(n),
            Extent::Pictures { .. } => None,
        }
    }

    /// Without the batch.
    pub(crate) fn count(self) -> usize {
        self.at(1)
    }
}

impl From<usize> for Extent {
    fn from(n: usize) -> Extent {
        Extent::Fixed(n)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Extent::Fixed(n) => write!(f, "{n}"),
            Extent::Pictures { outer: 1, inner: 1 } => f.write_str("B"),
            Extent::Pictures { outer: 1, inner } => write!(f, "B·{inner}"),
            Extent::Pictures { outer, inner: 1 } => write!(f, "{outer}·B"),
            Extent::Pictures { outer, inner } => write!(f, "{outer}·B·{inner}"),
        }
    }
}

/// `(B, 3, 32, 32)`
pub(crate) fn show(shape: &[Extent]) -> String {
    format!("({})", shape.iter().map(Extent::to_string).collect::<Vec<_>>().join(", "))
}

/// Elements for one picture; `None` where they overflow.
pub(crate) fn elements(shape: &[Extent]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, extent| product.checked_mul(extent.count()))
}

/// Axes joined into one.
pub(crate) fn flattened(shape: &[Extent]) -> Result<Extent, String> {
    let mut joined = Extent::Fixed(1);
    for &extent in shape {
        joined = match (joined, extent) {
            (Extent::Fixed(a), Extent::Fixed(b)) => Extent::Fixed(a.saturating_mul(b)),
            (Extent::Fixed(a), Extent::Pictures { outer, inner }) => {
                Extent::Pictures { outer: a.saturating_mul(outer), inner }
            }
            (Extent::Pictures { outer, inner }, Extent::Fixed(b)) => {
                Extent::Pictures { outer, inner: inner.saturating_mul(b) }
            }
            _ => return Err("the batch twice".into()),
        };
    }
    Ok(joined)
}

/// NumPy's broadcasting.
pub(crate) fn broadcast(a: &[Extent], b: &[Extent]) -> Result<Vec<Extent>, String> {
    let rank = a.len().max(b.len());
    let at = |s: &[Extent], d: usize| match (d + s.len()).checked_sub(rank) {
        Some(d) => s[d],
        None => Extent::Fixed(1),
    };
    let joined = (0..rank).map(|d| match (at(a, d), at(b, d)) {
        (m, n) if m == n => Some(m),
        (Extent::Fixed(1), n) => Some(n),
        (m, Extent::Fixed(1)) => Some(m),
        _ => None,
    });
    joined
        .collect::<Option<_>>()
        .ok_or_else(|| format!("shapes {} and {} do not fit each other", show(a), show(b)))
}

/// A size that a file asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asked {
    /// As the file has it: the batch may be a factor of it.
    Number(usize),
    /// Known to hold the batch, or not to.
    Known(Extent),
    /// -1: what is left.
    Rest,
}

impl Asked {
    /// Taken as it is, without a batch where none is named; `None` for -1.
    pub(crate) fn known(self) -> Option<Extent> {
        match self {
            Asked::Number(n) => Some(Extent::Fixed(n)),
            Asked::Known(extent) => Some(extent),
            Asked::Rest => None,
        }
    }
}

/// The result of a reshape of `from` to what the file asks for, where it was exported with a batch of `exported`.
///
/// The elements keep their row-major order, so the batch stays between the same two numbers of elements; of the axes that
/// it can be a factor of, the one where it stands alone is taken, else one where it comes first. The last axis, of channels
/// as a rule, is the last choice: exported with a batch of one, (T, B, heads, d) that becomes (T, heads·d) is (T·B, heads·d).
pub(crate) fn reshape(from: &[Extent], asked: &[Asked], exported: usize) -> Result<Vec<Extent>, String> {
    let refused = |reason: &str| format!("{} cannot be reshaped so: {reason}", show(from));
    let total = from.iter().try_fold(1usize, |product, e| product.checked_mul(e.at(exported)));
    let total = total.ok_or_else(|| refused("it has too many elements"))?;
    let number = |asked: &Asked| match *asked {
        Asked::Number(n) => n,
        Asked::Known(extent) => extent.at(exported),
        Asked::Rest => 1,
    };
    let product = asked.iter().try_fold(1usize, |product, a| product.checked_mul(number(a)));
    let product = product.ok_or_else(|| refused("the result has too many elements"))?;
    if asked.iter().filter(|a| **a == Asked::Rest).count() > 1 {
        return Err(refused("two of its sizes are -1"));
    }
    let rest = match product {
        0 => return Err(refused("a size of the result is 0")),
        product if total.is_multiple_of(product) => total / product,
        _ => return Err(refused("the number of elements changes")),
    };
    if rest != 1 && !asked.contains(&Asked::Rest) {
        return Err(refused("the number of elements changes"));
    }
    let sizes: Vec<usize> = asked.iter().map(|a| if *a == Asked::Rest { rest } else { number(a) }).collect();

    let Some(axis) = from.iter().position(|e| e.fixed().is_none()) else {
        return Ok(sizes.into_iter().map(Extent::Fixed).collect());
    };
    let Extent::Pictures { outer, .. } = from[axis] else { unreachable!("found as such") };
    let before = from[..axis].iter().map(|e| e.count()).product::<usize>() * outer;
    let mut best: Option<(usize, usize, Extent)> = None;
    let mut passed = 1usize;
    for (j, &size) in sizes.iter().enumerate() {
        let outer = before / passed;
        let factor = outer.saturating_mul(exported);
        let known = matches!(asked[j], Asked::Known(Extent::Pictures { .. }));
        let other = asked.iter().any(|a| matches!(a, Asked::Known(Extent::Pictures { .. })));
        if before.is_multiple_of(passed) && size.is_multiple_of(factor) && (known || !other) {
            let inner = size / factor;
            let rank = match (outer, inner) {
                (1, 1) if j == axis => 0,
                (1, 1) => 1,
                (1, _) if j + 1 < sizes.len() => 2,
                (1, _) => 4,
                _ => 3,
            };
            if best.is_none_or(|(found, ..)| rank < found) {
                best = Some((rank, j, Extent::Pictures { outer, inner }));
            }
        }
        passed = passed.saturating_mul(size);
        if passed > before.saturating_mul(exported) {
            break;
        }
    }
    let (_, at, extent) = best.ok_or_else(|| refused("the batch would be torn apart"))?;
    let mut shape: Vec<Extent> = sizes.into_iter().map(Extent::Fixed).collect();
    shape[at] = extent;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Asked::{Number, Rest};
    use Extent::Fixed;

    fn to(from: &[Extent], sizes: &[Asked], exported: usize) -> String {
        reshape(from, sizes, exported).map_or_else(|error| error, |shape| show(&shape))
    }

    #[test]
    fn the_batch_is_found_where_row_major_order_leaves_it() {
        let image = [BATCH, Fixed(8), Fixed(4), Fixed(4)];
        assert_eq!(to(&image, &[Number(2), Rest], 2), "(B, 128)");
        assert_eq!(to(&image, &[Number(1), Number(8), Number(16)], 1), "(B, 8, 16)");
        assert_eq!(to(&image, &[Rest, Number(16)], 2), "(B·8, 16)");
        // Heads of an attention whose sequence comes first, exported with a batch of one and of two.
        let tokens = [Fixed(5), BATCH, Fixed(12)];
        assert_eq!(to(&tokens, &[Number(5), Number(3), Number(4)], 1), "(5, B·3, 4)");
        assert_eq!(to(&tokens, &[Number(5), Number(6), Number(4)], 2), "(5, B·3, 4)");
        assert_eq!(to(&tokens, &[Number(10), Number(12)], 2), "(5·B, 12)");
        let heads = [Fixed(5), BATCH, Fixed(3), Fixed(4)];
        assert_eq!(to(&heads, &[Number(5), Number(12)], 1), "(5·B, 12)");
        assert_eq!(to(&heads, &[Number(10), Number(12)], 2), "(5·B, 12)");
        assert_eq!(to(&[Fixed(1), BATCH, Fixed(12)], &[Number(1), Number(12)], 1), "(B, 12)");
        let flat = [Extent::Pictures { outer: 5, inner: 1 }, Fixed(12)];
        assert_eq!(to(&flat, &[Number(5), Number(2), Number(12)], 2), "(5, B, 12)");
        // Shuffled channels.
        let groups = [Number(2), Number(2), Number(4), Number(4), Number(4)];
        assert_eq!(to(&image, &groups, 2), "(B, 2, 4, 4, 4)");
    }

    #[test]
    fn a_batch_that_would_be_torn_apart_or_elements_that_are_lost_are_refused() {
        let image = [BATCH, Fixed(6)];
        assert!(to(&image, &[Number(3), Number(4)], 2).contains("torn apart"));
        assert!(to(&image, &[Number(5), Rest], 2).contains("number of elements"));
        assert!(to(&image, &[Number(0), Rest], 2).contains("is 0"));
        assert!(to(&image, &[Rest, Rest], 2).contains("-1"));
        assert!(to(&image, &[Number(usize::MAX), Number(7)], 2).contains("too many"));
    }

    #[test]
    fn shapes_broadcast_as_in_numpy() {
        let joined = broadcast(&[BATCH, Fixed(1), Fixed(3)], &[Fixed(4), Fixed(1)]).unwrap();
        assert_eq!(show(&joined), "(B, 4, 3)");
        assert!(broadcast(&[BATCH], &[Fixed(2)]).is_err());
    }
}
