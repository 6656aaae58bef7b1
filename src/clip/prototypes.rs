//! Names as prototypes: the mean direction of a few pictures' features in place of a sentence's (Snell 2017).
//!
//! What all prototypes have in common is taken off first, so that a cosine compares what tells the names apart. Every
//! example is held out once, and named by the others: how often that is right is what the names are worth.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ClipError, Encoder, Examples, Head, ImageEncoder, NameFeatures, Templates, encoder::directions,
    zero_shot::check_size,
};
use crate::{
    data::{Normalisation, place_of_name},
    device::Device,
    statistics::share_interval_95,
    tape::{Tape, Var},
    watch::{Stage, Watch},
};

/// Scales of cosines that are tried, from soft to sharp.
const SCALES: usize = 40;
const SHARPEST: f64 = 100.0;

/// How well the examples are named, each by the others.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HeldOut {
    /// The folder that they come from.
    pub folder: String,
    /// Examples.
    pub pictures: usize,
    /// How many names the examples have.
    pub names: usize,
    /// Named right, each by the others.
    pub right: usize,
    /// In [0, 1], with Clopper and Pearson's 95 % interval.
    pub share: f64,
    /// Clopper and Pearson's, of `share`.
    pub interval_95: [f64; 2],
    /// 1/names
    pub chance: f64,
    /// Whether the interval holds chance: then no verdict rests on these names.
    pub is_at_chance: bool,
}

impl HeldOut {
    fn new(folder: String, names: usize, right: usize, pictures: usize) -> HeldOut {
        let interval_95 = share_interval_95(right, pictures);
        let chance = 1.0 / names as f64;
        HeldOut {
            folder,
            pictures,
            names,
            right,
            share: right as f64 / pictures as f64,
            interval_95,
            chance,
            is_at_chance: interval_95[0] <= chance,
        }
    }

    /// In words.
    pub fn sentence(&self) -> String {
        let [share, low, high, chance] =
            [self.share, self.interval_95[0], self.interval_95[1], self.chance].map(|share| 100.0 * share);
        let HeldOut { folder, pictures, names, right, .. } = self;
        let verdict = match self.is_at_chance {
            true => ": no better than chance, so no verdict rests on these names",
            false => "",
        };
        format!(
            "names by example: of {pictures} pictures of {names} names in {folder}, each held out once, {right} are named \
             right, {share:.0} % [{low:.0}, {high:.0}]; chance {chance:.0} %{verdict}"
        )
    }
}

/// A model whose names are learned from examples.
pub struct Prototypes<'e> {
    encoder: Box<dyn Encoder + 'e>,
    names: Vec<String>,
    /// `(N,E)`, of length 1, what they have in common taken off.
    vectors: Vec<f32>,
    /// `(E)`: what they have in common.
    mean: Vec<f64>,
    scale: f64,
    held_out: HeldOut,
}

impl<'e> Prototypes<'e> {
    /// Learns the names with this model's image half.
    ///
    /// # Errors
    /// Pictures in which the model sees nothing, or the same in all.
    pub fn learn(
        device: &dyn Device,
        encoder: Box<dyn Encoder + 'e>,
        examples: &Examples,
        watch: &dyn Watch,
    ) -> Result<Prototypes<'e>, ClipError> {
        let labels: Vec<usize> = examples.pictures.iter().map(|(name, _)| *name).collect();
        let features = features(device, &*encoder, examples, watch)?;
        let Some(of) = Means::new(&features, &labels, examples.names.len(), None) else {
            return Err(ClipError::Examples {
                folder: examples.folder.clone(),
                expected: format!("pictures that {} tells apart", encoder.model()),
                found: "the same features for all names".into(),
            });
        };
        let cosines: Vec<Vec<f64>> = (0..labels.len())
            .map(|i| {
                let others = Means::new(&features, &labels, examples.names.len(), Some(i));
                others.map_or(vec![0.0; examples.names.len()], |means| means.cosines(&features[i]))
            })
            .collect();
        // The best of equals is none.
        let is_right = |(row, &own): (&Vec<f64>, &usize)| {
            row.iter().enumerate().all(|(name, &cosine)| name == own || cosine < row[own])
        };
        let right = cosines.iter().zip(&labels).filter(|&pair| is_right(pair)).count();
        let folder = examples.folder.display().to_string();
        Ok(Prototypes {
            encoder,
            names: examples.names.clone(),
            vectors: of.vectors.iter().flatten().map(|&v| v as f32).collect(),
            scale: scale(&cosines, &labels),
            mean: of.mean,
            held_out: HeldOut::new(folder, examples.names.len(), right, labels.len()),
        })
    }

    /// Features `(B,E)`, as unit vectors less what the names have in common.
    fn centred(&self, tape: &mut Tape, features: Var) -> Var {
        let square = tape.mul(features, features);
        let length = tape.sum(square, &[1]);
        let inverse = tape.rsqrt(length);
        let unit = tape.mul(features, inverse);
        let mean = tape.literal(&[1, self.mean.len()], self.mean.clone());
        tape.sub(unit, mean)
    }
}

