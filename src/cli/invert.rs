//! `gia-gpu invert`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{
    attack_options::AttackOptions,
    command_line, misuse,
    model_options::{ModelOptions, known_from, victim_error},
    observed::{ObservedOptions, check_kind, check_sign, say_positions},
    options::{DeviceOptions, NormalisationOptions, attack, check_batch, parse_labels, same_file},
    print_json, print_line,
    protocol_options::ProtocolOptions,
    summary,
    threat_options::{Setup, ThreatOptions},
};
use crate::{
    attack::{
        config::StatisticsTarget,
        invert::{Setting, Target},
    },
    data::Normalisation,
    federated::{Victim, observed::batch_statistics},
    report::{Batch, Defences, OutputFolder, Restart, RunReport, ThreatRecord},
    tensor_file::GradientFile,
};

/// Attack a gradient file: restore labels where they are not given, and reconstruct the pictures.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu invert --arch lenet-zhu --weights victim.safetensors \
                  --gradient gradient.safetensors --out found")]
pub struct Invert {
    #[command(flatten)]
    model: ModelOptions,
    /// The victim's weights before training: a safetensors or .npz file with PyTorch's state_dict
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// What was observed: a safetensors or .npz file of gradients, an update, or a trained model
    #[arg(long, value_name = "FILE")]
    gradient: PathBuf,
    #[command(flatten)]
    observed: ObservedOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    threat: ThreatOptions,
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
        let observed = GradientFile::read(&self.gradient)?;
        let info = &observed.info.clone();
        self.check()?;
        let known = known_from(info, &self.model, &self.gradient)?;
        let request = self.model.request(&known)?;
        let config = self.attack.config(&request.name)?;
        let batch = self.batch_size(info.batch_size)?;
        let protocol = self.protocol.protocol(info, batch)?;
        let kind = self.observed.kind(info, &self.gradient, &protocol)?;
        check_kind(kind, &protocol)?;
        let victim = Victim::from_file(&self.weights, &request).map_err(victim_error)?;
        say_positions(&self.weights, victim.positions.as_ref());
        let setup = Setup {
            config: &config,
            protocol: &protocol,
            labels_given: self.labels.is_some(),
            adaptive: false,
            batch_norm: victim.has_batch_norm(),
        };
        let threat_model = self.threat.check(&setup)?;
        let wants_statistics = setup.batch_norm
            && config.batch_norm != 0.0
            && config.batch_norm_target == StatisticsTarget::Batch;
        let (gradient, buffers) = self.observed.read(observed, &victim, &protocol, kind, wants_statistics)?;
        check_sign(&victim, &gradient, batch, &self.gradient)?;
        let statistics = buffers.map(|returned| {
            let counts = victim.model.statistics_counts(batch / protocol.clients);
            batch_statistics(&victim, &protocol, &returned, &counts)
        });
        let shape = victim.image_shape();
        let known = match (&info.mean, &info.std) {
            (Some(mean), Some(std)) => Some(
                Normalisation::new(mean.clone(), std.clone())
                    .with_context(|| self.gradient.display().to_string())?,
            ),
            _ => None,
        };
        let normalisation = self.normalisation.open(shape[0], known)?;
        let classes = victim.model.classes;
        let labels = self.labels.as_ref().map(|l| parse_labels(l, batch, classes)).transpose()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;

        let setting = Setting {
            victim: &victim,
            protocol: &protocol,
            views: &[],
            batch,
            normalisation: &normalisation,
            config: &config,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let target = Target { gradient, labels, weights: None, statistics };
        let (found, timing) = attack(&*device, &setting, &[target])?;
        let found = &found[0];
        let pictures = normalisation.denormalise(&found.best().images, shape[1], shape[2])?;
        let report = RunReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            seed: self.seed,
            device: device.info(),
            threat_model: ThreatRecord::new(threat_model, &victim, &protocol, &config, found.label_source),
            protocol,
            attack: config.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes,
            batch,
            restarts: self.attack.trials,
            data: self.gradient.display().to_string(),
            normalisation: normalisation.clone(),
            defences: Defences::default(),
            timing,
            metrics: None,
            floors: None,
            labels: None,
            batches: vec![Batch {
                pictures: (0..batch).collect(),
                true_labels: None,
                labels: found.labels.clone(),
                label_source: found.label_source,
                label_warnings: found.label_warnings.clone(),
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

    fn check(&self) -> anyhow::Result<()> {
        let file = self.gradient.display();
        if same_file(&self.weights, &self.gradient) {
            return Err(misuse(format!("--weights and --gradient name the same file, {file}")));
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
