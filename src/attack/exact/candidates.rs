//! Candidates for the columns of D, from random sets of rows (Dimitrov 2024, section 4).
//!
//! With G = A·Vᵀ (A = G·V, `(m, B)`), D = A·P for some invertible P `(B, B)`. A column of D is 0 in every unit that ReLU
//! had switched off for its picture. If B − 1 rows of A belong to such units, the vector that is orthogonal to all of
//! them is that picture's column of P up to its length: A times it has many more zeros than chance gives.

use rand::{RngExt, seq::SliceRandom};
use rayon::prelude::*;

use super::matrix::{Matrix, NotConverged, Svd, dot, norm, svd, unit};
use crate::random;

/// Row sets of one task.
const TASK: usize = 256;
/// Rows that a vector is tried on before all of them are.
const PROBE: usize = 96;
/// Sets whose rows depend on each other more than this are left out: their vector is noise.
const CONDITION: f64 = 1e-3;
/// An entry of a first guess counts as 0 below this share of a typical one …
const ROUGH: f64 = 1e-3;
/// … and of one made exact, below this.
const FINE: f64 = 1e-5;
/// And up to so many standard deviations of the noise.
const DEVIATIONS: f64 = 6.0;
/// Zeros that a column of D has at least beyond those that any vector can be made to have.
const ZEROS: f64 = 3.0;
/// A candidate has so many times the zeros that chance gives.
const ABOVE_CHANCE: f64 = 3.0;
/// A zero whose leverage among all zeros is above this is one that the vector was made for: it says nothing.
const FORCED: f64 = 0.9;
/// Rounds in which zeros and the vector that they determine correct each other.
const ROUNDS: usize = 3;
/// Draws of each set after which a chance of e⁻⁸ is left that it was not drawn.
const EXHAUSTING: f64 = 8.0;
/// Vectors whose columns of D have a cosine above this are one.
const SAME: f64 = 0.999;

/// A direction p with many zeros in A·p.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Of length 1, `(B)`: a column of P.
    pub direction: Vec<f64>,
    /// Uᵀ of its column of D, of length 1: the cosine of two is that of their columns.
    pub column: Vec<f64>,
    /// Live units that are 0, without those that alone fix a part of the direction: a mixture of two columns is 0 where
    /// both are, and in a unit of choice.
    pub zeros: usize,
    /// Of those, that are left out.
    pub forced: usize,
}

/// Where candidates are looked for.
pub struct Field<'a> {
    /// A = G·V, `(m, B)`.
    rows: &'a Matrix,
    /// Singular values of A, all above 0.
    singular: &'a [f64],
    /// Standard deviation of an entry of A.
    noise: f64,
    /// Units that were on for some picture, in random order.
    live: Vec<usize>,
    seed: u64,
}

