//! Random pointwise operations, shape operations and reductions.

use gia_gpu::tape::{Tape, Var};

use super::random_graph::{Grower, Known};

impl Grower {
    pub(crate) fn operation(&mut self) {
        match self.below(22) {
            0..=2 => {
                let x = self.pick();
                self.unary(x);
            }
            3..=5 => {
                let x = self.pick();
                self.binary(x);
            }
            6 => self.select(),
            7..=10 => self.views(),
            11 | 12 => self.reduction(),
            13 | 14 => self.matmul(),
            15 | 16 => self.convolution(),
            17 => self.window(),
            18 => self.table(),
            19 => self.long_chain(),
            20 => self.wide_sum(),
            _ => self.derivative(),
        }
    }

    fn unary(&mut self, x: Known) -> Known {
        type Function = fn(&mut Tape, Var) -> Var;
        let kept: [(Function, f64); 3] = [(Tape::neg, x.bound), (Tape::abs, x.bound), (Tape::sign, 1.0)];
        let bounded: [Function; 3] = [Tape::tanh, Tape::sigmoid, Tape::erf];
        // Of |x| + 0.5: with the bound of the result.
        let large = x.bound + 0.5;
        let positive: [(Function, f64); 5] = [
            (Tape::log, large.ln().max(0.7)),
            (Tape::sqrt, large.sqrt()),
            (Tape::rsqrt, 1.5),
            (|t, v| t.powi(v, -1), 2.0),
            (|t, v| t.powi(v, -2), 4.0),
        ];
        match self.below(6) {
            0 if x.exact => {
                let (f, bound) = self.one_of(&kept);
                let var = f(&mut self.tape, x.var);
                self.put(var, bound, true)
            }
            0 => {
                let var = self.tape.neg(x.var);
                self.put(var, x.bound, false)
            }
            1 => {
                let var = self.one_of(&bounded)(&mut self.tape, x.var);
                self.put(var, 1.0, false)
            }
            2 => {
                let x = self.tamed(x, 2.0);
                let var = self.tape.exp(x.var);
                self.put(var, 8.0, false)
            }
            3 => {
                let magnitude = self.tape.abs(x.var);
                let shifted = self.tape.add_scalar(magnitude, 0.5);
                let (f, bound) = self.one_of(&positive);
                let var = f(&mut self.tape, shifted);
                self.put(var, bound, false)
            }
            4 => {
                let n = self.below(4) as i32;
                let var = self.tape.powi(x.var, n);
                self.put(var, x.bound.powi(n), false)
            }
            _ => {
                let c = self.one_of(&[-1.0, 0.0, 0.5, 1.0, -2.5]);
                let f: fn(&mut Tape, Var, f64) -> Var =
                    self.one_of(&[Tape::mul_scalar as _, Tape::add_scalar as _]);
                let var = f(&mut self.tape, x.var, c);
                self.put(var, x.bound * 2.5 + 2.5, false)
            }
        }
    }

    /// `x` and another operand that broadcasts against it.
    fn binary(&mut self, x: Known) -> Known {
        let mut shape = self.tape.shape(x.var).to_vec();
        for n in &mut shape {
            if self.chance(15) {
                *n = 1;
            }
        }
        if shape.len() > 1 && self.chance(15) {
            shape.remove(0);
        }
        let y = self.pick_as(&shape);
        let (a, b) = if self.chance(50) { (x, y) } else { (y, x) };
        let exact = a.exact && b.exact;
        let larger = a.bound.max(b.bound);
        let which = self.below(8);
        let t = &mut self.tape;
        let (var, bound, exact) = match which {
            0 => (t.add(a.var, b.var), a.bound + b.bound, false),
            1 => (t.sub(a.var, b.var), a.bound + b.bound, false),
            2 | 3 => (t.mul(a.var, b.var), a.bound * b.bound, false),
            4 => {
                let square = t.mul(b.var, b.var);
                let divisor = t.add_scalar(square, 0.5);
                (t.div(a.var, divisor), 2.0 * a.bound, false)
            }
            5 => (t.max(a.var, b.var), larger, exact),
            6 => (t.min(a.var, b.var), larger, exact),
            _ if exact => (t.less(a.var, b.var), 1.0, true),
            _ => (t.relu(a.var), a.bound, false),
        };
        self.put(var, bound, exact)
    }

    fn select(&mut self) {
        let a = self.pick();
        let shape = self.tape.shape(a.var).to_vec();
        let b = self.pick_as(&shape);
        let mask = self.pick_exact();
        let mask = self.coerce(mask, &shape);
        let mask = match self.below(3) {
            0 => self.tape.step(mask.var),
            1 => self.tape.equal(mask.var, mask.var),
            _ => mask.var,
        };
        let var = self.tape.select(mask, a.var, b.var);
        self.put(var, a.bound.max(b.bound), a.exact && b.exact);
    }

