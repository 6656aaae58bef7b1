//! Limits on what may leak, for checks that run by themselves.

use std::str::FromStr;

use super::{RunReport, Verdict, What};

/// What must not be exceeded: SSIM, PSNR in dB, and shares in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Limits(Vec<(Figure, f64)>);

/// A figure that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Mean SSIM, one-to-one.
    Ssim,
    /// Mean PSNR in dB, one-to-one.
    Psnr,
    /// Share of the label indices named right.
    Names,
    /// Share of the labels restored.
    Labels,
    /// Share of the members found at no false alarm.
    Membership,
}

const FIGURES: [(&str, Figure); 5] = [
    ("ssim", Figure::Ssim),
    ("psnr", Figure::Psnr),
    ("names", Figure::Names),
    ("labels", Figure::Labels),
    ("membership", Figure::Membership),
];

impl Figure {
    /// As `--fail-above` takes it.
    pub fn name(self) -> &'static str {
        FIGURES.iter().find(|(_, figure)| *figure == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Limits {
    type Err = String;

    /// `ssim=0.5,psnr=20,names=0.3`; a share also as `30%`.
    fn from_str(text: &str) -> Result<Limits, String> {
        let one = |part: &str| {
            let expected = || {
                format!(
                    "expected FIGURE=LIMIT with FIGURE ssim, psnr, names, labels or membership, found '{part}'"
                )
            };
            let (name, limit) = part.split_once('=').ok_or_else(expected)?;
            let (_, figure) = FIGURES.into_iter().find(|(n, _)| *n == name.trim()).ok_or_else(expected)?;
            let (number, unit) = match limit.trim().strip_suffix('%') {
                Some(number) => (number.trim(), 0.01),
                None => (limit.trim(), 1.0),
            };
            let limit = number.parse::<f64>().map(|number| number * unit).map_err(|_| expected())?;
            let range = match figure {
                Figure::Ssim => -1.0..=1.0,
                Figure::Psnr => 0.0..=1_000.0,
                Figure::Names | Figure::Labels | Figure::Membership => 0.0..=1.0,
            };
            match range.contains(&limit) {
                true => Ok((figure, limit)),
                false => {
                    let (low, high) = range.into_inner();
                    Err(format!("{name}: expected {low} to {high}, found {limit}"))
                }
            }
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Limits)
    }
}

impl Limits {
    /// The limits that are exceeded, a sentence each.
    ///
    /// # Errors
    /// The limited figures that were not measured.
    pub fn exceeded(&self, value: impl Fn(Figure) -> Option<f64>) -> Result<Vec<String>, Vec<&'static str>> {
        let missing: Vec<&str> =
            self.0.iter().filter(|(f, _)| value(*f).is_none()).map(|(f, _)| f.name()).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let above = |&(figure, limit): &(Figure, f64)| {
            let found = value(figure)?;
            (found > limit).then(|| format!("{} is {found:.3}, above {limit}", figure.name()))
        };
        Ok(self.0.iter().filter_map(above).collect())
    }
}

/// What the verdict found of this.
pub fn of_verdict(verdict: &Verdict, figure: Figure) -> Option<f64> {
    let what = match figure {
        Figure::Ssim => What::Pictures,
        Figure::Names => What::Names,
        Figure::Labels => What::Labels,
        Figure::Membership => What::Membership,
        Figure::Psnr => return None,
    };
    verdict.of(what)?.estimate
}

impl RunReport {
    /// A figure that can be limited; `None` where it was not measured.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Psnr => self.metrics.as_ref().map(|m| m.psnr.one_to_one.mean),
            figure => of_verdict(&self.head.verdict, figure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_or_refused() {
        let limits: Limits = "ssim=0.5, psnr=20,names=30%".parse().unwrap();
        assert_eq!(limits.0, [(Figure::Ssim, 0.5), (Figure::Psnr, 20.0), (Figure::Names, 0.3)]);
        for (text, why) in [
            ("", "expected FIGURE=LIMIT"),
            ("ssim", "expected FIGURE=LIMIT"),
            ("mse=1", "found 'mse=1'"),
            ("ssim=x", "found 'ssim=x'"),
            ("names=2", "expected 0 to 1, found 2"),
            ("psnr=NaN", "expected 0 to 1000"),
        ] {
            let error = text.parse::<Limits>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_above_is_said_and_what_is_not_measured_too() {
        let limits: Limits = "ssim=0.5,labels=0.9".parse().unwrap();
        assert_eq!(
            limits.exceeded(|f| Some(if f == Figure::Ssim { 0.61 } else { 0.9 })).unwrap(),
            ["ssim is 0.610, above 0.5"]
        );
        assert_eq!(limits.exceeded(|f| (f == Figure::Ssim).then_some(0.1)), Err(vec!["labels"]));
    }
}
