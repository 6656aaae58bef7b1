//! A choice of columns of P: which pictures it gives, and whether they are the true ones.

use super::{
    agreement::agreement,
    candidates::Field,
    matrix::{Matrix, NotConverged, norm, pseudo_inverse},
    rank::NOISY,
    scale::{self, Scale},
    spectrum::Spectrum,
};

/// Agreement from which a choice is taken for the truth, without and with noise: under noise, units near 0 are misread.
const AGREED: f64 = 0.999;
const AGREED_IN_NOISE: f64 = 0.97;
/// Rounds of correcting directions by the pictures that they give.
const CORRECTIONS: usize = 4;
/// A unit is off for a picture below this share of its inputs' size.
const MARGIN: f64 = 1e-3;

pub(super) fn needed(relative_noise: f64) -> f64 {
    if relative_noise > NOISY { AGREED_IN_NOISE } else { AGREED }
}

/// All that a choice of directions is judged by.
pub(super) struct View<'a> {
    /// A `(m, r)`
    pub(super) rows: &'a Matrix,
    /// W·V `(m, r)`
    pub(super) responses: &'a Matrix,
    pub(super) bias: &'a [f64],
    pub(super) bias_gradient: Option<Vec<f64>>,
    pub(super) field: &'a Field<'a>,
}

/// A choice of directions and what follows from it.
pub(super) struct Choice {
    /// Columns of P, each of length 1.
    directions: Vec<Vec<f64>>,
    /// Z = W·X + b `(m, r)`
    inputs: Matrix,
    /// P⁻¹
    pub(super) inverse: Matrix,
    pub(super) outer: Matrix,
    pub(super) agreement: Vec<f64>,
    pub(super) scale: Scale,
}

/// Units that a picture leaves off, by more than rounding: `inputs` Z `(m, r)`.
fn off(inputs: &Matrix, picture: usize) -> Vec<usize> {
    let inputs = inputs.column(picture);
    let least = MARGIN * norm(&inputs) / (inputs.len() as f64).sqrt();
    (0..inputs.len()).filter(|&i| inputs[i] < -least).collect()
}

impl Choice {
    pub(super) fn mean(&self) -> f64 {
        self.agreement.iter().sum::<f64>() / self.agreement.len() as f64
    }

    pub(super) fn agrees(&self, spectrum: &Spectrum) -> bool {
        let needed = needed(spectrum.relative_noise());
        self.agreement.iter().all(|&share| share >= needed)
    }
}

