//! Whether an update is what it is said to be: its sign and its scale, from the update itself.

use std::fmt::{self, Display};

use super::{
    LastLayer, Suspicion, check_gradient,
    counts_by_factor::{Family, MOST_CLASSES, Reading},
    ilrg::trained,
};

/// Why the update itself does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// ∇b = β·(1, −1) fits either label, each with a factor of its own.
    TwoClasses,
    /// The victim is sure of its labels: samples leave too little in the gradient.
    Trained,
    /// The predictions of the samples differ too much, or there are too many of them, for counts to come out whole.
    Coarse,
    /// Too many classes to solve for.
    ManyClasses,
    /// Without the layer's weights, or for a batch without its bias, there are no predictions to compare with.
    NoPredictions,
}

/// What an update is, by its last layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The mean gradient, as stated; no other reading comes near. Without predictions, no reversed one.
    Fits,
    /// The mean gradient of a loss with label smoothing.
    Smoothed(f64),
    /// Another factor fits, and what was stated does not.
    Other(Reading),
    /// More classes are below 0 than the batch has samples, and no more above: reversed, unless labels are smoothed.
    LooksReversed,
    /// Nothing can be said, for this reason.
    Undecided(Doubt),
}

/// Both readings of an update that is stated to be the mean gradient, and which one it is.
#[derive(Clone, Debug, PartialEq)]
pub struct SignAndScale {
    /// Factors 1 and −1, of one picture the best of either sign; `None` where there are no predictions.
    pub readings: Option<[Reading; 2]>,
    /// What the readings come to.
    pub verdict: Verdict,
}

/// Chance that counts which mean nothing come out so whole.
const BY_CHANCE: f64 = 1e-3;
/// A batch's counts are at most so far from whole numbers if they are any …
const WHOLE: f64 = 0.25;
/// … and a single picture's, whose feature is exact but for the precision it was stored in, in shares of ∇b.
const EXACT: f64 = 0.02;
/// With two classes, every label fits with a factor of its own: only an exact one is no chance.
const EXACT_OF_TWO: f64 = 1e-4;

/// Reads the update with factor 1 (stated), −1, and with any factor.
pub fn sign_and_scale(layer: &LastLayer, batch: usize) -> SignAndScale {
    let suspicions = layer.bias_gradient.map_or(vec![], |gradient| check_gradient(gradient, batch));
    let reversed = suspicions.iter().any(|s| matches!(s, Suspicion::Reversed { .. }));
    let doubt = |doubt| if reversed { Verdict::LooksReversed } else { Verdict::Undecided(doubt) };
    let Some(family) = Family::new(layer, batch) else {
        let verdict = match layer.bias_gradient {
            // The methods that need no predictions need no scale either.
            Some(gradient)
                if suspicions.is_empty() && gradient.iter().filter(|b| **b > 0.0).count() > batch =>
            {
                Verdict::Fits
            }
            _ if layer.classes > MOST_CLASSES => doubt(Doubt::ManyClasses),
            _ => doubt(Doubt::NoPredictions),
        };
        return SignAndScale { readings: None, verdict };
    };
    let readings = [1.0, -1.0].map(|factor| family.reading(factor, false));
    let judge = Judge { layer, batch, trained: batch > 1 && family.agreement > trained(layer.classes) };
    let verdict = match judge.verdict(&family, &readings) {
        // Without a bias the feature's length follows from hard labels alone, and with it the scale.
        Some(Verdict::Smoothed(_)) if layer.bias_gradient.is_none() => doubt(Doubt::NoPredictions),
        Some(Verdict::Other(reading)) if layer.bias_gradient.is_none() && reading.factor > 0.0 => {
            doubt(Doubt::NoPredictions)
        }
        Some(verdict) => verdict,
        None => doubt(judge.doubt()),
    };
    let readings = match batch {
        // What either sign means, whatever the factor.
        1 => readings.map(|reading| family.single(reading.factor).unwrap_or(reading)),
        _ => readings,
    };
    SignAndScale { readings: Some(readings), verdict }
}

struct Judge<'a> {
    layer: &'a LastLayer<'a>,
    batch: usize,
    trained: bool,
}