/// Unit vectors `(P)` of `(E)`.
fn features(
    device: &dyn Device,
    encoder: &dyn Encoder,
    examples: &Examples,
    watch: &dyn Watch,
) -> Result<Vec<Vec<f64>>, ClipError> {
    let count = examples.pictures.len();
    let stage = Stage::new(watch, "learning names from examples");
    let mut images = ImageEncoder::new(device, encoder, count)?;
    let mut found = Vec::with_capacity(count);
    for some in examples.pictures.chunks(images.batch()) {
        let mut prepared = vec![];
        for (_, picture) in some {
            check_size(&examples.folder.display().to_string(), [picture.height, picture.width])?;
            prepared.extend(images.prepare(picture.clone())?);
        }
        let rows = images.features(&prepared)?;
        let width = rows.len() / some.len();
        let unit = directions(&rows, width, || examples.folder.display().to_string())?;
        found.extend(unit.chunks(width).map(|row| row.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>()));
        stage.count(found.len(), count);
    }
    Ok(found)
}

/// The prototypes of names.
struct Means {
    mean: Vec<f64>,
    vectors: Vec<Vec<f64>>,
}

impl Means {
    /// From unit vectors, without one of them; `None` where all names have the same.
    fn new(features: &[Vec<f64>], labels: &[usize], names: usize, without: Option<usize>) -> Option<Means> {
        let width = features[0].len();
        let mut vectors = vec![vec![0.0; width]; names];
        for (i, (row, &name)) in features.iter().zip(labels).enumerate() {
            if without != Some(i) {
                vectors[name].iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
        }
        vectors.iter_mut().for_each(|vector| *vector = unit(vector).unwrap_or_else(|| vec![0.0; width]));
        let column = |j: usize| vectors.iter().map(|v| v[j]).sum::<f64>() / names as f64;
        let mean: Vec<f64> = (0..width).map(column).collect();
        let apart = |vector: &Vec<f64>| unit(&less(vector, &mean));
        let vectors = vectors.iter().map(apart).collect::<Option<Vec<_>>>()?;
        Some(Means { mean, vectors })
    }

    /// Of a unit vector with every name, `(N)`.
    fn cosines(&self, feature: &[f64]) -> Vec<f64> {
        let Some(seen) = unit(&less(feature, &self.mean)) else { return vec![0.0; self.vectors.len()] };
        self.vectors.iter().map(|v| v.iter().zip(&seen).map(|(a, b)| a * b).sum()).collect()
    }
}

fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// `None` of what is 0 but for rounding: features are of length 1.
fn unit(values: &[f64]) -> Option<Vec<f64>> {
    const NOTHING: f64 = 1e-6;
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    (length > NOTHING).then(|| values.iter().map(|v| v / length).collect())
}

/// The factor of cosines under which the names of the examples held out are most probable.
fn scale(cosines: &[Vec<f64>], labels: &[usize]) -> f64 {
    let likelihood = |scale: f64| -> f64 {
        let head = Head { scale: scale as f32, bias: None };
        let of = |(row, &own): (&Vec<f64>, &usize)| head.probabilities(row)[own].max(f64::MIN_POSITIVE).ln();
        cosines.iter().zip(labels).map(of).sum()
    };
    let tried = (0..=SCALES).map(|i| SHARPEST.powf(i as f64 / SCALES as f64));
    tried.max_by(|&a, &b| likelihood(a).total_cmp(&likelihood(b))).unwrap_or(1.0)
}

impl Encoder for Prototypes<'_> {
    fn model(&self) -> String {
        format!("{}, names by examples of {}", self.encoder.model(), self.held_out.folder)
    }

