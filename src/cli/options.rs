//! Options that several commands share.

use std::{path::Path, time::Duration};

use clap::{ArgMatches, Args};

use super::{
    device::Place, help::group, misuse, progress::Terminal, signals, spelled::spelled, verbosity::detail,
};
pub(crate) use crate::data::same_file;
use crate::{
    audit::{SaidNormalisation, check_labels, choose_normalisation},
    data::{Normalisation, NormalisationPreset},
    device::{Device, limited::Limited, several::Several},
    files::{apart, limits},
};

/// Reads a count: 1 or more, and no more than a machine could ever hold.
pub(crate) fn at_least_one() -> impl clap::builder::TypedValueParser<Value = usize> {
    count_to(1 << 32)
}

/// Reads a count of 1 to `most`.
pub(crate) fn count_to(most: usize) -> impl clap::builder::TypedValueParser<Value = usize> {
    clap::builder::RangedU64ValueParser::<usize>::new().range(1..=most as u64)
}

/// Refuses outputs that are, hold or lie in an input. `option`: what gave the outputs.
pub(crate) fn check_apart<'p>(
    option: &str,
    outputs: impl IntoIterator<Item = &'p Path>,
    inputs: impl IntoIterator<Item = &'p Path> + Clone,
) -> anyhow::Result<()> {
    apart::check(outputs, inputs).map_err(|error| misuse(format!("{option}: {error}")))
}

/// When to stop with what there is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TimeLimit {
    /// Stop after so long with what there is, as in 2:00:00, 30m or 90 (seconds)
    ///
    /// As a signal does: exit code 4.
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = group::OUTPUT)]
    time_limit: Option<Duration>,
}

impl TimeLimit {
    /// The time runs from now on.
    pub(crate) fn start(&self) {
        if let Some(limit) = self.time_limit {
            signals::stop_after(limit);
        }
    }

    pub(crate) fn seconds(&self) -> Option<f64> {
        self.time_limit.map(|limit| limit.as_secs_f64())
    }
}

