//! `gia-gpu run`: from pictures to what their gradients give away.

use std::path::PathBuf;

use clap::{Args, FromArgMatches, ValueEnum};

use super::{
    attack_options::AttackOptions,
    config,
    data_options::DataOptions,
    defence_options::DefenceOptions,
    experiment::Experiment,
    misuse,
    model_options::{DEFAULT_ARCHITECTURE, VictimOptions},
    options::{DeviceOptions, NormalisationOptions, same_file},
    print_json, print_line,
    protocol_options::ProtocolOptions,
    run_report::{Study, captions},
    summary,
    threat_options::{Setup, ThreatOptions},
};
use crate::{
    attack::config::AttackConfig, data::Picture, device::host, report::OutputFolder,
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
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
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
        let dataset = self.data.open()?;
        if self.data.data.as_ref().is_some_and(|data| same_file(data, &self.out)) {
            let folder = self.out.display();
            return Err(misuse(format!(
                "--out {folder} is the data set: its report would become part of it"
            )));
        }
        let config = self.config()?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch)?;
        let defences = self.defence.defences(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let labels_given = self.labels == LabelKnowledge::Given;
        let setup = Setup {
            config: &config,
            protocol: &protocol,
            labels_given,
            adaptive: self.defence.adaptive,
            batch_norm: victim.has_batch_norm(),
        };
        let threat_model = self.threat.check(&setup)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let batches = self.data.read(&dataset, &victim)?;
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;

        let experiment = Experiment {
            device: &*device,
            victim: &victim,
            protocol: &protocol,
            normalisation: &normalisation,
            config: &config,
            batches: &batches,
            defences: &defences,
            adaptive: self.defence.adaptive,
            labels_given,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let outcome = experiment.run()?;
        let study = Study { experiment, threat_model, dataset: &dataset, outcome };
        let pictures = experiment.pictures(&study.outcome.found)?;
        let report = study.report(&pictures)?;
        let originals: Vec<Picture> = batches.iter().flat_map(|b| b.pictures.clone()).collect();
        folder.write(Some(&originals), &pictures.concat(), &captions(&report), &report)?;
        if self.json {
            return print_json(&report);
        }
        print_line(format!("{}\nwrote {}", summary::of(&report), self.out.join("grid.png").display()))
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        if self.data.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        Ok(config)
    }
}
