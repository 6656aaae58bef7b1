//! What is true and false: comparisons, choices, triangles. Their slope is 0, as in PyTorch: a choice passes the gradient of
//! what it chose.

use crate::nn::graph::{
    assemble::{Assembly, bounded},
    op::{Constant, Op, Pair, Pointwise},
};

/// Names shared by formats, in PyTorch's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Xor,
}

impl Assembly {
    /// True where it holds. Of constants it is a constant, in f64.
    pub(crate) fn compare(&mut self, compare: Compare, [x, y]: [usize; 2]) -> Result<usize, String> {
        use Compare::{And, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual, Or, Xor};
        if matches!(compare, And | Or | Xor) && !(self.is_boolean(x) && self.is_boolean(y)) {
            return Err("'and', 'or' and 'xor' of numbers are not known: compare them with 0".into());
        }
        let (pair, operands, negated) = match compare {
            Less => (Pair::Less, [x, y], false),
            Greater => (Pair::Less, [y, x], false),
            LessOrEqual => (Pair::Less, [y, x], true),
            GreaterOrEqual => (Pair::Less, [x, y], true),
            Equal => (Pair::Equal, [x, y], false),
            NotEqual | Xor => (Pair::Equal, [x, y], true),
            And => (Pair::Mul, [x, y], false),
            Or => (Pair::Max, [x, y], false),
        };
        let mut holds = self.push(Op::Pair(pair), &operands)?;
        if negated {
            holds = self.complement(holds)?;
        }
        self.boolean(holds)
    }

    /// True where the operand is false.
    pub(crate) fn not(&mut self, mask: usize) -> Result<usize, String> {
        if !self.is_boolean(mask) {
            return Err("'not' of numbers is not known: compare them with 0".into());
        }
        let complement = self.complement(mask)?;
        self.boolean(complement)
    }

    fn complement(&mut self, mask: usize) -> Result<usize, String> {
        self.push(Op::Pointwise(Pointwise::Affine { factor: -1.0, term: 1.0 }), &[mask])
    }

    /// As true and false: the constant that it is, or the node itself.
    fn boolean(&mut self, node: usize) -> Result<usize, String> {
        match self.known(node) {
            Some(constant) => self.booleans(constant),
            None => Ok(self.mark_boolean(node)),
        }
    }

    /// `x` where the mask is true, `y` where it is false. What one truth value decides is that operand.
    pub(crate) fn choose(&mut self, mask: usize, [x, y]: [usize; 2]) -> Result<usize, String> {
        if !self.is_boolean(mask) {
            return Err("a choice by numbers, expected true and false".into());
        }
        let chosen = self.push(Op::Select, &[mask, x, y])?;
        let decided = if self.is_number(mask, 1.0) {
            x
        } else if self.is_number(mask, 0.0) {
            y
        } else {
            return Ok(chosen);
        };
        let shape = self.shape(chosen).to_vec();
        if self.shape(decided) == shape { Ok(decided) } else { self.push(Op::Expand(shape), &[decided]) }
    }

