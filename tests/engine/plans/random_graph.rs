//! Seeded random graphs over the whole op set, with values that stay in a range where rounding is tame.

use gia_gpu::{
    random,
    tape::{Tape, Var},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A graph ready to be planned.
pub(crate) struct Graph {
    pub tape: Tape,
    /// Inputs and states with the values that they start from.
    pub inputs: Vec<(Var, Vec<f64>)>,
    pub keep: Vec<Var>,
    pub updates: Vec<(Var, Var)>,
}

/// A node that may be used further.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub var: Var,
    /// No element is larger in magnitude.
    pub bound: f64,
    /// Free of rounding, so that comparing it with something gives the same answer on every path.
    pub exact: bool,
}

/// A graph under construction.
pub(crate) struct Grower {
    pub rng: ChaCha8Rng,
    pub tape: Tape,
    pub pool: Vec<Known>,
    pub inputs: Vec<(Var, Vec<f64>)>,
    /// Rank-1 tensors of whole numbers.
    pub indices: Vec<Known>,
}

/// Values beyond this are scaled down before they are used further.
const TAME: f64 = 30.0;
/// Bound of inputs and states.
pub(crate) const START: f64 = 3.0;
/// Largest tensor.
const MAX_LEN: usize = 1500;

/// The graph of this seed.
pub(crate) fn graph(seed: u64) -> Graph {
    let mut g = Grower {
        rng: random::generator(seed, "graph"),
        tape: Tape::new(),
        pool: vec![],
        inputs: vec![],
        indices: vec![],
    };
    for _ in 0..g.below(5) + 2 {
        let shape = g.shape();
        g.input(&shape);
    }
    for _ in 0..g.below(3) {
        let shape = g.shape();
        g.literal(&shape);
    }
    g.start_indices();
    let states = g.start_states();
    for _ in 0..g.below(30) + 4 {
        g.operation();
    }
    let keep = g.outputs();
    let updates = g.updates(&states, &keep);
    Graph { tape: g.tape, inputs: g.inputs, keep, updates }
}

impl Grower {
    /// In `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn shape(&mut self) -> Vec<usize> {
        let rank = self.below(4) + 1;
        (0..rank).map(|_| self.one_of(&[1, 2, 2, 3, 3, 4, 5, 6])).collect()
    }

    /// Exact in `f32`, too.
    fn values(&mut self, shape: &[usize]) -> Vec<f64> {
        let mut value = || f64::from(self.rng.random_range(-START..START) as f32);
        (0..shape.iter().product()).map(|_| value()).collect()
    }

    pub(crate) fn input(&mut self, shape: &[usize]) -> Known {
        let var = self.tape.input(shape);
        let values = self.values(shape);
        self.inputs.push((var, values));
        self.put(var, START, true)
    }

    pub(crate) fn literal(&mut self, shape: &[usize]) -> Known {
        let values = self.values(shape);
        let var = self.tape.literal(shape, values);
        self.put(var, START, true)
    }

    fn start_indices(&mut self) {
        for as_input in [true, false] {
            let count = self.below(6) + 1;
            // −1 and large indices lie outside their tables.
            let values: Vec<f64> = (0..count).map(|_| self.below(6) as f64 - 1.0).collect();
            let var = if as_input {
                let var = self.tape.input(&[count]);
                self.inputs.push((var, values));
                var
            } else {
                self.tape.literal(&[count], values)
            };
            self.indices.push(Known { var, bound: 4.0, exact: true });
        }
    }

    /// Makes a node available to later ones.
    pub(crate) fn put(&mut self, var: Var, bound: f64, exact: bool) -> Known {
        let known = self.tamed(Known { var, bound, exact }, TAME);
        if self.tape.len_of(known.var) <= MAX_LEN {
            self.pool.push(known);
        }
        known
    }

    /// Scaled down to this bound where it is larger.
    pub(crate) fn tamed(&mut self, x: Known, bound: f64) -> Known {
        if x.bound <= bound {
            return x;
        }
        let var = self.tape.mul_scalar(x.var, bound / x.bound);
        Known { var, bound, exact: false }
    }

    /// Any node, recent ones more often.
    pub(crate) fn pick(&mut self) -> Known {
        let recent = self.pool.len().min(6);
        let from = if self.chance(50) { self.pool.len() - recent } else { 0 };
        let i = self.rng.random_range(from..self.pool.len());
        self.pool[i]
    }

    /// A node whose comparisons cannot depend on rounding.
    pub(crate) fn pick_exact(&mut self) -> Known {
        let exact: Vec<Known> = self.pool.iter().copied().filter(|k| k.exact).collect();
        self.one_of(&exact)
    }

    /// Some node seen as this shape, through a random stack of shape operations.
    pub(crate) fn pick_as(&mut self, shape: &[usize]) -> Known {
        let x = self.pick();
        self.coerce(x, shape)
    }

    pub(crate) fn coerce(&mut self, x: Known, shape: &[usize]) -> Known {
        let mut x = x;
        if self.tape.shape(x.var) == shape && self.chance(70) {
            return x;
        }
        if shape[0] > 1 && self.chance(30) {
            // The same for every trial, and sometimes for more.
            let mut one = [&[1], &shape[1..]].concat();
            if self.chance(30) {
                let axis = self.below(shape.len());
                one[axis] = 1;
            }
            x = self.coerce(x, &one);
            x.var = self.tape.broadcast_to(x.var, shape);
            return x;
        }
        if self.chance(15) {
            // Cut out of something larger.
            let larger: Vec<usize> = shape.iter().map(|n| n + self.below(2)).collect();
            let start: Vec<usize> = larger.iter().zip(shape).map(|(l, n)| self.below(l - n + 1)).collect();
            x = self.coerce(x, &larger);
            x.var = self.tape.slice(x.var, &start, shape);
            return x;
        }
        let axes = self.permutation(shape.len());
        let axes = if self.chance(40) { axes } else { (0..shape.len()).collect() };
        let mut from = vec![0; shape.len()];
        axes.iter().zip(shape).for_each(|(&a, &n)| from[a] = n);
        let len = self.tape.len_of(x.var);
        let wanted: usize = shape.iter().product();
        let mut var = self.tape.reshape(x.var, &[len]);
        if len > wanted {
            let start = self.below(len - wanted + 1);
            var = self.tape.slice(var, &[start], &[wanted]);
        } else if len < wanted {
            let before = self.below(wanted - len + 1);
            var = self.tape.pad(var, &[before], &[wanted]);
        }
        var = self.tape.reshape(var, &from);
        x.var = self.tape.permute(var, &axes);
        x
    }

    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..n).collect();
        (1..n).for_each(|i| axes.swap(i, self.rng.random_range(0..=i)));
        axes
    }

    /// A few nodes to keep: plain ones, the same one twice, inputs, constants, and what simplifies to either.
    fn outputs(&mut self) -> Vec<Var> {
        let mut keep = Vec::new();
        for _ in 0..self.below(5) + 1 {
            let x = self.pick();
            keep.push(match self.below(12) {
                0 => keep.last().copied().unwrap_or(x.var),
                1 => self.pick_exact().var,
                2 => self.tape.full(&[2, 3], 1.25),
                3 => {
                    let i = self.below(self.inputs.len());
                    self.tape.mul_scalar(self.inputs[i].0, 1.0)
                }
                _ => x.var,
            });
        }
        keep
    }
}
