//! What names features: a ridge classifier on public pictures, whose strength, and whether mirror images serve it, were
//! chosen on public pictures that were held out.

use schemars::JsonSchema;
use serde::Serialize;

use super::ridge::{Ridge, log_probabilities};
use crate::attack::exact::matrix::{Matrix, NotDefinite};

/// λ that are tried.
const STRENGTHS: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.0];

/// Fitted to all public pictures.
#[derive(Clone, Debug)]
pub struct Classifier {
    ridge: Ridge,
    temperature: f64,
    /// What was chosen and how well it does, for reports.
    pub record: ClassifierRecord,
}

/// What was chosen, and how well it names public pictures that it was not fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClassifierRecord {
    /// λ of the ridge, times the number of pictures.
    pub strength: f64,
    /// Whether mirror images of the public pictures served, too.
    pub is_mirrored: bool,
    /// Public pictures held out when this was chosen.
    pub held_out: usize,
    /// Of those, named right.
    pub right: usize,
}

/// A ridge on the pictures that are not held out, and how it does on the others.
struct Tried {
    record: ClassifierRecord,
    temperature: f64,
    likelihood: f64,
}

impl Classifier {
    /// From the features `(M, d)` of public pictures and of their mirror images, the place of each one's name, and which of
    /// them are held out for the choice.
    ///
    /// # Errors
    /// Features that depend on each other beyond what a ridge mends.
    pub fn learn(
        plain: &Matrix,
        mirrored: &Matrix,
        labels: &[usize],
        held_out: &[bool],
        names: usize,
    ) -> Result<Classifier, NotDefinite> {
        let (unseen, seen): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&i| held_out[i]);
        let of = |places: &[usize]| places.iter().map(|&i| labels[i]).collect::<Vec<usize>>();
        let (tested, truth) = (plain.picked(&unseen), of(&unseen));
        let mut tried = vec![];
        let testable = !seen.is_empty() && !unseen.is_empty();
        for is_mirrored in [false, true].into_iter().filter(|_| testable) {
            let (features, labels) =
                training(&plain.picked(&seen), &mirrored.picked(&seen), &of(&seen), is_mirrored);
            for (ridge, strength) in Ridge::fits(&features, &labels, names, &STRENGTHS)?.iter().zip(STRENGTHS)
            {
                tried.push(Tried::new(ridge, &tested, &truth, strength, is_mirrored));
            }
        }
        let best = tried.into_iter().max_by(|a, b| a.likelihood.total_cmp(&b.likelihood));
        let Tried { record, temperature, .. } = best.unwrap_or_else(Tried::untested);
        let (features, labels) = training(plain, mirrored, labels, record.is_mirrored);
        let ridge = Ridge::fit(&features, &labels, names, record.strength)?;
        Ok(Classifier { ridge, temperature, record })
    }

    /// `(N)`, of sum 1.
    pub fn probabilities(&self, feature: &[f64]) -> Vec<f64> {
        let logs = log_probabilities(&self.ridge.scores(feature), self.temperature);
        logs.into_iter().map(f64::exp).collect()
    }
}

impl Tried {
    fn new(ridge: &Ridge, features: &Matrix, labels: &[usize], strength: f64, is_mirrored: bool) -> Tried {
        let temperature = ridge.temperature(features, labels);
        let (mut right, mut likelihood) = (0, 0.0);
        for (i, &label) in labels.iter().enumerate() {
            let logs = log_probabilities(&ridge.scores(features.row(i)), temperature);
            right += usize::from(logs.iter().all(|&other| other <= logs[label]));
            likelihood += logs[label];
        }
        let record = ClassifierRecord { strength, is_mirrored, held_out: labels.len(), right };
        Tried { record, temperature, likelihood }
    }

    /// Where there are too few pictures to hold any out.
    fn untested() -> Tried {
        let record = ClassifierRecord { strength: 0.1, is_mirrored: false, held_out: 0, right: 0 };
        Tried { record, temperature: 1.0, likelihood: 0.0 }
    }
}

/// Features with or without those of the mirror images.
fn training(plain: &Matrix, mirrored: &Matrix, labels: &[usize], both: bool) -> (Matrix, Vec<usize>) {
    if !both {
        return (plain.clone(), labels.to_vec());
    }
    let values = [&plain.values[..], &mirrored.values[..]].concat();
    (Matrix::new(2 * plain.rows, plain.columns, values), labels.repeat(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds; the mirror images of `wrong` lie in each other's.
    fn clouds(count: usize, wrong: bool) -> (Matrix, Matrix, Vec<usize>) {
        let drawn = crate::random::normal(&mut crate::random::generator(3, "clouds"), 6 * count);
        let labels: Vec<usize> = (0..count).map(|i| i % 2).collect();
        let centre = |name: usize, j: usize| if j == name { 2.0 } else { 0.0 };
        let of = |from: usize, flip: bool| {
            Matrix::from_fn(count, 3, |i, j| {
                let name = if flip { 1 - labels[i] } else { labels[i] };
                centre(name, j) + f64::from(drawn[from + 3 * i + j])
            })
        };
        (of(0, false), of(3 * count, wrong), labels)
    }

    #[test]
    fn mirror_images_serve_where_they_look_like_the_pictures() {
        for wrong in [false, true] {
            let (plain, mirrored, labels) = clouds(40, wrong);
            let held: Vec<bool> = (0..40).map(|i| i % 4 < 2).collect();
            let found = Classifier::learn(&plain, &mirrored, &labels, &held, 2).unwrap();
            assert_eq!(found.record.is_mirrored, !wrong, "{:?}", found.record);
            assert!(found.record.held_out == 20 && found.record.right >= 15, "{:?}", found.record);
            let sure = found.probabilities(&[3.0, -1.0, 0.0]);
            assert!(sure[0] > 0.9 && (sure.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn too_few_pictures_to_hold_out_still_name() {
        let (plain, mirrored, labels) = clouds(4, false);
        let found = Classifier::learn(&plain, &mirrored, &labels, &[false; 4], 2).unwrap();
        assert_eq!(found.record.held_out, 0);
        let all = Classifier::learn(&plain, &mirrored, &labels, &[true; 4], 2).unwrap();
        assert_eq!(all.record.held_out, 0);
    }
}