    fn head(&self) -> Head {
        Head { scale: self.scale as f32, bias: None }
    }

    fn image_size(&self) -> usize {
        self.encoder.image_size()
    }

    fn normalisation(&self) -> &Normalisation {
        self.encoder.normalisation()
    }

    fn preprocess(&self, tape: &mut Tape, pixels: Var) -> Var {
        self.encoder.preprocess(tape, pixels)
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let (features, weights) = self.encoder.encode_image(tape, pixels);
        (self.centred(tape, features), weights)
    }

    fn look<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let (features, weights) = self.encoder.look(tape, pixels);
        (self.centred(tape, features), weights)
    }

    fn name_features(
        &self,
        _: &dyn Device,
        labels: &[String],
        _: &Templates,
        _: &dyn Watch,
    ) -> Result<NameFeatures, ClipError> {
        let width = self.mean.len();
        let row = |label: &String| match place_of_name(&self.names, label) {
            Some(place) => Ok(&self.vectors[place * width..][..width]),
            None => Err(ClipError::UnknownName {
                name: label.clone(),
                model: self.model(),
                count: self.names.len(),
                nearest: self.names.join(", "),
            }),
        };
        let rows = labels.iter().map(row).collect::<Result<Vec<_>, ClipError>>()?;
        Ok(NameFeatures { vectors: rows.concat(), notes: vec![] })
    }

    fn held_out(&self) -> Option<&HeldOut> {
        Some(&self.held_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds about axes, with much in common.
    fn clouds() -> (Vec<Vec<f64>>, Vec<usize>) {
        let at = |name: usize, i: usize| {
            let mut v = vec![5.0, 0.0, 0.0, 0.2 * (i % 3) as f64];
            v[1 + name] += 1.0;
            unit(&v).unwrap()
        };
        let labels: Vec<usize> = (0..8).map(|i| i % 2).collect();
        (labels.iter().enumerate().map(|(i, &name)| at(name, i)).collect(), labels)
    }

    #[test]
    fn what_names_have_in_common_does_not_count() {
        let (features, labels) = clouds();
        let means = Means::new(&features, &labels, 2, None).unwrap();
        let row = means.cosines(&features[0]);
        assert!(row[0] > 0.9 && row[1] < -0.9, "{row:?}");
        assert!(scale(std::slice::from_ref(&row), &[0]) > 50.0 && scale(&[row.clone(), row], &[0, 1]) < 1.1);
    }

    #[test]
    fn what_is_held_out_is_no_part_of_its_prototype() {
        let (mut features, labels) = clouds();
        features[0] = features[1].clone();
        let with = Means::new(&features, &labels, 2, None).unwrap();
        let without = Means::new(&features, &labels, 2, Some(0)).unwrap();
        assert!(without.cosines(&features[0])[0] < with.cosines(&features[0])[0]);
        assert!(without.cosines(&features[0])[1] > 0.9);
    }

    #[test]
    fn the_same_features_for_all_names_are_no_prototypes() {
        let (features, labels) = clouds();
        assert!(Means::new(&vec![features[0].clone(); 8], &labels, 2, None).is_none());
    }

    #[test]
    fn an_interval_that_holds_chance_is_said() {
        let fair = HeldOut::new("here".into(), 2, 6, 10);
        assert!(fair.is_at_chance && fair.sentence().contains("no better than chance"), "{fair:?}");
        let sure = HeldOut::new("here".into(), 2, 20, 20);
        assert!(!sure.is_at_chance && sure.sentence().contains("20 are named right, 100 % [83, 100]"));
    }
}