impl<'a> Field<'a> {
    /// Of the rows of A `(m, B)`, its singular values and the noise of an entry; the seed draws the sets.
    pub fn new(rows: &'a Matrix, singular: &'a [f64], noise: f64, seed: u64) -> Field<'a> {
        let lengths: Vec<f64> = (0..rows.rows).map(|i| norm(rows.row(i))).collect();
        let longest = lengths.iter().copied().fold(0.0, f64::max);
        let silent = (DEVIATIONS * noise * (rows.columns as f64).sqrt()).max(FINE * longest);
        let mut live: Vec<usize> = (0..rows.rows).filter(|&i| lengths[i] > silent).collect();
        live.shuffle(&mut random::generator(seed, "spear units"));
        Field { rows, singular, noise, live, seed }
    }

    /// Units that were on for at least one picture.
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// Sets of rows after which there is hardly one that was not drawn.
    pub fn exhausted(&self) -> u64 {
        let (live, width) = (self.live.len(), self.rows.columns);
        let sets = (1..width).map(|k| (live.saturating_sub(k - 1)) as f64 / k as f64).product::<f64>();
        (EXHAUSTING * sets).min(u64::MAX as f64) as u64
    }

    /// Below this, an entry of A·p (p of length 1) is 0; `typical`: the size of one that is not.
    pub fn nothing(&self, typical: f64) -> f64 {
        (DEVIATIONS * self.noise).max(FINE * typical)
    }

    /// The candidates that the `count` row sets from number `first` on (a multiple of the task size) give.
    pub fn draw(&self, first: u64, count: u64) -> Result<Vec<Candidate>, NotConverged> {
        if self.rows.columns == 1 {
            // One picture leaves nothing open but its length.
            return Ok(vec![Candidate { direction: vec![1.0], column: vec![1.0], zeros: 0, forced: 0 }]);
        }
        let tasks = (first / TASK as u64)..(first + count).div_ceil(TASK as u64);
        let found: Vec<Vec<Candidate>> =
            tasks.into_par_iter().map(|task| self.task(task)).collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    fn task(&self, task: u64) -> Result<Vec<Candidate>, NotConverged> {
        let width = self.rows.columns;
        if self.live.len() < width {
            return Ok(vec![]);
        }
        let mut generator = random::generator(self.seed, &format!("spear rows {task}"));
        let mut found: Vec<Candidate> = vec![];
        let mut rows = Vec::with_capacity(width);
        for _ in 0..TASK {
            rows.clear();
            while rows.len() + 1 < width {
                let row = self.live[generator.random_range(0..self.live.len())];
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
            let Some(column) = self.orthogonal(&rows) else { continue };
            let direction = self.direction(&column);
            if self.has_zeros(&direction, &rows)
                && let Some(candidate) = self.made_exact(direction)?
                && !found.iter().any(|known| same(known, &candidate))
            {
                found.push(candidate);
            }
        }
        Ok(found)
    }

    /// The vector orthogonal to these rows of U = A·diag(1/s), by Gram–Schmidt; `None` where they depend on each other.
    fn orthogonal(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
        let (mut shortest, mut longest) = (f64::INFINITY, 0.0_f64);
        for &row in rows {
            let mut v: Vec<f64> = self.rows.row(row).iter().zip(self.singular).map(|(a, s)| a / s).collect();
            let before = norm(&v);
            subtract(&mut v, &basis);
            let after = norm(&v);
            shortest = shortest.min(after);
            longest = longest.max(before);
            if after <= CONDITION * before {
                return None;
            }
            basis.push(unit(v));
        }
        if !rows.is_empty() && shortest < CONDITION * longest {
            return None;
        }
        // The unit vector that the rows span least, without its part along them.
        let width = self.rows.columns;
        let outside = |k: usize| 1.0 - basis.iter().map(|b| b[k] * b[k]).sum::<f64>();
        let k = (0..width).max_by(|&a, &b| outside(a).total_cmp(&outside(b)))?;
        let mut v = vec![0.0; width];
        v[k] = 1.0;
        subtract(&mut v, &basis);
        let mut v = unit(v);
        subtract(&mut v, &basis);
        Some(unit(v))
    }

    /// A direction whose column A·p is orthogonal to those of these, fewer than all.
    pub fn outside(&self, directions: &[Vec<f64>]) -> Result<Vec<f64>, NotConverged> {
        let width = self.rows.columns;
        let columns: Vec<Vec<f64>> = directions.iter().map(|direction| self.column(direction)).collect();
        let entry = |i: usize, j: usize| columns.get(i).map_or(0.0, |column| column[j]);
        let column = svd(&Matrix::from_fn(width, width, entry))?.v.column(width - 1);
        Ok(self.direction(&column))
    }

    /// Uᵀ·A·p = diag(s)·p, of length 1.
    fn column(&self, direction: &[f64]) -> Vec<f64> {
        unit(direction.iter().zip(self.singular).map(|(p, s)| p * s).collect())
    }

    /// p of length 1 whose column is diag(s)·p times any factor.
    fn direction(&self, column: &[f64]) -> Vec<f64> {
        unit(column.iter().zip(self.singular).map(|(c, s)| c / s).collect())
    }

    /// The direction p for which A·p is nearest to 0 in these units, as far as they are live; `None` of too few.
    pub fn zero_in(&self, units: &[usize]) -> Result<Option<Vec<f64>>, NotConverged> {
        let width = self.rows.columns;
        let rows: Vec<usize> = units.iter().copied().filter(|unit| self.live.contains(unit)).collect();
        if rows.len() + 1 < width {
            return Ok(None);
        }
        if rows.len() < width {
            return Ok(self.orthogonal(&rows).map(|column| self.direction(&column)));
        }
        Ok(Some(svd(&self.rows.picked(&rows))?.v.column(width - 1)))
    }

    /// Whether A·p has more zeros than chance gives in some rows, without those that it was made for.
    fn has_zeros(&self, direction: &[f64], made_for: &[usize]) -> bool {
        let probed = self.live.iter().filter(|row| !made_for.contains(row)).take(PROBE);
        let entries: Vec<f64> = probed.map(|&i| dot(self.rows.row(i), direction)).collect();
        let typical = norm(&entries) / (entries.len() as f64).sqrt();
        let nothing = (DEVIATIONS * self.noise).max(ROUGH * typical);
        let zeros = entries.iter().filter(|entry| entry.abs() < nothing).count() as f64;
        zeros >= ZEROS + chance(nothing, typical) * entries.len() as f64
    }

    /// Its zeros as equations for the direction, again and again: where there are hundreds, noise averages out.
    fn made_exact(&self, mut direction: Vec<f64>) -> Result<Option<Candidate>, NotConverged> {
        let width = self.rows.columns;
        let (mut threshold, mut forced) = (ROUGH, 0);
        for round in 0..=ROUNDS {
            let entries: Vec<f64> = self.live.iter().map(|&i| dot(self.rows.row(i), &direction)).collect();
            let typical = norm(&entries) / (entries.len() as f64).sqrt();
            let nothing = (DEVIATIONS * self.noise).max(threshold * typical);
            let zeros: Vec<usize> =
                self.live.iter().zip(&entries).filter(|(_, e)| e.abs() < nothing).map(|(&i, _)| i).collect();
            let by_chance = chance(nothing, typical) * self.live.len() as f64;
            if (zeros.len() as f64) < (width - 1) as f64 + ZEROS + by_chance {
                return Ok(None);
            }
            if round == ROUNDS {
                let column = self.column(&direction);
                return Ok(Some(Candidate { direction, column, zeros: zeros.len() - forced, forced }));
            }
            let Svd { u, v, .. } = svd(&self.rows.picked(&zeros))?;
            let leverage = |i: usize| u.row(i)[..width - 1].iter().map(|u| u * u).sum::<f64>();
            forced = (0..zeros.len()).filter(|&i| leverage(i) > FORCED).count();
            direction = v.column(width - 1);
            threshold = FINE;
        }
        unreachable!("the last round returns")
    }
}

/// Whether two candidates are one picture's.
pub fn same(a: &Candidate, b: &Candidate) -> bool {
    dot(&a.column, &b.column).abs() > SAME
}

/// Share of values of a normal distribution of this deviation within ±nothing, times what a candidate must exceed.
fn chance(nothing: f64, typical: f64) -> f64 {
    let within = (nothing / typical.max(f64::MIN_POSITIVE)) * (2.0 / std::f64::consts::PI).sqrt();
    ABOVE_CHANCE * within
}

/// Takes the parts along an orthonormal basis away, twice against rounding.
fn subtract(v: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for b in basis {
            let along = dot(v, b);
            v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
        }
    }
}
