//! `gia-gpu invert`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{
    attack_options::AttackOptions,
    command_line, misuse,
    options::{DeviceOptions, NormalisationOptions, attack, check_batch, parse_labels, same_file},
    print_json, print_line, summary,
};
use crate::{
    attack::{
        config::{AttackConfig, LabelStrategy},
        invert::{Setting, Target},
    },
    data::Normalisation,
    federated::{Victim, VictimError},
    report::{Batch, OutputFolder, Restart, RunReport, ThreatModel},
    tensor_file::{GradientFile, GradientInfo},
};

/// Attack a gradient file: restore labels where they are not given, and reconstruct the pictures.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu invert --arch lenet-zhu --weights victim.safetensors \
                  --gradient gradient.safetensors --out found")]
pub struct Invert {
    /// Architecture: lenet-zhu, or convnet with a width (convnet64)
    #[arg(long, value_name = "A")]
    arch: String,
    /// The victim's weights: a safetensors file with PyTorch's state_dict names
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The observed gradient: a safetensors file with the names of the parameters
    #[arg(long, value_name = "FILE")]
    gradient: PathBuf,
    /// Class indices of the pictures, as in 3,5, if the eavesdropper knows them
    #[arg(long, value_name = "L,L", allow_hyphen_values = true)]
    labels: Option<String>,
    /// Pictures in the batch, where neither the gradient file nor --labels say
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    #[command(flatten)]
    attack: AttackOptions,
    /// Seed of the reconstruction's start
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Folder to write report.json, images/ and grid.png to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Invert {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.attack.config(&self.arch)?;
        crate::nn::architecture::architecture(&self.arch).map_err(misuse)?;
        let observed = GradientFile::read(&self.gradient)?;
        self.check(&observed.info)?;
        let batch = self.batch_size(observed.info.batch_size)?;
        self.check_labels(batch, &config)?;
        let victim = Victim::from_file(&self.weights, &self.arch, observed.info.classes).map_err(
            |error| match error {
                VictimError::Architecture(_) | VictimError::ClassCount { .. } => misuse(error),
                error => error.into(),
            },
        )?;
        let gradient = observed.gradients(&victim.gradient_specs())?;
        let shape = victim.image_shape();
        if let Some(found) = observed.info.image_shape.filter(|found| *found != shape) {
            anyhow::bail!(
                "{}: images of {found:?} (C, H, W), {} takes {shape:?}",
                self.gradient.display(),
                self.arch
            );
        }
        let known = match (&observed.info.mean, &observed.info.std) {
            (Some(mean), Some(std)) => Some(
                Normalisation::new(mean.clone(), std.clone())
                    .with_context(|| self.gradient.display().to_string())?,
            ),
            _ => None,
        };
        let normalisation = self.normalisation.open(shape[0], known)?;
        let labels = self.labels.as_ref().map(|l| parse_labels(l, batch, victim.classes)).transpose()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.device.open()?;

        let setting = Setting {
            victim: &victim,
            batch,
            normalisation: &normalisation,
            config: &config,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let target = Target { gradient: gradient.into_iter().map(|t| t.data).collect(), labels };
        let (found, timing) = attack(&*device, &setting, &[target])?;
        let found = &found[0];
        let pictures = normalisation.denormalise(&found.best().images, shape[1], shape[2])?;
        let report = RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            seed: self.seed,
            device: device.info(),
            threat_model: ThreatModel::honest_but_curious_server(&victim.weights, found.label_source),
            attack: config.clone(),
            architecture: victim.name.clone(),
            classes: victim.classes,
            batch,
            restarts: self.attack.trials,
            data: self.gradient.display().to_string(),
            normalisation: normalisation.clone(),
            timing,
            metrics: None,
            floors: None,
            labels_right: None,
            batches: vec![Batch {
                pictures: (0..batch).collect(),
                true_labels: None,
                labels: found.labels.clone(),
                label_source: found.label_source,
                class_names: None,
                client_loss: None,
                best_restart: found.best,
                restarts: Restart::all(found),
                metrics: None,
            }],
        };
        let captions: Vec<String> = found.labels.iter().map(|l| format!("label {l}")).collect();
        folder.write(None, &pictures, &captions, &report)?;
        if self.json {
            return print_json(&report);
        }
        print_line(format!("{}\nwrote {}", summary::of(&report), self.out.join("grid.png").display()))
    }

    /// The gradient file must not contradict the options.
    fn check(&self, info: &GradientInfo) -> anyhow::Result<()> {
        let file = self.gradient.display();
        if same_file(&self.weights, &self.gradient) {
            return Err(misuse(format!("--weights and --gradient name the same file, {file}")));
        }
        match &info.architecture {
            Some(found) if *found != self.arch => Err(misuse(format!(
                "{file}: the gradient is of architecture '{found}', --arch says '{}'",
                self.arch
            ))),
            _ => Ok(()),
        }
    }

    fn check_labels(&self, batch: usize, config: &AttackConfig) -> anyhow::Result<()> {
        if self.labels.is_none() && batch > 1 && config.labels == LabelStrategy::Idlg {
            return Err(misuse(format!(
                "iDLG restores the label of a batch of 1, this batch has {batch} pictures: give --labels, or \
                 learn them with --restore-labels joint or --preset dlg"
            )));
        }
        Ok(())
    }

    /// Of the gradient file, of `--batch`, or the number of labels.
    fn batch_size(&self, in_file: Option<usize>) -> anyhow::Result<usize> {
        let from_labels = self.labels.as_ref().map(|l| l.split(',').count());
        if let Some(batch) = self.batch {
            check_batch(batch)?;
        }
        if let (Some(file), Some(option)) = (in_file, self.batch)
            && file != option
        {
            return Err(misuse(format!(
                "--batch: expected {file}, the batch size in {}, found {option}",
                self.gradient.display()
            )));
        }
        match in_file.or(self.batch).or(from_labels) {
            Some(n) => Ok(n),
            None => Err(misuse(format!(
                "{} does not say its batch size: give --batch or --labels",
                self.gradient.display()
            ))),
        }
    }
}
