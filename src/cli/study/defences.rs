//! `gia-gpu study defences`

use std::path::PathBuf;

use clap::Args;

use super::super::{
    attack_options::AttackOptions,
    clients::check_out,
    data_options::DataOptions,
    defence_options::check,
    help::group,
    misuse,
    model_options::VictimOptions,
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
};
use crate::{
    audit::{Audit, Clients},
    data::atomic,
    federated::{
        Protocol,
        defence::{Defence, parse},
    },
    semantic::ClassOrder,
    study::{self, defences::STRENGTHS},
    tensor_file::{GradientInfo, TensorFile},
};

/// Most iterations of an attack of the study, unless told otherwise: there are many.
const ITERATIONS: usize = 1_000;

/// Attack the same batches behind each defence, once unaware of it and once adapted to it.
#[derive(Args)]
#[command(
    next_help_heading = group::CLIENT,
    after_help = "Examples:\n  gia-gpu study defences\n  gia-gpu study defences --data cifar-10-batches-bin --batches 8 \
                  --defence noise:1e-3 --defence noise:1e-3,top-k:0.1"
)]
pub(crate) struct DefenceStudy {
    /// A row of the table: defences in order, as in noise:1e-2,clip:1.0
    ///
    /// May be repeated. Without it, every defence at several strengths.
    #[arg(long, value_name = "D,D", help_heading = group::CLIENT)]
    defence: Vec<String>,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Seed of weights, noise and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// JSON file to write the table to
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl DefenceStudy {
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.data.batch = self.data.batch.or(self.protocol.pictures());
        if let Some(out) = &self.out {
            check_out(self.data.data.as_deref(), out)?;
        }
        let dataset = self.data.open()?;
        let name = self.victim.model.name();
        let mut config = self.attack.config(name)?;
        if self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(ITERATIONS);
        }
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch())?;
        let wanted = self.wanted(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let mut audit = Audit {
            protocol,
            normalisation,
            restarts: self.attack.trials,
            seed: self.seed,
            ..Audit::new(victim, config)
        };
        self.attack.generator.open_for(&mut audit)?;
        let batches = self.data.read(&dataset, &audit.victim, self.seed)?;
        let order = ClassOrder::kept(audit.victim.model.classes);
        let clients = Clients::new(&dataset, &mut audit.victim, order, batches)?;
        if let Some(path) = &self.out {
            TensorFile::check_writable(path)?;
        }
        let device = self.device.open()?;
        let study = study::DefenceStudy { device: &*device, clients: &clients, defences: &wanted };
        let report = study.run(&mut audit, &Terminal)?;
        if let Some(path) = &self.out {
            atomic::write_json(path, &report)?;
        }
        if self.json { print_json(&report) } else { print_line(report.table()) }
    }

    fn wanted(&self, protocol: &Protocol) -> anyhow::Result<Vec<Vec<Defence>>> {
        let read = |text: &str| {
            let defences = parse(text).map_err(|error| misuse(format!("--defence: {error}")))?;
            check(protocol, &defences)?;
            Ok(defences)
        };
        match self.defence.is_empty() {
            false => self.defence.iter().map(|text| read(text)).collect(),
            // Those that do not fit the protocol are left out.
            true => Ok(STRENGTHS.iter().filter_map(|text| read(text).ok()).collect()),
        }
    }
}
