//! Numbers that follow from constants alone, as masks are made of.

use super::{
    assemble::Assembly,
    extent::Extent,
    op::{Constant, Op, Pair, Pointwise},
};

/// What hides a token from another, taken from its score; finite, for shading languages promise nothing about infinities.
pub(crate) const HIDDEN: f64 = 1e30;
/// Most numbers that are computed for one answer.
const MOST: usize = 1 << 24;

impl Assembly {
    /// The numbers of a node that depends neither on the picture, nor on a parameter, nor on the batch.
    pub(crate) fn known(&self, node: usize) -> Option<Constant> {
        self.fold(node, &mut { MOST })
    }

    /// Where a comparison, or a conjunction of booleans, holds between two such nodes.
    pub(crate) fn compare(
        &mut self,
        holds: fn(f64, f64) -> bool,
        nodes: [usize; 2],
    ) -> Result<usize, String> {
        let known = self.known_pair(nodes);
        let [x, y] = known.ok_or("a comparison of what depends on the picture has no gradient")?;
        let data: Vec<f64> =
            x.data.iter().zip(y.data.iter()).map(|(&x, &y)| f64::from(holds(x, y))).collect();
        self.booleans(Constant { shape: x.shape, data: data.into() })
    }

    /// The numbers of two such nodes, spread over the shape that they have together.
    fn known_pair(&mut self, nodes: [usize; 2]) -> Option<[Constant; 2]> {
        let together = self.push(Op::Pair(Pair::Add), &nodes).ok()?;
        let shape = fixed(self.shape(together))?;
        let [a, b] = nodes.map(|node| self.known(node));
        Some([spread(&a?, &shape)?, spread(&b?, &shape)?])
    }

    fn fold(&self, node: usize, left: &mut usize) -> Option<Constant> {
        let shape = fixed(self.shape(node))?;
        *left = left.checked_sub(shape.iter().product::<usize>().max(1))?;
        let mut operand = |at| self.input(node, at).and_then(|input| self.fold(input, left));
        match self.op(node) {
            Op::Constant(constant) => Some(constant.clone()),
            Op::Reshape(_) => Some(Constant { shape, ..operand(0)? }),
            Op::Expand(_) => spread(&operand(0)?, &shape),
            Op::Pointwise(Pointwise::Affine { factor, term }) => {
                let data: Vec<f64> = operand(0)?.data.iter().map(|v| factor * v + term).collect();
                Some(Constant { shape, data: data.into() })
            }
            Op::Pair(pair) => {
                let [a, b] = [spread(&operand(0)?, &shape)?, spread(&operand(1)?, &shape)?];
                let data: Vec<f64> =
                    a.data.iter().zip(b.data.iter()).map(|(&a, &b)| apply(*pair, a, b)).collect();
                Some(Constant { shape, data: data.into() })
            }
            _ => None,
        }
    }
}

fn apply(pair: Pair, a: f64, b: f64) -> f64 {
    match pair {
        Pair::Add => a + b,
        Pair::Sub => a - b,
        Pair::Mul => a * b,
        Pair::Div => a / b,
        Pair::Max => a.max(b),
        Pair::Min => a.min(b),
    }
}

fn fixed(shape: &[Extent]) -> Option<Vec<usize>> {
    shape.iter().map(|extent| extent.fixed()).collect()
}

/// Repeated along axes of size 1, and along new ones in front; `None` where the shapes do not fit.
fn spread(constant: &Constant, shape: &[usize]) -> Option<Constant> {
    let new = shape.len().checked_sub(constant.shape.len())?;
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for (d, &n) in constant.shape.iter().enumerate().rev() {
        match n {
            1 => {}
            n if n == shape[new + d] => strides[new + d] = step,
            _ => return None,
        }
        step *= n;
    }
    let at = |index: usize| {
        let mut rest = index;
        shape.iter().zip(&strides).rev().fold(0, |at, (&n, &stride)| {
            let place = rest % n;
            rest /= n;
            at + place * stride
        })
    };
    let data: Vec<f64> = (0..shape.iter().product()).map(|index| constant.data[at(index)]).collect();
    Some(Constant { shape: shape.to_vec(), data: data.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(graph: &mut Assembly, shape: &[usize], data: &[f64]) -> usize {
        graph.constant(Constant { shape: shape.to_vec(), data: data.to_vec().into() }).unwrap()
    }

    #[test]
    fn what_follows_from_constants_is_known_and_what_the_picture_says_is_not() {
        let mut graph = Assembly::default();
        let picture = graph.picture(&[1, 1, 2, 3]).unwrap();
        let row = numbers(&mut graph, &[3], &[0.0, 1.0, 2.0]);
        let column = graph.push(Op::Pointwise(Pointwise::Affine { factor: 2.0, term: 1.0 }), &[row]).unwrap();
        let column = graph.push(Op::Reshape(vec![3.into(), 1.into()]), &[column]).unwrap();
        let both = graph.push(Op::Pair(Pair::Sub), &[row, column]).unwrap();
        let known = graph.known(both).unwrap();
        assert_eq!(known.shape, [3, 3]);
        assert_eq!(*known.data, [-1.0, 0.0, 1.0, -3.0, -2.0, -1.0, -5.0, -4.0, -3.0]);
        let [a, b] = graph.known_pair([row, column]).unwrap();
        assert_eq!(*a.data, [0.0, 1.0, 2.0].repeat(3));
        assert_eq!(*b.data, [1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 5.0, 5.0, 5.0]);
        let seen = graph.push(Op::Pair(Pair::Add), &[picture, row]).unwrap();
        assert_eq!(graph.known(seen), None);
        assert!(graph.known_pair([picture, row]).is_none());
        // A chain that doubles its operands is given up, not computed for ever.
        let mut node = row;
        for _ in 0..60 {
            node = graph.push(Op::Pair(Pair::Add), &[node, node]).unwrap();
        }
        assert_eq!(graph.known(node), None);
    }
}
