//! When guidance ends, as it is written: `cosine:0.5:0.75`.

use std::{f64::consts::PI, fmt, str::FromStr};

use crate::spelling::{Form, Spelled, as_text, expected};

/// How a weight goes down to 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fall {
    /// At once.
    Step,
    /// Along a straight line.
    Linear,
    /// Half a cosine.
    Cosine,
    /// It does not: the weight stays.
    Constant,
}

/// When a weight falls to 0, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anneal {
    /// Its shape between `from` and `to`.
    pub fall: Fall,
    /// Share of the iterations after which it begins to fall.
    pub from: f64,
    /// Share of the iterations after which it is 0, below 1. Best iterates are taken from there on.
    pub to: f64,
}

impl Default for Anneal {
    /// The last quarter of the iterations is gradient matching alone.
    fn default() -> Anneal {
        Anneal { fall: Fall::Cosine, from: 0.5, to: 0.75 }
    }
}

impl Anneal {
    /// The weight stays to the end. Best iterates are taken from the whole course.
    pub fn constant() -> Anneal {
        Anneal { fall: Fall::Constant, from: 1.0, to: 1.0 }
    }

    /// Whether its shares make sense.
    pub fn is_possible(&self) -> bool {
        match self.fall {
            Fall::Constant => *self == Anneal::constant(),
            _ => 0.0 <= self.from && self.from <= self.to && self.to < 1.0,
        }
    }

    /// The share of the weight that is left when this share of the iterations is done.
    pub fn at(&self, done: f64) -> f64 {
        if self.fall == Fall::Constant {
            return 1.0;
        }
        if done >= self.to {
            return 0.0;
        }
        if done < self.from {
            return 1.0;
        }
        let fallen = (done - self.from) / (self.to - self.from);
        match self.fall {
            Fall::Step | Fall::Constant => 1.0,
            Fall::Linear => 1.0 - fallen,
            Fall::Cosine => 0.5 * (1.0 + (PI * fallen).cos()),
        }
    }
}

impl Spelled for Anneal {
    const ABOUT: &'static str = "How a weight falls to 0, and from which share of the iterations to which.";
    const FORMS: &'static [Form] = &[
        Form { text: "step[:AT]", meaning: "At once, at 0.75 if nothing else is said" },
        Form { text: "linear[:FROM:TO]", meaning: "Along a line, from 0.5 to 0.75 if nothing else is said" },
        Form {
            text: "cosine[:FROM:TO]",
            meaning: "Along half a cosine, from 0.5 to 0.75 if nothing else is said",
        },
        Form {
            text: "constant",
            meaning: "Not at all: what is kept is the optimum of matching and pull together",
        },
    ];
}

impl FromStr for Anneal {
    type Err = String;

    fn from_str(text: &str) -> Result<Anneal, String> {
        let mut parts = text.split(':');
        let fall = match parts.next() {
            Some("step") => Some(Fall::Step),
            Some("linear") => Some(Fall::Linear),
            Some("cosine") => Some(Fall::Cosine),
            Some("constant") => Some(Fall::Constant),
            _ => None,
        };
        let shares: Option<Vec<f64>> = parts.map(|part| part.parse().ok()).collect();
        let Anneal { from, to, .. } = Anneal::default();
        let found = fall.zip(shares).and_then(|(fall, shares)| match (fall, &shares[..]) {
            (Fall::Constant, []) => Some(Anneal::constant()),
            (Fall::Step, []) => Some(Anneal { fall, from: to, to }),
            (Fall::Step, &[at]) => Some(Anneal { fall, from: at, to: at }),
            (Fall::Linear | Fall::Cosine, []) => Some(Anneal { fall, from, to }),
            (Fall::Linear | Fall::Cosine, &[from, to]) => Some(Anneal { fall, from, to }),
            _ => None,
        });
        found.filter(Anneal::is_possible).ok_or_else(|| {
            format!("expected {} with 0 ≤ FROM ≤ TO < 1, found '{text}'", expected::<Anneal>())
        })
    }
}

impl fmt::Display for Anneal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Anneal { fall, from, to } = self;
        match fall {
            Fall::Step => write!(f, "step:{to}"),
            Fall::Linear => write!(f, "linear:{from}:{to}"),
            Fall::Cosine => write!(f, "cosine:{from}:{to}"),
            Fall::Constant => f.write_str("constant"),
        }
    }
}

as_text!(Anneal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_or_refused() {
        for (text, fall, from, to) in [
            ("step", Fall::Step, 0.75, 0.75),
            ("step:0.5", Fall::Step, 0.5, 0.5),
            ("cosine", Fall::Cosine, 0.5, 0.75),
            ("linear:0:0.9", Fall::Linear, 0.0, 0.9),
            ("constant", Fall::Constant, 1.0, 1.0),
        ] {
            assert_eq!(text.parse(), Ok(Anneal { fall, from, to }), "{text}");
        }
        for text in [
            "",
            "flat",
            "constant:0.5",
            "step:1",
            "cosine:0.5",
            "linear:0.8:0.2",
            "cosine:0:1",
            "linear:-1:0.5",
            "step:nan",
        ] {
            assert!(text.parse::<Anneal>().is_err(), "{text}");
        }
    }
}