/// `H:M:S`, `M:S`, `30m`, `2h`, `1d`, or seconds.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 2:00:00, 30m or 90 (seconds), found '{text}'");
    let units = [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
    let unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let seconds = match unit {
        Some((number, seconds)) => number.trim().parse::<f64>().map_err(|_| wrong())? * seconds,
        None => text.split(':').try_fold(0.0, |sum, part| {
            part.trim().parse::<f64>().map(|part| 60.0 * sum + part).map_err(|_| wrong())
        })?,
    };
    match seconds.is_finite() && seconds > 0.0 && text.split(':').count() <= 3 {
        true => Duration::try_from_secs_f64(seconds).map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

/// Most pictures that one option may ask for.
pub(crate) const MAX_BATCH: usize = 65_536;

/// How pixels become the network's input.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::INPUT)]
pub(crate) struct NormalisationOptions {
    /// How pixels become the network's input, by name
    ///
    /// Without it what the gradient file says, else cifar10.
    #[arg(long, value_name = "NAME", value_parser = spelled::<NormalisationPreset>(), conflicts_with_all = ["mean", "std"])]
    pub normalisation: Option<NormalisationPreset>,
    /// Mean of each channel, subtracted from pixels
    ///
    /// Pixels are in [0,1]. Without it CIFAR-10's: 0.4914,0.4822,0.4465.
    #[arg(long, value_name = "M,M,M", allow_hyphen_values = true, requires = "std")]
    pub mean: Option<String>,
    /// Standard deviation of each channel, which pixels are divided by
    ///
    /// Without it CIFAR-10's: 0.2470,0.2435,0.2616.
    #[arg(long, value_name = "S,S,S", allow_hyphen_values = true, requires = "mean")]
    pub std: Option<String>,
}

impl NormalisationOptions {
    /// The options; else `known`, from a file; else CIFAR-10's, or its mean over the channels where there
    /// are not three.
    pub(crate) fn open(
        &self,
        channels: usize,
        known: Option<Normalisation>,
    ) -> anyhow::Result<Normalisation> {
        Ok(choose_normalisation(self.given()?.as_ref(), known, channels, &Terminal)?)
    }

    /// The options alone.
    pub(crate) fn given(&self) -> anyhow::Result<Option<SaidNormalisation>> {
        Ok(match (&self.mean, &self.std) {
            (Some(mean), Some(std)) => {
                Some(SaidNormalisation::Values(Normalisation::parse(mean, std).map_err(misuse)?))
            }
            _ => self.normalisation.map(SaidNormalisation::Preset),
        })
    }
}

/// Where to compute, and in how much memory.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::DEVICE)]
pub(crate) struct DeviceOptions {
    #[command(flatten)]
    pub place: Place,
    /// Most memory that one plan may take, as in 2G or 512M
    ///
    /// Attacks on many targets or with many trials run in rounds that fit. Without it what is free, at most 4G a round.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

impl DeviceOptions {
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Device>> {
        Ok(self.limited(vec![self.place.open()?])?.remove(0))
    }

    /// All that are asked for, one or more.
    pub(crate) fn open_each(&self) -> anyhow::Result<Vec<Box<dyn Device>>> {
        self.limited(self.place.open_each()?)
    }

    /// All that are asked for as one, which attacks spread their trials over.
    pub(crate) fn open_spread(&self) -> anyhow::Result<Box<dyn Device>> {
        let mut devices = self.open_each()?;
        for device in &devices {
            detail(|| format!("computes on {}", device.info().facts()));
        }
        Ok(match devices.len() {
            1 => devices.remove(0),
            _ => Box::new(Several::new(devices).ok_or_else(|| misuse("--device: expected one at least"))?),
        })
    }

    fn limited(&self, devices: Vec<Box<dyn Device>>) -> anyhow::Result<Vec<Box<dyn Device>>> {
        let Some(limit) = &self.memory else { return Ok(devices) };
        let bytes = parse_bytes(limit)?;
        let limited = |device| Box::new(Limited::new(device, bytes)) as Box<dyn Device>;
        Ok(devices.into_iter().map(limited).collect())
    }
}

/// Files may take no more than `--memory` says, from now on: they are read before a device is opened. What is wrong with it
/// is said there.
pub(crate) fn limit_memory(mut matches: &ArgMatches) {
    while let Some((_, inner)) = matches.subcommand() {
        matches = inner;
    }
    let text = matches.try_get_raw("memory").ok().flatten().and_then(|mut values| values.next());
    if let Some(bytes) = text.and_then(|text| parse_bytes(&text.to_string_lossy()).ok()) {
        limits::set_memory(bytes);
    }
}

/// `512M` → bytes; K, M, G and T are powers of 1024.
fn parse_bytes(text: &str) -> anyhow::Result<u64> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit.to_ascii_uppercase()),
        _ => (text, ' '),
    };
    let scale = [' ', 'K', 'M', 'G', 'T'].iter().position(|&u| u == unit).map(|power| 1u64 << (10 * power));
    let bytes =
        scale.zip(number.parse().ok()).and_then(|(scale, number): (u64, u64)| number.checked_mul(scale));
    bytes
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| misuse(format!("--memory: expected a size as in 2G, 512M or 65536, found '{text}'")))
}

/// The value of `--batch`.
pub(crate) fn check_batch(batch: usize) -> anyhow::Result<()> {
    match batch {
        1..=MAX_BATCH => Ok(()),
        _ => Err(misuse(format!("--batch: expected 1 to {MAX_BATCH}, found {batch}"))),
    }
}

/// The value of `--limit`.
pub(crate) fn check_limit(limit: Option<usize>) -> anyhow::Result<()> {
    match limit {
        Some(0) => Err(misuse("--limit: expected 1 or more, found 0")),
        _ => Ok(()),
    }
}

/// `1,2,4`
pub(crate) fn numbers<T: std::str::FromStr>(option: &str, text: &str) -> anyhow::Result<Vec<T>> {
    let number = |part: &str| {
        let wrong = || misuse(format!("{option}: expected numbers as in 1,2,4, found '{part}'"));
        part.trim().parse().map_err(|_| wrong())
    };
    text.split(',').map(number).collect()
}

/// `3,5`: class indices, which need not be the victim's; `option`: what gave them.
pub(crate) fn indices(option: &str, text: &str) -> anyhow::Result<Vec<usize>> {
    let index = |part: &str| {
        let part = part.trim();
        part.parse()
            .map_err(|_| misuse(format!("{option}: expected class indices as in 3,5, found '{part}'")))
    };
    text.split(',').map(index).collect()
}

/// The same, below `classes`, `batch` of them.
pub(crate) fn parse_classes(
    option: &str,
    text: &str,
    batch: usize,
    classes: usize,
) -> anyhow::Result<Vec<usize>> {
    let labels = indices(option, text)?;
    check_labels(option, &labels, batch, classes)?;
    Ok(labels)
}
