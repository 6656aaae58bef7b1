//! What moves numbers and computes none.

use super::Builder;
use crate::tape::Var;

impl Builder<'_, '_> {
    /// Axes of size 1 behind the trials, so that a value has `rank` axes beside them and broadcasts as without trials.
    pub(super) fn with_rank(&mut self, x: Var, rank: usize) -> Var {
        let shape = self.net.tape.shape(x).to_vec();
        let missing = (rank + 1).saturating_sub(shape.len());
        self.net.tape.reshape(x, &[&shape[..1], &vec![1; missing], &shape[1..]].concat())
    }

    /// `value` before and after each axis.
    pub(super) fn pad(&mut self, x: Var, before: &[usize], after: &[usize], value: f64) -> Var {
        let shape = self.net.tape.shape(x).to_vec();
        let front = [&[0], before].concat();
        let sides = |d: usize| if d == 0 { [0; 2] } else { [before[d - 1], after[d - 1]] };
        let whole: Vec<usize> =
            shape.iter().enumerate().map(|(d, n)| n + sides(d)[0] + sides(d)[1]).collect();
        let t = &mut *self.net.tape;
        let mut padded = t.pad(x, &front, &whole);
        if value == 0.0 {
            return padded;
        }
        let value = t.scalar(value);
        for d in (0..shape.len()).filter(|&d| sides(d) != [0; 2]) {
            let inside = front[d]..front[d] + shape[d];
            let marks = (0..whole[d]).map(|i| f64::from(inside.contains(&i))).collect();
            let mut sizes = vec![1; shape.len()];
            sizes[d] = whole[d];
            let marks = t.literal(&sizes, marks);
            padded = t.select(marks, padded, value);
        }
        padded
    }

    /// These positions of an axis, as rows of a table.
    pub(super) fn take(&mut self, x: Var, axis: usize, positions: &[usize]) -> Var {
        let t = &mut *self.net.tape;
        let shape = t.shape(x).to_vec();
        let first: Vec<usize> =
            std::iter::once(axis).chain((0..shape.len()).filter(|&d| d != axis)).collect();
        let mut back = vec![0; first.len()];
        first.iter().enumerate().for_each(|(place, &d)| back[d] = place);
        let rows = t.permute(x, &first);
        let outer: Vec<usize> = t.shape(rows)[1..].to_vec();
        let table = t.reshape(rows, &[shape[axis], outer.iter().product()]);
        let index = t.literal(&[positions.len()], positions.iter().map(|&p| p as f64).collect());
        let taken = t.gather(table, index);
        let taken = t.reshape(taken, &[&[positions.len()], &outer[..]].concat());
        t.permute(taken, &back)
    }
}
