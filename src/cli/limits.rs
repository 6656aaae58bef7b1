//! `--fail-above`: the exit code says whether more leaks than allowed.

use std::fmt::{self, Display, Formatter};

use clap::Args;

use super::{help::group, misuse};
use crate::report::limits::{Figure, Limits};

/// Exit code of a run whose figures are above their limits.
pub(crate) const EXCEEDED: u8 = 3;

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::OUTPUT)]
pub(crate) struct LimitOptions {
    /// Exit with code 3 if a figure is above its limit, as in ssim=0.5,psnr=20,names=0.3,labels=0.5,membership=0
    ///
    /// For checks that run by themselves. All files are written before. SSIM and PSNR (dB) are means of pictures paired
    /// one-to-one; names, labels and membership are shares in [0, 1].
    #[arg(long, value_name = "FIGURE=LIMIT,…")]
    fail_above: Option<Limits>,
}

/// What was exceeded: an error of exit code 3.
#[derive(Debug)]
pub(crate) struct Exceeded(String);

impl Display for Exceeded {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "--fail-above: {}", self.0)
    }
}

impl std::error::Error for Exceeded {}

impl LimitOptions {
    /// Refuses limits where the originals are not known: nothing could be judged.
    pub(crate) fn needs_originals(&self) -> anyhow::Result<()> {
        match self.fail_above {
            Some(_) => Err(misuse(
                "--fail-above: with --gradient nobody knows the originals, and nothing can be held against a limit",
            )),
            None => Ok(()),
        }
    }

    /// Whether all figures stay below their limits.
    pub(crate) fn check(&self, value: impl Fn(Figure) -> Option<f64>) -> anyhow::Result<()> {
        let Some(limits) = &self.fail_above else { return Ok(()) };
        let exceeded = limits.exceeded(value).map_err(|missing| {
            misuse(format!("--fail-above: not measured in this run: {}", missing.join(", ")))
        })?;
        match exceeded.is_empty() {
            true => Ok(()),
            false => Err(Exceeded(exceeded.join("; ")).into()),
        }
    }
}
