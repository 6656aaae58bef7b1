//! States and how random graphs update them: chains that read old or new values, swaps, shared values.

use gia_gpu::tape::Var;

use super::random_graph::{Grower, Known, START};

impl Grower {
    /// A few states, most of them of one shape, so that they can trade places.
    pub(crate) fn start_states(&mut self) -> Vec<Known> {
        let shape = self.shape();
        (0..self.below(6))
            .map(|_| {
                let own = self.shape();
                let shape = if self.chance(75) { shape.clone() } else { own };
                self.input(&shape)
            })
            .collect()
    }

    /// A next value for most states.
    pub(crate) fn updates(&mut self, states: &[Known], keep: &[Var]) -> Vec<(Var, Var)> {
        let mut updates: Vec<(Var, Var)> = Vec::new();
        for (i, &state) in states.iter().enumerate() {
            let shape = self.tape.shape(state.var).to_vec();
            let alike: Vec<Known> =
                states.iter().copied().filter(|s| self.tape.shape(s.var) == shape).collect();
            let next = match self.below(10) {
                // A swap or a rotation, if all choose it.
                0..=2 => alike[(i + 1) % alike.len()],
                3 => {
                    // v' = 0.5 v + 0.4 g, and perhaps a second state that moves by v'.
                    let (half, g) = (self.scaled(state, 0.5), self.pick_as(&shape));
                    let g = self.tamed(g, 0.4 * START);
                    let velocity = self.tape.add(half.var, g.var);
                    self.pool.push(Known { var: velocity, bound: START, exact: false });
                    Known { var: velocity, bound: START, exact: false }
                }
                4 => {
                    let (var, axes) = (state.var, (0..shape.len()).collect::<Vec<_>>());
                    Known { var: self.tape.flip(var, &axes), ..state }
                }
                5 => {
                    let mean = self.tape.mean(state.var, &[0]);
                    let centred = self.tape.sub(state.var, mean);
                    Known { var: centred, bound: 2.0 * START, exact: false }
                }
                6 => {
                    let kept = keep[self.below(keep.len())];
                    let kept = Known { var: self.tape.tanh(kept), bound: 1.0, exact: false };
                    self.coerce(kept, &shape)
                }
                7 => match updates.iter().find(|u| self.tape.shape(u.1) == shape) {
                    Some(&(_, value)) => Known { var: value, bound: START, exact: false },
                    None => Known { var: self.tape.full(&shape, 0.25), bound: START, exact: true },
                },
                8 => self.literal(&shape),
                _ => match keep.iter().find(|&&k| self.tape.shape(k) == shape && self.bound_of(k) <= START) {
                    Some(&kept) => Known { var: kept, bound: START, exact: false },
                    None => self.pick_as(&shape),
                },
            };
            let next = self.tamed(next, START);
            if self.chance(90) {
                updates.push((state.var, next.var));
            }
        }
        updates
    }

    fn bound_of(&self, var: Var) -> f64 {
        self.pool.iter().find(|k| k.var == var).map_or(f64::INFINITY, |k| k.bound)
    }

    fn scaled(&mut self, x: Known, c: f64) -> Known {
        Known { var: self.tape.mul_scalar(x.var, c), bound: x.bound * c, exact: false }
    }
}
