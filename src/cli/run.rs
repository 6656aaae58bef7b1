//! `gia-gpu run`: from pictures to what their gradients give away.

use std::path::PathBuf;

use clap::{Args, FromArgMatches, ValueEnum};

use super::{
    attack_options::AttackOptions,
    command_line, config, misuse,
    options::{
        DeviceOptions, MAX_BATCH, NormalisationOptions, VictimOptions, attack, check_batch, fit_picture,
        same_file,
    },
    print_json, print_line, summary,
};
use crate::{
    attack::{
        config::LabelStrategy,
        invert::{LabelSource, Reconstruction, Setting, Target},
    },
    data::{Dataset, Picture, samples},
    device::{DeviceInfo, host},
    federated::{Victim, client},
    metrics::{Comparison, MetricsError, compare, flat_grey_floor},
    report::{Batch, Floors, OutputFolder, Restart, RunReport, ThreatModel, Timing, figures, noise_like},
};

/// Most iterations of an attack on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LabelKnowledge {
    /// Restored or learned where the attack can; given where it cannot (ig at batches above 1)
    Auto,
    /// The eavesdropper is told them
    Given,
}

/// Capture the gradients of training steps, attack them, and report what was found.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:\n  gia-gpu run\n  gia-gpu run --data cifar-10-batches-bin --batches 8 --out report\n  \
                  gia-gpu run --arch convnet64 --preset ig --batch 2 --trials 4 --config audit.toml"
)]
pub struct Run {
    /// TOML file whose keys are these options; the command line wins
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Pictures: a folder with a folder per class, CIFAR-10's binary batches or IDX files; without it, the
    /// embedded samples (Fashion-MNIST), with at most 2,000 iterations unless --iterations says more
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    #[command(flatten)]
    victim: VictimOptions,
    /// Pictures in a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Independent batches, from the first picture on, attacked side by side
    #[arg(long, value_name = "N", default_value_t = 1)]
    batches: usize,
    /// What the eavesdropper knows of the labels
    #[arg(long, value_enum, default_value = "auto")]
    labels: LabelKnowledge,
    #[command(flatten)]
    attack: AttackOptions,
    /// Seed of weights and starts
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Folder to write report.json, images/ and grid.png to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// One client's batch.
struct ClientBatch {
    indices: Vec<usize>,
    pictures: Vec<Picture>,
    labels: Vec<usize>,
}

impl Run {
    pub fn run(self) -> anyhow::Result<()> {
        match &self.config {
            Some(path) => Self::with_file(path)?.study(),
            None => self.study(),
        }
    }

    /// This process's arguments once more, behind those of the file.
    fn with_file(path: &std::path::Path) -> anyhow::Result<Run> {
        let command = Run::augment_args(clap::Command::new("gia-gpu run"));
        let mut arguments = config::arguments(path, &command)?;
        arguments.insert(0, "gia-gpu run".into());
        arguments.extend(std::env::args_os().skip(1).skip_while(|a| a != "run").skip(1));
        let matches = command
            .try_get_matches_from(arguments)
            .map_err(|error| misuse(format!("with the options of {}: {error}", path.display())))?;
        Ok(Run::from_arg_matches(&matches)?)
    }

    fn study(self) -> anyhow::Result<()> {
        let mut config = self.attack.config(&self.victim.arch)?;
        if self.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        let dataset = match &self.data {
            Some(path) => Dataset::open(path)?,
            None => samples(),
        };
        if self.data.as_ref().is_some_and(|data| same_file(data, &self.out)) {
            let folder = self.out.display();
            return Err(misuse(format!(
                "--out {folder} is the data set: its report would become part of it"
            )));
        }
        let victim = self.victim.open(self.seed, dataset.class_names.len())?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let batches = self.read_batches(&dataset, &victim)?;
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.device.open()?;

        let given =
            self.labels == LabelKnowledge::Given || self.batch > 1 && config.labels == LabelStrategy::Idlg;
        let (mut losses, mut targets) = (vec![], vec![]);
        for batch in &batches {
            let images = normalisation.normalise(&batch.pictures)?;
            let update = client::update(&*device, &victim, &images, &batch.labels)?;
            losses.push(update.loss);
            let labels = given.then(|| batch.labels.clone());
            targets.push(Target { gradient: update.gradient, labels });
        }
        let setting = Setting {
            victim: &victim,
            batch: self.batch,
            normalisation: &normalisation,
            config: &config,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let (found, timing) = attack(&*device, &setting, &targets)?;

        let study = Study { setting, dataset: &dataset, batches, losses, found };
        let pictures = study.pictures()?;
        let report = study.report(device.info(), timing, &pictures)?;
        let originals: Vec<Picture> = study.batches.iter().flat_map(|b| b.pictures.clone()).collect();
        folder.write(Some(&originals), &pictures.concat(), &captions(&report), &report)?;
        if self.json {
            return print_json(&report);
        }
        print_line(format!("{}\nwrote {}", summary::of(&report), self.out.join("grid.png").display()))
    }

    /// The first `batches × batch` pictures, fitted to the victim's input.
    fn read_batches(&self, dataset: &Dataset, victim: &Victim) -> anyhow::Result<Vec<ClientBatch>> {
        check_batch(self.batch)?;
        if !(1..=MAX_BATCH).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", self.batches)));
        }
        let wanted = self.batch * self.batches;
        if wanted > dataset.len() {
            return Err(misuse(format!(
                "--batch {} × --batches {}: {wanted} pictures, data set {} has {}",
                self.batch,
                self.batches,
                dataset.name,
                dataset.len()
            )));
        }
        let all: Vec<usize> = (0..wanted).collect();
        all.chunks(self.batch)
            .map(|indices| {
                let mut batch = ClientBatch { indices: indices.to_vec(), pictures: vec![], labels: vec![] };
                for &i in indices {
                    let label = dataset.label(i)?;
                    if label >= victim.classes {
                        return Err(misuse(format!(
                            "picture {i} of {} has label {label}, the victim has {} classes",
                            dataset.name, victim.classes
                        )));
                    }
                    batch.labels.push(label);
                    batch.pictures.push(fit_picture(dataset.picture(i)?, victim.image_shape())?);
                }
                Ok(batch)
            })
            .collect()
    }
}

/// All that a report is made of.
struct Study<'a> {
    setting: Setting<'a>,
    dataset: &'a Dataset,
    batches: Vec<ClientBatch>,
    losses: Vec<f32>,
    found: Vec<Reconstruction>,
}

