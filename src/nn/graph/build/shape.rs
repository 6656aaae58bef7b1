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

    /// `value` before and after each axis: the difference to it is padded with zeros.
    pub(super) fn pad(&mut self, x: Var, before: &[usize], after: &[usize], value: f64) -> Var {
        let shape = self.net.tape.shape(x).to_vec();
        let front = [&[0], before].concat();
        let whole: Vec<usize> = shape
            .iter()
            .enumerate()
            .map(|(d, n)| if d == 0 { *n } else { n + before[d - 1] + after[d - 1] })
            .collect();
        let t = &mut *self.net.tape;
        if value == 0.0 {
            return t.pad(x, &front, &whole);
        }
        let less = t.add_scalar(x, -value);
        let padded = t.pad(less, &front, &whole);
        t.add_scalar(padded, value)
    }
}
