//! What a client does to its gradient or update before it leaves.

pub mod accountant;
pub mod adapt;
mod apply;
mod last_layer;
mod rounds;
mod soteria;

use std::{fmt, str::FromStr};

use super::{Protocol, ProtocolError};
use crate::spelling::{Form, Spelled, as_text, expected};

pub use apply::{Defended, flops};
pub use last_layer::LastLayerClient;
pub use rounds::epsilon_of_steps;

/// One defence and its strength. All act on what is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defence {
    /// N(0, σ²) on every entry.
    Noise(f64),
    /// Laplace noise of this scale b on every entry.
    Laplace(f64),
    /// Scaled down to this norm where it is longer.
    Clip(f64),
    /// DP-SGD (Abadi 2016): every picture's gradient clipped to `clip`, then N(0, (multiplier·clip)²) on
    /// their sum.
    DpSgd {
        /// Norm to which every picture's gradient is clipped.
        clip: f64,
        /// Deviation of the noise, in units of `clip`.
        multiplier: f64,
    },
    /// This share of the entries, the largest by magnitude; the others are 0 (Aji 2017).
    TopK(f64),
    /// Signs only (signSGD, Bernstein 2018).
    Sign,
    /// This share of the last layer's inputs pruned from its gradient (Soteria, Sun 2021).
    Soteria(f64),
}

impl fmt::Display for Defence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Defence::Noise(s) => write!(f, "noise:{s}"),
            Defence::Laplace(s) => write!(f, "laplace:{s}"),
            Defence::Clip(c) => write!(f, "clip:{c}"),
            Defence::DpSgd { clip, multiplier } => write!(f, "dp-sgd:{clip}:{multiplier}"),
            Defence::TopK(share) => write!(f, "top-k:{share}"),
            Defence::Sign => f.write_str("sign"),
            Defence::Soteria(share) => write!(f, "soteria:{share}"),
        }
    }
}

impl Spelled for Defence {
    const ABOUT: &'static str = "One defence and its strength.";
    const FORMS: &'static [Form] = &[
        Form { text: "noise:S", meaning: "N(0, S²) on every entry" },
        Form { text: "laplace:S", meaning: "Laplace noise of scale S on every entry" },
        Form { text: "clip:C", meaning: "Scaled down to norm C where it is longer" },
        Form {
            text: "dp-sgd:C:M",
            meaning: "DP-SGD (Abadi 2016): each picture's gradient clipped to C, then N(0, (M·C)²) on their sum",
        },
        Form { text: "top-k:SHARE", meaning: "The largest entries, the others 0 (Aji 2017)" },
        Form { text: "sign", meaning: "Signs only (signSGD, Bernstein 2018)" },
        Form {
            text: "soteria:SHARE",
            meaning: "Inputs of the last layer pruned from its gradient (Soteria, Sun 2021)",
        },
    ];
}

as_text!(Defence);

impl FromStr for Defence {
    type Err = String;

    fn from_str(text: &str) -> Result<Defence, String> {
        let wrong = |what: &str| Err(format!("expected {what}, found '{text}'"));
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let Ok(values) = parts.map(str::parse).collect::<Result<Vec<f64>, _>>() else {
            return wrong(&format!("numbers after the colons of {}", expected::<Defence>()));
        };
        let defence = match (name, &values[..]) {
            ("noise", [s]) => Defence::Noise(*s),
            ("laplace", [s]) => Defence::Laplace(*s),
            ("clip", [c]) => Defence::Clip(*c),
            ("dp-sgd", [clip, multiplier]) => Defence::DpSgd { clip: *clip, multiplier: *multiplier },
            ("top-k", [share]) => Defence::TopK(*share),
            ("sign", []) => Defence::Sign,
            ("soteria", [share]) => Defence::Soteria(*share),
            _ => return wrong(&expected::<Defence>()),
        };
        match defence.check() {
            Err(expected) => wrong(expected),
            Ok(()) => Ok(defence),
        }
    }
}

impl Defence {
    /// # Errors
    /// What strength is expected in place of its own.
    fn check(self) -> Result<(), &'static str> {
        let strengths = match self {
            Defence::Noise(s) | Defence::Laplace(s) | Defence::Clip(s) => [s, 1.0],
            Defence::TopK(s) | Defence::Soteria(s) => [s, 1.0],
            Defence::DpSgd { clip, multiplier } => [clip, multiplier],
            Defence::Sign => [1.0; 2],
        };
        match self {
            _ if strengths.iter().any(|s| !s.is_finite() || *s <= 0.0) => Err("strengths above 0"),
            Defence::TopK(share) if share > 1.0 => Err("a share of entries to keep in (0, 1]"),
            Defence::Soteria(share) if share >= 1.0 => Err("a share of features to prune in (0, 1)"),
            _ => Ok(()),
        }
    }
}

/// `noise:1e-2,clip:1.0`: applied in this order.
pub fn parse(text: &str) -> Result<Vec<Defence>, String> {
    text.split(',').map(|part| part.trim().parse()).collect()
}

/// The client's protocol with its defences, and whether they fit together.
///
/// # Errors
/// A strength that makes no sense; DP-SGD behind another defence, twice, or with local steps.
pub fn client_protocol(protocol: &Protocol, defences: &[Defence]) -> Result<Protocol, ProtocolError> {
    let mut defended = protocol.clone();
    for (i, defence) in defences.iter().enumerate() {
        defence.check().map_err(|expected| ProtocolError::Defence { expected, found: *defence })?;
        if let Defence::DpSgd { clip, .. } = defence {
            if i > 0 {
                return Err(ProtocolError::DpSgdBehind);
            }
            if protocol.local.is_some() || protocol.clients.clients() > 1 {
                return Err(ProtocolError::DpSgdAlone);
            }
            defended.example_clip = Some(*clip);
        }
    }
    Ok(defended)
}

/// Standard deviation of all noise together on an entry of what is sent.
pub fn noise_deviation(defences: &[Defence], batch: usize) -> f64 {
    let variance = |defence: &Defence| match defence {
        Defence::Noise(s) => s * s,
        Defence::Laplace(b) => 2.0 * b * b,
        Defence::DpSgd { clip, multiplier } => (multiplier * clip / batch as f64).powi(2),
        _ => 0.0,
    };
    defences.iter().map(variance).sum::<f64>().sqrt()
}

/// ε of the one step at [`accountant::DELTA`], where a defence is DP-SGD.
pub fn epsilon(defences: &[Defence]) -> Option<f64> {
    defences.iter().find_map(|defence| match defence {
        Defence::DpSgd { multiplier, .. } => Some(accountant::epsilon(*multiplier)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_defences_is_read_as_it_is_written() {
        let all = "noise:0.01,laplace:0.001,clip:1,top-k:0.1,sign,soteria:0.8";
        let read = parse(all).unwrap();
        assert_eq!(read.len(), 6);
        let written: Vec<String> = read.iter().map(ToString::to_string).collect();
        assert_eq!(written.join(","), all);
        assert_eq!(parse("dp-sgd:1:0.5").unwrap(), [Defence::DpSgd { clip: 1.0, multiplier: 0.5 }]);
    }

    #[test]
    fn senseless_defences_are_refused() {
        for text in [
            "",
            "noise",
            "noise:x",
            "noise:-1",
            "noise:0",
            "clip:inf",
            "top-k:1.5",
            "soteria:1",
            "sign:2",
            "dp-sgd:1",
            "blur:1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let protocol = Protocol::default();
        assert!(client_protocol(&protocol, &parse("clip:1,dp-sgd:1:1").unwrap()).is_err());
    }
}
