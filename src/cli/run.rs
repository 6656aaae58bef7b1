//! `gia-gpu run`: from pictures to what their gradients give away.

use std::path::PathBuf;

use clap::{Args, FromArgMatches, ValueEnum};

use super::{
    attack_options::AttackOptions,
    config, misuse,
    model_options::{DEFAULT_ARCHITECTURE, Known, VictimOptions},
    options::{DeviceOptions, MAX_BATCH, NormalisationOptions, attack, check_batch, fit_picture, same_file},
    print_json, print_line,
    protocol_options::ProtocolOptions,
    study::{ClientBatch, Study, captions},
    summary,
    threat_options::{Setup, ThreatOptions},
};
use crate::{
    attack::{
        config::{AttackConfig, StatisticsTarget},
        invert::{Setting, Target},
    },
    data::{BatchRule, Dataset, Normalisation, Picture, samples},
    device::{Device, host},
    federated::{Client, Protocol, Victim, observed::batch_statistics},
    nn::Mode,
    report::OutputFolder,
    tensor_file::GradientInfo,
};

/// Most iterations of an attack on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LabelKnowledge {
    /// Nothing: they are restored, or learned
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
    /// Labels of a batch: any, distinct, or equal:N for N of one class and the others distinct
    #[arg(long, value_name = "R", default_value = "any")]
    batch_labels: BatchRule,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    threat: ThreatOptions,
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
        let config = self.config()?;
        check_batch(self.batch)?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.batch)?;
        let known = Known {
            pictures: dataset.picture(0).ok().map(|p| p.shape()),
            classes: Some(dataset.class_names.len()),
            ..Known::default()
        };
        let victim = self.victim.open(self.seed, &known)?;
        let setup = Setup {
            config: &config,
            protocol: &protocol,
            labels_given: self.labels == LabelKnowledge::Given,
            adaptive: false,
            batch_norm: victim.has_batch_norm(),
        };
        let threat_model = self.threat.check(&setup)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let batches = self.read_batches(&dataset, &victim)?;
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.device.open()?;

        let (losses, targets) =
            self.capture(&*device, &victim, &protocol, &config, &normalisation, &batches)?;
        let setting = Setting {
            victim: &victim,
            protocol: &protocol,
            views: &[],
            batch: self.batch,
            normalisation: &normalisation,
            config: &config,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let (found, timing) = attack(&*device, &setting, &targets)?;

        let study = Study { setting, threat_model, dataset: &dataset, batches, losses, found };
        let pictures = study.pictures()?;
        let report = study.report(device.info(), timing, &pictures)?;
        let originals: Vec<Picture> = study.batches.iter().flat_map(|b| b.pictures.clone()).collect();
        folder.write(Some(&originals), &pictures.concat(), &captions(&report), &report)?;
        if self.json {
            return print_json(&report);
        }
        print_line(format!("{}\nwrote {}", summary::of(&report), self.out.join("grid.png").display()))
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        if self.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        Ok(config)
    }

    /// What the clients send: their losses, and what the eavesdropper works on.
    fn capture(
        &self,
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        config: &AttackConfig,
        normalisation: &Normalisation,
        batches: &[ClientBatch],
    ) -> anyhow::Result<(Vec<f32>, Vec<Target>)> {
        let wants_statistics = victim.has_batch_norm()
            && config.batch_norm != 0.0
            && config.batch_norm_target == StatisticsTarget::Batch;
        if wants_statistics && protocol.mode != Mode::Train {
            return Err(misuse(
                "--bn-target batch: a client in eval mode returns no statistics of its batch: give --mode train",
            ));
        }
        let mut client = Client::new(device, victim, protocol, self.batch)?;
        let (mut losses, mut targets) = (vec![], vec![]);
        for batch in batches {
            let images = normalisation.normalise(&batch.pictures)?;
            let update = client.update(victim, &images, &batch.labels)?;
            losses.push(update.loss);
            let statistics = wants_statistics.then(|| {
                let counts = victim.model.statistics_counts(self.batch / protocol.clients);
                batch_statistics(victim, protocol, &update.buffers, &counts)
            });
            let labels = (self.labels == LabelKnowledge::Given).then(|| batch.labels.clone());
            targets.push(Target { gradient: update.gradient, labels, weights: None, statistics });
        }
        Ok((losses, targets))
    }

    /// Batches that keep the rule, fitted to the victim's input.
    fn read_batches(&self, dataset: &Dataset, victim: &Victim) -> anyhow::Result<Vec<ClientBatch>> {
        if !(1..=MAX_BATCH).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", self.batches)));
        }
        let chosen = dataset.batches(self.batch, self.batches, self.batch_labels).map_err(misuse)?;
        let read = |indices: Vec<usize>| {
            let mut batch = ClientBatch { indices: indices.clone(), pictures: vec![], labels: vec![] };
            for i in indices {
                let (label, classes) = (dataset.label(i)?, victim.model.classes);
                if label >= classes {
                    return Err(misuse(format!(
                        "picture {i} of {} has label {label}, the victim has {classes} classes",
                        dataset.name
                    )));
                }
                batch.labels.push(label);
                batch.pictures.push(fit_picture(dataset.picture(i)?, victim.image_shape())?);
            }
            Ok(batch)
        };
        chosen.into_iter().map(read).collect()
    }
}