impl Study<'_> {
    /// The reconstructions, a list a batch.
    fn pictures(&self) -> anyhow::Result<Vec<Vec<Picture>>> {
        let [_, height, width] = self.setting.victim.image_shape();
        let denormalise = |r: &Reconstruction| {
            Ok(self.setting.normalisation.denormalise(&r.best().images, height, width)?)
        };
        self.found.iter().map(denormalise).collect()
    }

    fn report(
        &self,
        device: DeviceInfo,
        timing: Timing,
        pictures: &[Vec<Picture>],
    ) -> anyhow::Result<RunReport> {
        let Setting { victim, batch, normalisation, config, restarts, seed } = &self.setting;
        let over_batches = |make: &dyn Fn(&ClientBatch, usize) -> Result<Comparison, MetricsError>| {
            self.batches.iter().enumerate().map(|(i, b)| make(b, i)).collect::<Result<Vec<_>, _>>()
        };
        let comparisons = over_batches(&|b, i| compare(&b.pictures, &pictures[i]))?;
        let grey = over_batches(&|b, _| flat_grey_floor(&b.pictures))?;
        let noise = over_batches(&|b, i| compare(&b.pictures, &noise_like(&b.pictures, seed + i as u64)))?;
        let source = self.found[0].label_source;
        let batches = (0..self.batches.len()).map(|i| {
            let (b, found) = (&self.batches[i], &self.found[i]);
            Batch {
                pictures: b.indices.clone(),
                true_labels: Some(b.labels.clone()),
                labels: found.labels.clone(),
                label_source: found.label_source,
                class_names: Some(b.labels.iter().map(|&l| self.dataset.class_names[l].clone()).collect()),
                client_loss: Some(self.losses[i]),
                best_restart: found.best,
                restarts: Restart::all(found),
                metrics: Some(comparisons[i].clone()),
            }
        });
        Ok(RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            seed: *seed,
            device,
            threat_model: ThreatModel::honest_but_curious_server(&victim.weights, source),
            attack: (*config).clone(),
            architecture: victim.name.clone(),
            classes: victim.classes,
            batch: *batch,
            restarts: *restarts,
            data: self.dataset.name.clone(),
            normalisation: (*normalisation).clone(),
            timing,
            metrics: figures(&comparisons),
            floors: figures(&grey).zip(figures(&noise)).map(|(flat_grey, noise)| Floors { flat_grey, noise }),
            labels_right: (source != LabelSource::Given).then(|| self.labels_right()),
            batches: batches.collect(),
        })
    }

    /// Share of all labels restored, each counted as often as it occurs in its batch.
    fn labels_right(&self) -> f64 {
        let count = |labels: &[usize], class: usize| labels.iter().filter(|&&l| l == class).count();
        let right: usize = self
            .batches
            .iter()
            .zip(&self.found)
            .map(|(b, f)| {
                let classes = 0..self.setting.victim.classes;
                classes.map(|c| count(&b.labels, c).min(count(&f.labels, c))).sum::<usize>()
            })
            .sum();
        right as f64 / (self.batches.len() * self.setting.batch) as f64
    }
}

/// What stands under each reconstruction.
fn captions(report: &RunReport) -> Vec<String> {
    let all = report.batches.iter().filter_map(|b| b.metrics.as_ref());
    all.flat_map(|m| {
        let (psnr, ssim) = (&m.psnr.per_image.aligned, &m.ssim.per_image.aligned);
        psnr.iter().zip(ssim).map(|(p, s)| format!("{p:.1} dB {s:.2}")).collect::<Vec<_>>()
    })
    .collect()
}