    fn views(&mut self) {
        let mut x = self.pick();
        for _ in 0..self.below(5) + 1 {
            let shape = self.tape.shape(x.var).to_vec();
            x.var = match self.below(7) {
                0 => {
                    let to = self.factored(shape.iter().product());
                    self.tape.reshape(x.var, &to)
                }
                1 => {
                    let axes = self.permutation(shape.len());
                    self.tape.permute(x.var, &axes)
                }
                2 if self.tape.len_of(x.var) < 200 => {
                    let (axis, n) = (self.below(shape.len() + 1), self.below(3) + 1);
                    let mut to = shape.clone();
                    to.insert(axis, 1);
                    let inserted = self.tape.reshape(x.var, &to);
                    to[axis] = n;
                    self.tape.broadcast_to(inserted, &to)
                }
                3 => {
                    let to: Vec<usize> = shape.iter().map(|&n| self.below(n) + 1).collect();
                    let start: Vec<usize> =
                        to.iter().zip(&shape).map(|(m, n)| self.below(n - m + 1)).collect();
                    self.tape.slice(x.var, &start, &to)
                }
                4 if self.tape.len_of(x.var) < 200 => {
                    let before: Vec<usize> = shape.iter().map(|_| self.below(3)).collect();
                    let to: Vec<usize> =
                        before.iter().zip(&shape).map(|(b, n)| b + n + self.below(2)).collect();
                    self.tape.pad(x.var, &before, &to)
                }
                5 => {
                    let other = self.pick_as(&shape);
                    x = Known { var: x.var, bound: x.bound.max(other.bound), exact: false };
                    let axis = self.below(shape.len());
                    self.tape.concat(&[x.var, other.var], axis)
                }
                _ => {
                    let axes: Vec<usize> = (0..shape.len()).filter(|_| self.chance(50)).collect();
                    self.tape.flip(x.var, &axes)
                }
            };
            if self.chance(30) {
                x = self.unary(x);
            }
        }
        self.put(x.var, x.bound, x.exact);
    }

    /// A random shape of this many elements.
    fn factored(&mut self, mut len: usize) -> Vec<usize> {
        let mut shape = Vec::new();
        while shape.len() < 4 && (len > 1 || shape.is_empty() || self.chance(10)) {
            let divisors: Vec<usize> = (1..=len).filter(|d| len.is_multiple_of(*d)).collect();
            let n = self.one_of(&divisors);
            shape.push(n);
            len /= n;
        }
        shape.push(len);
        shape
    }

    fn reduction(&mut self) {
        let x = self.pick();
        let shape = self.tape.shape(x.var).to_vec();
        let axes: Vec<usize> = (0..shape.len()).filter(|_| self.chance(60)).collect();
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let (var, bound, exact) = match self.below(4) {
            0 => (self.tape.max_over(x.var, &axes), x.bound, x.exact),
            1 => (self.tape.mean(x.var, &axes), x.bound, false),
            2 => {
                let var = self.tape.sum_per_trial(x.var);
                self.put(var, x.bound * self.tape.len_of(x.var) as f64, false);
                return;
            }
            _ => (self.tape.sum(x.var, &axes), x.bound * count as f64, false),
        };
        let x = self.put(var, bound, exact);
        if self.chance(30) {
            // Back to where it came from, as in a mean that is subtracted.
            let var = self.tape.broadcast_to(x.var, &shape);
            self.put(var, x.bound, x.exact);
        }
    }

    /// More operations than one kernel takes.
    fn long_chain(&mut self) {
        let mut x = self.pick();
        let y = self.pick();
        let shape = self.tape.shape(x.var).to_vec();
        let y = self.coerce(y, &shape);
        for _ in 0..self.below(90) + 40 {
            let which = self.below(5);
            let t = &mut self.tape;
            let var = match which {
                0 => t.sub(x.var, y.var),
                1 => t.neg(x.var),
                2 => t.mul_scalar(x.var, 0.7),
                3 => t.abs(x.var),
                _ => t.tanh(x.var),
            };
            let bound = if x.bound > 8.0 { 8.0 } else { x.bound + y.bound };
            x = self.tamed(Known { var, bound: x.bound + y.bound, exact: false }, bound);
        }
        self.put(x.var, x.bound, false);
    }

    /// More distinct operands than one kernel reads.
    fn wide_sum(&mut self) {
        let mut sum = self.pick();
        let shape = self.tape.shape(sum.var).to_vec();
        for _ in 0..self.below(8) + 6 {
            let mut term = if self.chance(40) { self.input(&shape) } else { self.pick_as(&shape) };
            if self.chance(40) {
                term = self.unary(term);
            }
            let bound = sum.bound + term.bound;
            sum = Known { var: self.tape.add(sum.var, term.var), bound, exact: false };
        }
        self.put(sum.var, sum.bound, false);
    }

    /// A gradient, and the gradient of that: graphs as double backprop makes them.
    fn derivative(&mut self) {
        let (y, x) = (self.pick(), self.pick());
        let square = self.tape.mul(y.var, y.var);
        let first = self.tape.grad(square, &[x.var])[0];
        let first = self.tape.tanh(first);
        self.put(first, 1.0, false);
        let second = self.tape.grad(first, &[x.var])[0];
        let second = self.tape.tanh(second);
        self.put(second, 1.0, false);
    }
}
