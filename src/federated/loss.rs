//! The loss that a client trains on, as `--loss` writes it.

use std::{fmt, str::FromStr};

use crate::{
    nn::loss::{binary_cross_entropy, cross_entropy, weighted_cross_entropy},
    spelling::{Form, Spelled, as_text, unknown},
    tape::{Tape, Var},
};

/// What a client trains on.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClientLoss {
    /// Mean cross entropy over the batch.
    #[default]
    Mean,
    /// Its sum.
    Sum,
    /// Mean cross entropy against (1 − s)·y + s/K (PyTorch's `label_smoothing`).
    Smoothing(f64),
    /// Σ w_y·ℓ / Σ w_y, a weight for each class (PyTorch's `weight`), `(K)`.
    Weights(Vec<f64>),
    /// Binary cross entropy of every logit, mean over batch and classes (`BCEWithLogitsLoss` on one-hot rows).
    Bce,
}

impl Spelled for ClientLoss {
    const ABOUT: &'static str = "The loss that a client trains on.";
    const FORMS: &'static [Form] = &[
        Form { text: "mean", meaning: "Mean cross entropy over the batch" },
        Form { text: "sum", meaning: "Its sum" },
        Form { text: "smoothing:S", meaning: "Mean cross entropy with label smoothing S" },
        Form {
            text: "weights:FILE",
            meaning: "Weighted by class: a file, or numbers as in 1,0.5,2, one a class",
        },
        Form { text: "bce", meaning: "Binary cross entropy of every logit, mean over batch and classes" },
    ];
}

as_text!(ClientLoss);

impl FromStr for ClientLoss {
    type Err = String;

    fn from_str(text: &str) -> Result<ClientLoss, String> {
        match text.split_once(':') {
            None => match text {
                // What gradient files say.
                "mean" | "mean cross entropy" => Ok(ClientLoss::Mean),
                "sum" => Ok(ClientLoss::Sum),
                "bce" => Ok(ClientLoss::Bce),
                _ => Err(unknown::<ClientLoss>(text)),
            },
            Some(("smoothing", share)) => match share.trim().parse() {
                Ok(share) if (0.0..1.0).contains(&share) => Ok(ClientLoss::Smoothing(share)),
                _ => Err(format!("expected a label smoothing from 0 to below 1, found '{text}'")),
            },
            Some(("weights", list)) => ClientLoss::weights(list),
            _ => Err(unknown::<ClientLoss>(text)),
        }
    }
}

impl fmt::Display for ClientLoss {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            ClientLoss::Mean => f.write_str("mean"),
            ClientLoss::Sum => f.write_str("sum"),
            ClientLoss::Smoothing(share) => write!(f, "smoothing:{share}"),
            ClientLoss::Weights(weights) => {
                let weights: Vec<String> = weights.iter().map(f64::to_string).collect();
                write!(f, "weights:{}", weights.join(","))
            }
            ClientLoss::Bce => f.write_str("bce"),
        }
    }
}

impl ClientLoss {
    /// Weights of the classes, separated by commas or white space.
    ///
    /// # Errors
    /// What is no number of 0 or above, or that all are 0.
    pub fn weights(text: &str) -> Result<ClientLoss, String> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        let weight = |part: &str| match part.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight),
            _ => Err(format!("class weights: expected numbers of 0 or above, found '{part}'")),
        };
        let weights = parts.map(weight).collect::<Result<Vec<f64>, _>>()?;
        match weights.iter().any(|w| *w > 0.0) {
            true => Ok(ClientLoss::Weights(weights)),
            false => Err("class weights: expected one above 0".into()),
        }
    }

    /// Whether a victim of `classes` can be trained on it.
    ///
    /// # Errors
    /// Another number of weights than classes, in words.
    pub fn check(&self, classes: usize) -> Result<(), String> {
        match self {
            ClientLoss::Weights(weights) if weights.len() != classes => {
                Err(format!("expected {classes} class weights, one a class, found {}", weights.len()))
            }
            _ => Ok(()),
        }
    }

    /// How many times a picture's mean gradient the gradient of `count` pictures is.
    pub fn size(&self, count: usize) -> f64 {
        if *self == ClientLoss::Sum { count as f64 } else { 1.0 }
    }

    /// Of logits and targets `(T,B,K)`, rows of which are one-hot or sum to 1; result `(T)`.
    pub fn of(&self, tape: &mut Tape, logits: Var, targets: Var) -> Var {
        let [batch, classes] = [tape.shape(logits)[1], tape.shape(logits)[2]];
        match self {
            ClientLoss::Mean => cross_entropy(tape, logits, targets),
            ClientLoss::Sum => {
                let mean = cross_entropy(tape, logits, targets);
                tape.mul_scalar(mean, batch as f64)
            }
            ClientLoss::Smoothing(share) => {
                let kept = tape.mul_scalar(targets, 1.0 - share);
                let smoothed = tape.add_scalar(kept, share / classes as f64);
                cross_entropy(tape, logits, smoothed)
            }
            ClientLoss::Weights(weights) => weighted_cross_entropy(tape, logits, targets, weights),
            ClientLoss::Bce => binary_cross_entropy(tape, logits, targets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["mean", "sum", "smoothing:0.1", "weights:1,0.5,2", "bce"] {
            assert_eq!(text.parse::<ClientLoss>().unwrap().to_string(), text);
        }
        assert_eq!(ClientLoss::weights("1\n0.5 2\n"), "weights:1,0.5,2".parse());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "focal", "smoothing:1", "smoothing", "weights:", "weights:0,0", "weights:1,-1", "bce:2"]
        {
            assert!(text.parse::<ClientLoss>().is_err(), "{text}");
        }
        assert!("weights:1,2".parse::<ClientLoss>().unwrap().check(3).unwrap_err().contains("found 2"));
    }
}