impl Judge<'_> {
    fn verdict(&self, family: &Family, [stated, reversed]: &[Reading; 2]) -> Option<Verdict> {
        let smoothed = family.reading(1.0, true);
        let [fits, fits_reversed] = [stated, reversed].map(|reading| self.fits(reading));
        if fits && self.far(reversed, stated) {
            return Some(Verdict::Fits);
        }
        if smoothed.smoothing > EXACT && self.fits(&smoothed) && self.far(stated, &smoothed) {
            return Some(Verdict::Smoothed(smoothed.smoothing));
        }
        if self.layer.classes == 2 {
            return None;
        }
        if fits_reversed && self.far(stated, reversed) && self.off(stated) > 0.1 {
            return Some(Verdict::Other(reversed.clone()));
        }
        if fits || fits_reversed {
            return None;
        }
        let [up, down] = family.ends().map(|factor| factor.map(|factor| family.reading(factor, false)));
        let enough = |reading: &Reading| reading.absent >= 2 && self.fits(reading);
        let wins = |own: &Option<Reading>, other: &Option<Reading>| {
            let own = own.clone().filter(enough)?;
            let near = |other: &&Reading| !self.far(other, &own);
            ([Some(stated), other.as_ref()].into_iter().flatten().find(near).is_none()).then_some(own)
        };
        wins(&up, &down).or_else(|| wins(&down, &up)).map(Verdict::Other)
    }

    /// Whether a reading can be true: counts are whole beyond chance, as many classes are absent as must be, and the
    /// gradient is one that a mean cross entropy can have.
    fn fits(&self, reading: &Reading) -> bool {
        let whole = match (self.batch, self.layer.classes) {
            (1, 2) => reading.relative <= EXACT_OF_TWO,
            (1, _) => reading.relative <= EXACT,
            _ => {
                let chance = (2.0 * reading.distance).min(1.0).powi(self.layer.classes as i32 - 1);
                reading.distance <= WHOLE && chance < BY_CHANCE && !self.trained
            }
        };
        whole && reading.absent + self.batch >= self.layer.classes && self.possible(reading)
    }

    fn possible(&self, reading: &Reading) -> bool {
        // Smoothing takes from every class.
        let Some(gradient) = self.layer.bias_gradient.filter(|_| reading.smoothing == 0.0) else {
            return true;
        };
        let scaled: Vec<f32> = gradient.iter().map(|b| (f64::from(*b) / reading.factor) as f32).collect();
        let against = |s: &Suspicion| !matches!(s, Suspicion::SumNotZero { .. });
        !check_gradient(&scaled, self.batch).iter().any(against)
    }

    /// Whether the one is so much further from whole numbers that it is not the one.
    fn far(&self, other: &Reading, own: &Reading) -> bool {
        match self.batch {
            1 => self.off(other) > 5.0 * self.off(own) + 0.01,
            _ => self.off(other) > 3.0 * self.off(own) + 0.15,
        }
    }

    /// How far a reading is from whole counts: of one picture in shares of what there is to explain.
    fn off(&self, reading: &Reading) -> f64 {
        if self.batch == 1 { reading.relative } else { reading.distance }
    }

    fn doubt(&self) -> Doubt {
        match (self.layer.classes, self.trained) {
            (2, _) => Doubt::TwoClasses,
            (_, true) => Doubt::Trained,
            _ => Doubt::Coarse,
        }
    }
}

impl SignAndScale {
    /// Whether the evidence decides that the sign is not what was stated.
    pub fn is_reversed(&self) -> bool {
        matches!(&self.verdict, Verdict::Other(reading) if reading.factor < 0.0)
    }

    /// What a user should know; `None` where all is as stated.
    pub fn warning(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Fits => None,
            _ => Some(self.to_string()),
        }
    }
}

impl Display for SignAndScale {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.verdict {
            Verdict::Fits => f.write_str("the update is a mean gradient, as stated"),
            Verdict::Smoothed(share) => write!(
                f,
                "the update fits a label smoothing of {share:.2}: give --loss smoothing:{share:.2}"
            ),
            Verdict::Other(reading) => {
                let cause = match reading.factor {
                    s if s < 0.0 => {
                        "the sign is reversed, as in an update −η·g read as a gradient, or in server − local"
                    }
                    s if s > 1.0 => "a sum over the batch, or scaled up",
                    _ => "clipped, or scaled down, as by a learning rate",
                };
                let factor = match reading.factor.abs() {
                    small if small < 0.01 => format!("{:.1e}", reading.factor),
                    _ => format!("{:.3}", reading.factor),
                };
                write!(f, "the update is {factor} times a mean gradient: {cause}")?;
                self.both(f)
            }
            Verdict::LooksReversed => f.write_str(
                "more classes have a bias gradient below 0 than the batch has samples, and no more have one above: \
                 the sign is reversed, as in an update −η·g, unless a trained client smooths its labels",
            ),
            Verdict::Undecided(doubt) => {
                let reason = match doubt {
                    Doubt::TwoClasses => "with two classes, each label fits with a factor of its own",
                    Doubt::Trained => "the victim is sure of its labels, which leaves too little in the gradient",
                    Doubt::Coarse => "the predictions for the samples differ too much for counts to come out whole",
                    Doubt::ManyClasses => "there are too many classes to solve for their counts",
                    Doubt::NoPredictions => "the last layer's weights or bias are not given",
                };
                write!(
                    f,
                    "undecided: sign and scale do not follow from the update itself ({reason}); it is read as stated"
                )?;
                self.both(f)
            }
        }
    }
}

impl SignAndScale {
    fn both(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Some([stated, reversed]) = &self.readings else { return Ok(()) };
        write!(
            f,
            ". As stated: {}, {:.3} from whole counts; reversed: {}, {:.3}",
            Counts(&stated.counts),
            stated.distance,
            Counts(&reversed.counts),
            reversed.distance
        )
    }
}

/// Classes with their counts, the first few.
struct Counts<'a>(&'a [usize]);

impl Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const SHOWN: usize = 6;
        let present: Vec<(usize, usize)> =
            self.0.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
        let one =
            |&(class, n): &(usize, usize)| if n == 1 { class.to_string() } else { format!("{class}×{n}") };
        let shown: Vec<String> = present.iter().take(SHOWN).map(one).collect();
        let more = if present.len() > SHOWN { ", …" } else { "" };
        write!(f, "labels {}{more}", shown.join(", "))
    }
}