impl View<'_> {
    /// A choice that agrees, from all directions but one.
    ///
    /// The last row of P⁻¹ is orthogonal to the other columns of P, and the bias gradient gives its length: the last picture is
    /// known without its direction, and says in which units that is 0. Without a bias gradient either sign is tried.
    pub(super) fn completed(
        &self,
        mut directions: Vec<Vec<f64>>,
        spectrum: &Spectrum,
    ) -> Result<Option<Choice>, NotConverged> {
        let last = directions.len();
        directions.push(self.field.outside(&directions)?);
        let choice = self.choice(&directions)?;
        let mut turned = choice.inputs.clone();
        turned.values.iter_mut().for_each(|z| *z = -*z);
        let both = [Some(&choice.inputs), (choice.scale == Scale::SignOnly).then_some(&turned)];
        for inputs in both.into_iter().flatten() {
            let Some(direction) = self.field.zero_in(&off(inputs, last))? else { continue };
            directions[last] = direction;
            let choice = self.corrected(self.choice(&directions)?, spectrum)?;
            if choice.agrees(spectrum) {
                return Ok(Some(choice));
            }
        }
        Ok(None)
    }

    /// Directions again from the units that the pictures themselves leave off.
    ///
    /// Where one picture is off in hardly a unit in which another is on, zeros alone take a mixture d_b + λ·d_a for d_b. The
    /// picture x_b is right all the same, as D·Xᵀ is given, and says where d_b is 0.
    pub(super) fn corrected(&self, mut choice: Choice, spectrum: &Spectrum) -> Result<Choice, NotConverged> {
        let needed = needed(spectrum.relative_noise());
        for _ in 0..CORRECTIONS {
            let before = choice.mean();
            for j in 0..choice.directions.len() {
                if choice.agreement[j] >= needed {
                    continue;
                }
                let Some(direction) = self.field.zero_in(&off(&choice.inputs, j))? else { continue };
                let mut directions = choice.directions.clone();
                directions[j] = direction;
                let other = self.choice(&directions)?;
                if other.mean() > choice.mean() {
                    choice = other;
                }
            }
            if choice.mean() <= before {
                break;
            }
        }
        Ok(choice)
    }

    pub(super) fn choice(&self, directions: &[Vec<f64>]) -> Result<Choice, NotConverged> {
        let columns = self.rows.times(&Matrix::of_columns(directions));
        let (factors, scale) = match &self.bias_gradient {
            Some(gradient) => (scale::from_bias(&columns, gradient)?, Scale::Bias),
            None => (vec![1.0; directions.len()], Scale::SignOnly),
        };
        let mut choice = self.scaled(directions, &factors, scale)?;
        if scale == Scale::SignOnly {
            let turned = self.scaled(directions, &vec![-1.0; directions.len()], scale)?;
            let signs: Vec<f64> = choice
                .agreement
                .iter()
                .zip(&turned.agreement)
                .map(|(plus, minus)| if plus >= minus { 1.0 } else { -1.0 })
                .collect();
            choice = self.scaled(directions, &signs, scale)?;
        }
        Ok(choice)
    }

    fn scaled(&self, directions: &[Vec<f64>], factors: &[f64], scale: Scale) -> Result<Choice, NotConverged> {
        let p = Matrix::of_columns(directions).with_columns_times(factors);
        let outer = self.rows.times(&p);
        let inverse = pseudo_inverse(&p)?;
        let mut inputs = self.responses.times(&inverse.transposed());
        // Where the length is not known, nor is how much the bias counts beside it.
        if scale == Scale::Bias && !self.bias.is_empty() {
            for (row, b) in inputs.values.chunks_mut(inputs.columns).zip(self.bias) {
                row.iter_mut().for_each(|z| *z += b);
            }
        }
        let nothing: Vec<f64> = (0..outer.columns)
            .map(|j| {
                let live = self.field.live().max(1) as f64;
                let length = outer.column(j).iter().map(|d| d * d).sum::<f64>().sqrt();
                let factor = factors[j].abs();
                factor * self.field.nothing(length / factor.max(f64::MIN_POSITIVE) / live.sqrt())
            })
            .collect();
        let agreement = agreement(&outer, &nothing, &inputs);
        Ok(Choice { directions: directions.to_vec(), inputs, inverse, outer, agreement, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::super::spear::{ReluLayer, Search, restore};
    use crate::random;

    const UNITS: usize = 60;
    const INPUTS: usize = 40;
    const PICTURES: usize = 5;
    /// Live units that the last picture leaves off.
    const OFF: usize = 5;

    /// A layer, its gradient and the pictures `(PICTURES, INPUTS)`: the last one is off in few live units.
    fn hardly_off(with_bias: bool) -> ([Vec<f64>; 4], Vec<f64>) {
        let mut generator = random::generator(5, "hardly off");
        let mut drawn = |count: usize| -> Vec<f64> {
            random::normal(&mut generator, count).into_iter().map(f64::from).collect()
        };
        let (x, mut weight) = (drawn(PICTURES * INPUTS), drawn(UNITS * INPUTS));
        let bias = if with_bias { drawn(UNITS) } else { vec![0.0; UNITS] };
        let z = |weight: &[f64], unit: usize, picture: usize| -> f64 {
            let (w, x) = (&weight[unit * INPUTS..][..INPUTS], &x[picture * INPUTS..][..INPUTS]);
            bias[unit] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
        };
        // All units but a few are turned so that the last picture switches them on.
        let last = PICTURES - 1;
        let x_last = &x[last * INPUTS..];
        let square: f64 = x_last.iter().map(|x| x * x).sum();
        for unit in 0..UNITS {
            let now = z(&weight, unit, last);
            let wanted = if unit < OFF { -now.abs() - 0.1 } else { now.abs() + 0.1 };
            let row = &mut weight[unit * INPUTS..][..INPUTS];
            row.iter_mut().zip(x_last).for_each(|(w, x)| *w += (wanted - now) / square * x);
        }
        let upstream = drawn(UNITS * PICTURES);
        let (mut gradient, mut of_bias) = (vec![0.0; UNITS * INPUTS], vec![0.0; UNITS]);
        for unit in 0..UNITS {
            for picture in (0..PICTURES).filter(|&picture| z(&weight, unit, picture) > 0.0) {
                let d = upstream[unit * PICTURES + picture];
                of_bias[unit] += d;
                let row = &mut gradient[unit * INPUTS..][..INPUTS];
                row.iter_mut().zip(&x[picture * INPUTS..]).for_each(|(g, x)| *g += d * x);
            }
        }
        ([weight, bias, gradient, of_bias], x)
    }

    #[test]
    fn a_picture_that_switches_nearly_every_unit_on_follows_from_the_others() {
        for with_bias in [true, false] {
            let ([weight, bias, gradient, of_bias], truth) = hardly_off(with_bias);
            let layer = ReluLayer {
                name: "fc",
                shape: [UNITS, INPUTS],
                weight: &weight,
                bias: with_bias.then_some(&bias[..]),
                weight_gradient: &gradient,
                bias_gradient: with_bias.then_some(&of_bias[..]),
            };
            let search = Search { batch: Some(PICTURES), budget: 100_000, seed: 1 };
            let found = restore(&layer, search, &|| false).unwrap();
            assert!(found.agrees(), "{:?}", found.agreement);
            for picture in truth.chunks(INPUTS) {
                let cosine = |row: &[f64]| {
                    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    dot(row, picture) / (dot(row, row) * dot(picture, picture)).sqrt()
                };
                let best = (0..PICTURES).map(|i| cosine(found.inputs.row(i))).fold(-1.0, f64::max);
                assert!(best > 1.0 - 1e-9, "bias {with_bias}: {best}");
            }
        }
    }
}