    /// A matrix's elements on and below the diagonal of this number (`upper`: on and above it), zeros elsewhere.
    pub(crate) fn triangle(&mut self, x: usize, diagonal: i64, upper: bool) -> Result<usize, String> {
        let sides = match self.shape(x) {
            [.., rows, columns] => rows.fixed().zip(columns.fixed()),
            _ => None,
        };
        let (rows, columns) =
            sides.ok_or("a triangle of what is no matrix, or of one whose rows are pictures")?;
        bounded(rows.saturating_mul(columns))?;
        let mut data = vec![];
        for i in 0..rows as i64 {
            let inside = |j| if upper { j - i >= diagonal } else { j - i <= diagonal };
            data.extend((0..columns as i64).map(|j| f64::from(inside(j))));
        }
        let mask = self.booleans(Constant { shape: vec![rows, columns], data: data.into() })?;
        let zero = self.number(0.0)?;
        let kept = self.push(Op::Select, &[mask, x, zero])?;
        if self.is_boolean(x) { self.boolean(kept) } else { Ok(kept) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(graph: &mut Assembly, shape: &[usize], data: &[f64]) -> usize {
        graph.constant(Constant { shape: shape.to_vec(), data: data.to_vec().into() }).unwrap()
    }

    #[test]
    fn comparisons_of_constants_are_constants_and_of_pictures_are_computed() {
        let mut graph = Assembly::default();
        let picture = graph.picture(&[1, 1, 2, 2]).unwrap();
        let row = numbers(&mut graph, &[2], &[0.0, 1.0]);
        let half = numbers(&mut graph, &[], &[1.0]);
        let expected = [
            (Compare::Less, [1.0, 0.0]),
            (Compare::LessOrEqual, [1.0, 1.0]),
            (Compare::Greater, [0.0, 0.0]),
            (Compare::GreaterOrEqual, [0.0, 1.0]),
            (Compare::Equal, [0.0, 1.0]),
            (Compare::NotEqual, [1.0, 0.0]),
        ];
        for (compare, holds) in expected {
            let mask = graph.compare(compare, [row, half]).unwrap();
            assert!(matches!(graph.op(mask), Op::Constant(c) if *c.data == holds), "{compare:?}");
            let seen = graph.compare(compare, [picture, half]).unwrap();
            assert!(graph.is_boolean(seen) && graph.known(seen).is_none(), "{compare:?}");
            let chosen = graph.choose(seen, [picture, half]).unwrap();
            assert_eq!(graph.shape(chosen), graph.shape(picture));
        }
        let (mask, other) =
            (graph.booleans(Constant { shape: vec![2], data: vec![0.0, 1.0].into() }).unwrap(), {
                graph.booleans(Constant { shape: vec![2], data: vec![1.0, 1.0].into() }).unwrap()
            });
        for (compare, holds) in
            [(Compare::And, [0.0, 1.0]), (Compare::Or, [1.0, 1.0]), (Compare::Xor, [1.0, 0.0])]
        {
            let both = graph.compare(compare, [mask, other]).unwrap();
            assert!(matches!(graph.op(both), Op::Constant(c) if *c.data == holds), "{compare:?}");
            assert!(graph.compare(compare, [mask, row]).unwrap_err().contains("compare them with 0"));
        }
        assert!(graph.choose(row, [row, row]).unwrap_err().contains("expected true and false"));
    }

    #[test]
    fn what_one_truth_value_decides_is_its_operand_in_the_shape_of_both() {
        let mut graph = Assembly::default();
        let (row, number) = (numbers(&mut graph, &[2], &[3.0, 4.0]), numbers(&mut graph, &[], &[7.0]));
        let yes = graph.booleans(Constant { shape: vec![], data: vec![1.0].into() }).unwrap();
        let no = graph.not(yes).unwrap();
        assert_eq!(graph.choose(yes, [row, number]).unwrap(), row);
        let other = graph.choose(no, [row, number]).unwrap();
        assert_eq!(*graph.known(other).unwrap().data, [7.0, 7.0]);
    }

    #[test]
    fn masks_that_are_moved_or_joined_stay_masks() {
        let mut graph = Assembly::default();
        let all = graph.booleans(Constant { shape: vec![2, 3], data: vec![1.0; 6].into() }).unwrap();
        let turned = graph.push(Op::Permute(vec![1, 0]), &[all]).unwrap();
        let again = graph.push(Op::Reshape(vec![2.into(), 3.into()]), &[turned]).unwrap();
        let both = graph.push(Op::Concat { axis: 0 }, &[all, again]).unwrap();
        assert!(graph.is_boolean(both));
        let numbers = numbers(&mut graph, &[2, 3], &[1.0; 6]);
        let mixed = graph.push(Op::Concat { axis: 0 }, &[all, numbers]).unwrap();
        assert!(!graph.is_boolean(mixed));
    }

    #[test]
    fn a_triangle_of_true_stays_true_and_false_and_infinities_are_the_largest_that_a_mask_needs() {
        let mut graph = Assembly::default();
        let all = graph.booleans(Constant { shape: vec![2, 3], data: vec![1.0; 6].into() }).unwrap();
        let low = graph.triangle(all, 0, false).unwrap();
        assert!(graph.is_boolean(low));
        assert_eq!(*graph.known(low).unwrap().data, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        let hidden = numbers(&mut graph, &[2, 3], &[f64::NEG_INFINITY; 6]);
        let high = graph.triangle(hidden, 1, true).unwrap();
        assert_eq!(*graph.known(high).unwrap().data, [0.0, -1e30, -1e30, 0.0, 0.0, -1e30]);
    }
}
