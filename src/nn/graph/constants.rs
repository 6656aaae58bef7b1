//! Numbers that follow from constants alone, as masks and tables of positions are made of.

use super::{
    assemble::Assembly,
    extent::Extent,
    op::{Constant, Op, Pair, Pointwise},
};

/// What hides a token from another, taken from its score; finite, for shading languages promise nothing about infinities.
pub(crate) const HIDDEN: f64 = 1e30;
/// Most numbers that are computed for one answer.
const MOST: usize = 1 << 22;

impl Assembly {
    /// The numbers of a node that depends neither on the picture, nor on a parameter, nor on the batch.
    pub(crate) fn known(&self, node: usize) -> Option<Constant> {
        self.fold(node, &mut { MOST })
    }

    fn fold(&self, node: usize, left: &mut usize) -> Option<Constant> {
        let shape = fixed(self.shape(node))?;
        *left = left.checked_sub(shape.iter().product::<usize>().max(1))?;
        let mut operand = |at| self.input(node, at).and_then(|input| self.fold(input, left));
        match self.op(node) {
            Op::Constant(constant) => Some(constant.clone()),
            Op::Reshape(_) => Some(Constant { shape, ..operand(0)? }),
            Op::Expand(_) => spread(&operand(0)?, &shape),
            Op::Slice { axis, start, .. } => {
                let x = operand(0)?;
                Some(moved(&x, shape, |at| at[*axis] += start))
            }
            Op::Permute(axes) => {
                let x = operand(0)?;
                Some(moved(&x, shape, |at| {
                    let to = at.to_vec();
                    axes.iter().enumerate().for_each(|(d, &from)| at[from] = to[d]);
                }))
            }
            Op::Concat { axis } => {
                let parts: Vec<Constant> = (0..self.inputs(node)).map(&mut operand).collect::<Option<_>>()?;
                Some(joined(&parts, *axis, shape))
            }
            Op::Take { axis, positions } => {
                let x = operand(0)?;
                Some(moved(&x, shape, |at| at[*axis] = positions[at[*axis]]))
            }
            Op::Pointwise(function) => {
                let x = operand(0)?;
                let data: Option<Vec<f64>> = x.data.iter().map(|&x| function.at(x)).collect();
                Some(Constant { shape, data: data?.into() })
            }
            Op::Pair(pair) => {
                let [a, b] = [spread(&operand(0)?, &shape)?, spread(&operand(1)?, &shape)?];
                let data: Vec<f64> = a.data.iter().zip(b.data.iter()).map(|(&a, &b)| pair.at(a, b)).collect();
                Some(Constant { shape, data: data.into() })
            }
            Op::Select => {
                let [mask, a, b] = [0, 1, 2].map(|i| operand(i).and_then(|part| spread(&part, &shape)));
                let (mask, a, b) = (mask?, a?, b?);
                let chosen =
                    (0..mask.data.len()).map(|i| if mask.data[i] != 0.0 { a.data[i] } else { b.data[i] });
                Some(Constant { shape, data: chosen.collect::<Vec<f64>>().into() })
            }
            _ => None,
        }
    }
}

impl Pointwise {
    /// Of one number; `None` of what no mask and no table of positions is made with.
    fn at(self, x: f64) -> Option<f64> {
        Some(match self {
            Pointwise::Abs => x.abs(),
            Pointwise::Exp => x.exp(),
            Pointwise::Log => x.ln(),
            Pointwise::Neg => -x,
            Pointwise::Sqrt => x.sqrt(),
            Pointwise::Rsqrt => 1.0 / x.sqrt(),
            Pointwise::Relu => x.max(0.0),
            Pointwise::Sign if x == 0.0 => 0.0,
            Pointwise::Sign => x.signum(),
            Pointwise::Hardtanh { low, high } | Pointwise::Clamp { low, high } => x.max(low).min(high),
            Pointwise::Power(n) => x.powi(n),
            Pointwise::Affine { factor, term } => factor * x + term,
            _ => return None,
        })
    }
}

impl Pair {
    fn at(self, a: f64, b: f64) -> f64 {
        match self {
            Pair::Add => a + b,
            Pair::Sub => a - b,
            Pair::Mul => a * b,
            Pair::Div => a / b,
            Pair::Max => a.max(b),
            Pair::Min => a.min(b),
            Pair::Less => f64::from(a < b),
            Pair::Equal => f64::from(a == b),
        }
    }
}

/// Numbers that only move: `from` turns the place of a result into that of its operand.
fn moved(x: &Constant, shape: Vec<usize>, from: impl Fn(&mut [usize])) -> Constant {
    let data = (0..shape.iter().product()).map(|index: usize| {
        let (mut rest, mut at) = (index, vec![0; shape.len()]);
        for (place, &n) in at.iter_mut().zip(&shape).rev() {
            (*place, rest) = (rest % n, rest / n);
        }
        from(&mut at);
        x.data[at.iter().zip(&x.shape).fold(0, |offset, (&at, &n)| offset * n + at)]
    });
    let data: Vec<f64> = data.collect();
    Constant { shape, data: data.into() }
}

/// One behind the other along an axis.
fn joined(parts: &[Constant], axis: usize, shape: Vec<usize>) -> Constant {
    let outer: usize = shape[..axis].iter().product();
    let mut data = vec![];
    for row in 0..outer {
        for part in parts {
            let len = part.data.len() / outer;
            data.extend_from_slice(&part.data[row * len..][..len]);
        }
    }
    Constant { shape, data: data.into() }
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
        let turned = graph.push(Op::Permute(vec![1, 0]), &[both]).unwrap();
        let part = graph.push(Op::Slice { axis: 1, start: 1, len: 2 }, &[turned]).unwrap();
        assert_eq!(*graph.known(part).unwrap().data, [-3.0, -5.0, -2.0, -4.0, -1.0, -3.0]);
        let mask = graph.push(Op::Pair(Pair::Less), &[part, row]).err();
        assert!(mask.is_some(), "shapes that do not fit");
        let mask = graph.push(Op::Pair(Pair::Less), &[both, row]).unwrap();
        let chosen = graph.push(Op::Select, &[mask, row, both]).unwrap();
        assert_eq!(*graph.known(chosen).unwrap().data, [0.0, 1.0, 2.0].repeat(3));
        let seen = graph.push(Op::Pair(Pair::Add), &[picture, row]).unwrap();
        assert_eq!(graph.known(seen), None);
        // A chain that doubles its operands is given up, not computed for ever.
        let mut node = row;
        for _ in 0..60 {
            node = graph.push(Op::Pair(Pair::Add), &[node, node]).unwrap();
        }
        assert_eq!(graph.known(node), None);
    }
}
