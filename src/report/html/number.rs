//! How numbers are written.

use serde::{Deserialize, Serialize};

use crate::statistics::Estimate;

/// A mean, and its 95 % interval where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Over all units, such as batches.
    pub mean: f64,
    /// Of the mean; absent where the units are too few.
    pub interval_95: Option<[f64; 2]>,
}

impl From<Estimate> for Measured {
    fn from(estimate: Estimate) -> Measured {
        Measured { mean: estimate.mean, interval_95: estimate.interval_95 }
    }
}

impl From<f64> for Measured {
    fn from(mean: f64) -> Measured {
        Measured { mean, interval_95: None }
    }
}

/// Stands where there is no number.
pub(crate) const NONE: &str = "–";

/// With this many decimals and a true minus sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    match value {
        v if v.is_nan() => NONE.into(),
        v if v.is_infinite() => if v > 0.0 { "∞" } else { "−∞" }.into(),
        // Nothing is written as −0.00.
        v => {
            let text = format!("{:.decimals$}", v.abs());
            let is_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
            if v < 0.0 && !is_zero { format!("−{text}") } else { text }
        }
    }
}

/// `42.0 %` of a share in [0, 1].
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{}{SPACE}%", fixed(100.0 * share, 1)) } else { NONE.into() }
}

/// Does not break a line.
pub(crate) const SPACE: char = '\u{a0}';

/// Four digits that count, for losses: `3.142e-4`, and plain where that is as short.
pub(crate) fn significant(value: f64) -> String {
    digits(value, 4)
}

/// With this many digits that count.
pub(crate) fn digits(value: f64, count: usize) -> String {
    match value.abs() {
        _ if !value.is_finite() => fixed(value, 0),
        0.0 => "0".into(),
        size if (0.01..10_000.0).contains(&size) => {
            let decimals = (count as i32 - 1 - size.log10().floor() as i32).max(0) as usize;
            fixed(value, decimals)
        }
        _ => format!("{value:.*e}", count - 1).replace('-', "−"),
    }
}

/// A share in percent, with its interval: `42.0 [31.2, 53.0] %`.
pub(crate) fn percent_with_interval(share: Measured) -> String {
    match share.interval_95 {
        Some(_) => format!("{}{SPACE}%", with_interval(share, |v| fixed(100.0 * v, 1))),
        None => percent(share.mean),
    }
}

/// With a sign, be it plus.
pub(crate) fn signed(text: String) -> String {
    let is_signed = text.starts_with(['−', '–']) || text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if is_signed { text } else { format!("+{text}") }
}

/// `0.420 [0.312, 0.530]`, each number written by `show`.
pub(crate) fn with_interval(measured: Measured, show: impl Fn(f64) -> String) -> String {
    match measured.interval_95 {
        Some([low, high]) => format!("{} [{},{SPACE}{}]", show(measured.mean), show(low), show(high)),
        None => show(measured.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([fixed(-0.001, 2), fixed(-1.25, 2), fixed(f64::NAN, 2)], ["0.00", "−1.25", "–"]);
        assert_eq!([significant(0.000_314_15), significant(31.4159)], ["3.142e−4", "31.42"]);
        assert_eq!(
            [digits(4.0, 3), digits(0.0, 3), signed(fixed(0.5, 1)), signed(fixed(-0.5, 1))],
            ["4.00", "0", "+0.5", "−0.5"]
        );
        assert_eq!([percent(0.4), percent(f64::NAN)], ["40.0\u{a0}%", "–"]);
        let measured = Measured { mean: 0.5, interval_95: Some([0.25, 0.75]) };
        assert_eq!(with_interval(measured, |v| fixed(v, 2)), "0.50 [0.25,\u{a0}0.75]");
    }
}
