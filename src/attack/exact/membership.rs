//! Whether a picture was in the batch: span membership (the idea of DAGER, Petrov 2024).
//!
//! G = D·Xᵀ, so the inputs of a linear layer that a batch had lie in the row space of its gradient: R = the first B right
//! singular vectors. A picture whose input v of that layer was in the batch has ‖v − R·Rᵀ·v‖/‖v‖ ≈ 0. How small it must be,
//! pictures say that were not: outsiders of the same kind.

use serde::Serialize;

use super::{
    error::ExactError,
    matrix::{Matrix, dot, norm},
    rank::check_batch,
    spectrum::{Entry, Spectrum},
};
use crate::statistics::holm;

/// The span of a batch's inputs of a layer.
#[derive(Clone, Debug)]
pub struct Span {
    /// R `(n, B)`, orthonormal.
    basis: Matrix,
    /// Singular values above the noise; more than the batch size where the gradient is not of one step over it.
    pub rank: usize,
}

impl Span {
    /// From the gradient `(m, n)` of the weight of a linear layer.
    ///
    /// # Errors
    /// A gradient that is not finite, or 0; a batch that is not below m and n.
    pub fn of<T: Entry>(
        layer: &str,
        gradient: &[T],
        shape: [usize; 2],
        batch: usize,
        seed: u64,
    ) -> Result<Span, ExactError> {
        check_batch(layer, shape, Some(batch))?;
        if let Some(index) = gradient.iter().position(|&g| !g.into().is_finite()) {
            let (layer, value) = (layer.to_owned(), gradient[index].into());
            return Err(ExactError::NotFinite { layer, what: "weight gradient", index, value });
        }
        let spectrum = Spectrum::of(gradient, shape, Some(batch), seed)?;
        if spectrum.singular[0] == 0.0 {
            return Err(ExactError::Dead { layer: layer.into() });
        }
        Ok(Span { basis: spectrum.right(batch), rank: spectrum.rank })
    }

    /// ‖v − R·Rᵀ·v‖/‖v‖ of an input `(n)`: from 0, in the span, to 1. An input of 0 has 1: it leaves no trace.
    pub fn distance(&self, input: &[f64]) -> f64 {
        let length = norm(input);
        if length == 0.0 {
            return 1.0;
        }
        let mut rest = input.to_vec();
        for j in 0..self.basis.columns {
            let direction = self.basis.column(j);
            let along = dot(&direction, &rest);
            rest.iter_mut().zip(&direction).for_each(|(r, d)| *r -= along * d);
        }
        norm(&rest) / length
    }
}

/// What is said of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Verdict {
    /// ‖v − R·Rᵀ·v‖/‖v‖ of its input: 0 in the row space, 1 orthogonal to it.
    pub distance: f64,
    /// Share of the outsiders that are as near; `None` without outsiders.
    pub false_alarm_rate: Option<f64>,
    /// (1 + outsiders as near)/(outsiders + 1)
    pub p_value: Option<f64>,
    /// Whether it was in the batch; `None` where there are too few outsiders for any verdict.
    pub member: Option<bool>,
}

/// Verdicts on candidates at these distances, in their order, after Holm's correction over all of them at `alpha`.
pub fn verdicts(distances: &[f64], outsiders: &[f64], alpha: f64) -> Vec<Verdict> {
    let mut near = outsiders.to_vec();
    near.sort_unstable_by(f64::total_cmp);
    let as_near = |d: f64| near.partition_point(|&o| o <= d);
    if near.is_empty() {
        let none = |&distance| Verdict { distance, false_alarm_rate: None, p_value: None, member: None };
        return distances.iter().map(none).collect();
    }
    let p: Vec<f64> = distances.iter().map(|&d| (1 + as_near(d)) as f64 / (near.len() + 1) as f64).collect();
    let decidable = outsiders.len() >= outsiders_needed(distances.len(), alpha);
    let rejected: Vec<bool> = holm(&p).into_iter().map(|p| p <= alpha).collect();
    let verdict = |(i, &distance): (usize, &f64)| Verdict {
        distance,
        false_alarm_rate: Some(as_near(distance) as f64 / near.len() as f64),
        p_value: Some(p[i]),
        member: decidable.then_some(rejected[i]),
    };
    distances.iter().enumerate().map(verdict).collect()
}

/// Outsiders without which not even the nearest of so many candidates could be called a member: 1/(N + 1) ≤ α/k.
pub fn outsiders_needed(candidates: usize, alpha: f64) -> usize {
    // A little less than the quotient, lest 1/0.01 be rounded to more than 100.
    ((candidates as f64 / alpha) * (1.0 - 1e-12)).ceil() as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_counts_the_candidate_itself_among_the_outsiders() {
        let outsiders: Vec<f64> = (1..=99).map(|i| f64::from(i) / 100.0).collect();
        let found = verdicts(&[1e-6, 0.02, 0.5], &outsiders, 0.05);
        let rates: Vec<_> = found.iter().map(|v| (v.false_alarm_rate, v.p_value, v.member)).collect();
        let rate = |n: usize| Some(n as f64 / 99.0);
        assert_eq!(
            rates,
            [
                (rate(0), Some(0.01), Some(true)),
                (rate(2), Some(0.03), Some(false)),
                (rate(50), Some(0.51), Some(false))
            ]
        );
    }

    #[test]
    fn too_few_outsiders_give_no_verdict() {
        assert_eq!((outsiders_needed(1, 0.01), outsiders_needed(5, 0.01)), (99, 499));
        let few = verdicts(&[1e-6], &[0.5; 98], 0.01);
        assert_eq!((few[0].member, few[0].p_value), (None, Some(1.0 / 99.0)));
        assert_eq!(verdicts(&[1e-6], &[0.5; 99], 0.01)[0].member, Some(true));
        let none = Verdict { distance: 0.1, false_alarm_rate: None, p_value: None, member: None };
        assert_eq!(verdicts(&[0.1], &[], 0.01), [none]);
    }

    #[test]
    fn what_was_in_the_batch_has_distance_zero() {
        let drawn = |len: usize, purpose: &str| -> Vec<f64> {
            let mut generator = crate::random::generator(1, purpose);
            crate::random::normal(&mut generator, len).into_iter().map(f64::from).collect()
        };
        let (inputs, outer) = (Matrix::new(3, 40, drawn(120, "x")), Matrix::new(3, 20, drawn(60, "d")));
        let gradient = outer.transposed().times(&inputs);
        let span = Span::of("fc", &gradient.values, [20, 40], 3, 1).unwrap();
        assert_eq!(span.rank, 3);
        assert!((0..3).all(|i| span.distance(inputs.row(i)) < 1e-12));
        assert!(span.distance(&drawn(40, "other")) > 0.5);
        assert_eq!(span.distance(&[0.0; 40]), 1.0);
        let refused = Span::of("fc", &gradient.values, [20, 40], 20, 1).unwrap_err().to_string();
        assert!(refused.contains("expected a batch below 20"), "{refused}");
    }
}
