//! Options that several commands share.

use std::{path::Path, time::Instant};

use clap::Args;

use super::{
    device::Place, guidance_options::EncodedMeanings, help::group, misuse, note, progress::Progress,
};
use crate::{
    attack::{
        AttackError, Hooks,
        config::Optimiser,
        guidance::Guide,
        invert::{Reconstruction, Setting, Target, invert_guided, known_labels},
    },
    data::{Normalisation, Picture},
    device::{Device, limited::Limited},
    report::Timing,
};

/// Most pictures that one option may ask for.
pub use crate::federated::MAX_BATCH;

/// How pixels become the network's input.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::INPUT)]
pub struct NormalisationOptions {
    /// How pixels become the network's input, by name
    ///
    /// cifar10 and imagenet are the data sets' own means and deviations, half is 0.5 and 0.5, none leaves pixels in
    /// [0,1]. Without it what the gradient file says, else cifar10.
    #[arg(long, value_name = "NAME", value_parser = Normalisation::PRESETS, conflicts_with_all = ["mean", "std"])]
    pub normalisation: Option<String>,
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
    pub fn open(&self, channels: usize, known: Option<Normalisation>) -> anyhow::Result<Normalisation> {
        let named = self.normalisation.as_deref().and_then(Normalisation::preset);
        let (normalisation, from) = match (&self.mean, &self.std, named, known) {
            (Some(mean), Some(std), ..) => (Normalisation::parse(mean, std).map_err(misuse)?, "given"),
            (_, _, Some(named), _) => (named.for_channels(channels), "given"),
            (.., Some(known)) => (known, "as the file says"),
            _ => (
                Normalisation::default().for_channels(channels),
                "assumed: --normalisation, or --mean and --std",
            ),
        };
        normalisation.check_channels(channels).map_err(misuse)?;
        let name = normalisation.preset_name().map_or(String::new(), |name| format!("{name}, "));
        let (mean, std) = (normalisation.mean(), normalisation.std());
        note(&format!("normalisation: {name}mean {mean:?}, std {std:?} ({from})"));
        Ok(normalisation)
    }
}

/// Where to compute, and in how much memory.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::DEVICE)]
pub struct DeviceOptions {
    #[command(flatten)]
    pub place: Place,
    /// Most memory that one plan may take, as in 2G or 512M
    ///
    /// Attacks on many targets or with many trials run in rounds that fit. Without it what is free, at most 4G a round.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

impl DeviceOptions {
    pub fn open(&self) -> anyhow::Result<Box<dyn Device>> {
        let limit = self.memory.as_deref().map(parse_bytes).transpose()?;
        let device = self.place.open()?;
        Ok(match limit {
            Some(bytes) => Box::new(Limited::new(device, bytes)),
            None => device,
        })
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

/// Runs the attack with a progress bar; the reconstructions and how long they took.
pub fn attack(
    device: &dyn Device,
    setting: &Setting,
    targets: &[Target],
) -> anyhow::Result<(Vec<Reconstruction>, Timing)> {
    attack_guided(device, setting, None, targets, "reconstructing")
}

/// As [`attack`], drawn towards these meanings of the labels, which are given or restored before.
pub fn attack_towards(
    device: &dyn Device,
    setting: &Setting,
    meanings: Option<&EncodedMeanings>,
    targets: &[Target],
) -> anyhow::Result<(Vec<Reconstruction>, Timing)> {
    let Some(meanings) = meanings else { return attack(device, setting, targets) };
    let known: Vec<Vec<usize>> =
        known_labels(setting, targets)?.into_iter().map(Option::unwrap_or_default).collect();
    let hypotheses = meanings.hypotheses(&known);
    let guide = meanings.guide(&hypotheses);
    attack_guided(device, setting, Some(&guide), targets, "reconstructing, guided")
}

/// As [`attack`], every target under each of its hypotheses.
pub fn attack_guided(
    device: &dyn Device,
    setting: &Setting,
    guide: Option<&Guide>,
    targets: &[Target],
    stage: &'static str,
) -> anyhow::Result<(Vec<Reconstruction>, Timing)> {
    let bar = Progress::new(stage);
    let started = Instant::now();
    let mut progress = |done: usize, of: usize, latest: &[f32]| bar.update(done, of, latest);
    let result = invert_guided(device, setting, guide, targets, &mut Hooks { progress: &mut progress });
    bar.finish();
    let reconstructions = result.map_err(|error| match error {
        AttackError::GuidedLabel { .. } => misuse(format!("--guide: {error}")),
        AttackError::Threat(error) => misuse(error),
        AttackError::Config(error) => misuse(error),
        error => error.into(),
    })?;
    let evaluations: usize =
        reconstructions.iter().flat_map(|r| &r.trials).map(|t| t.history.len()).max().unwrap_or(0);
    let iterations = match setting.config.optimiser {
        Optimiser::Adam { .. } => setting.config.iterations,
        Optimiser::Lbfgs { .. } => evaluations,
    };
    let trials = reconstructions.iter().map(|r| r.trials.len()).sum();
    Ok((reconstructions, Timing::new(started.elapsed().as_secs_f64(), iterations, trials)))
}

/// The value of `--batch`.
pub fn check_batch(batch: usize) -> anyhow::Result<()> {
    match batch {
        1..=MAX_BATCH => Ok(()),
        _ => Err(misuse(format!("--batch: expected 1 to {MAX_BATCH}, found {batch}"))),
    }
}

/// The value of `--limit`.
pub fn check_limit(limit: Option<usize>) -> anyhow::Result<()> {
    match limit {
        Some(0) => Err(misuse("--limit: expected 1 or more, found 0")),
        _ => Ok(()),
    }
}

/// Whether two paths lead to one file, which need not exist yet.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        path.canonicalize().unwrap_or_else(|_| {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let name = path.file_name().unwrap_or_default();
            folder.map_or_else(|| path.to_owned(), |folder| folder.join(name))
        })
    };
    resolved(a) == resolved(b)
}

/// `1,2,4`
pub fn numbers<T: std::str::FromStr>(option: &str, text: &str) -> anyhow::Result<Vec<T>> {
    let number = |part: &str| {
        let wrong = || misuse(format!("{option}: expected numbers as in 1,2,4, found '{part}'"));
        part.trim().parse().map_err(|_| wrong())
    };
    text.split(',').map(number).collect()
}

/// `--labels 3,5` → class indices below `classes`, `batch` of them.
pub fn parse_labels(text: &str, batch: usize, classes: usize) -> anyhow::Result<Vec<usize>> {
    parse_classes("--labels", text, batch, classes)
}

/// The same of the option of this name.
pub fn parse_classes(option: &str, text: &str, batch: usize, classes: usize) -> anyhow::Result<Vec<usize>> {
    let labels: Vec<usize> = text
        .split(',')
        .map(|part| {
            let part = part.trim();
            part.parse()
                .map_err(|_| misuse(format!("{option}: expected class indices as in 3,5, found '{part}'")))
        })
        .collect::<Result<_, _>>()?;
    if labels.len() != batch {
        return Err(misuse(format!("{option}: expected {batch}, one a picture, found {}", labels.len())));
    }
    match labels.iter().find(|&&label| label >= classes) {
        Some(label) => {
            Err(misuse(format!("{option}: expected class indices from 0 to {}, found {label}", classes - 1)))
        }
        None => Ok(labels),
    }
}

/// A picture as the network's input, see [`Picture::fitted`].
pub fn fit_picture(picture: Picture, shape: [usize; 3]) -> anyhow::Result<Picture> {
    Ok(picture.fitted(shape)?)
}
