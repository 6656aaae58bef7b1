//! `gia-gpu study guidance`

use std::path::PathBuf;

use clap::Args;

use super::super::{
    attack_options::AttackOptions,
    clients::check_out,
    data_options::DataOptions,
    data_options::open_data,
    guidance_options::ScheduleOptions,
    help::group,
    misuse,
    model_options::VictimOptions,
    naming_options::NamingOptions,
    options::{DeviceOptions, NormalisationOptions, at_least_one, check_batch, numbers},
    print_json, print_line,
    progress::Terminal,
    spelled::spelled,
    sweep::named,
};
use crate::{
    attack::config::AttackConfig,
    audit::{Audit, guidable},
    data::BatchRule,
    study,
    sweep::NAMED_AT_ONCE,
};

/// Most iterations of an attack of the study, unless told otherwise: there are many.
const ITERATIONS: usize = 1_000;

/// What names add that draw pictures to them.
///
/// Attack the same batches without guidance, guided by the true names, and guided by names of other classes. All
/// have the same starts, budget and labels. What the true names add is the paired difference to the attack without; what
/// any names would add is the difference that those of other classes make. Names are read by the model that guided, which
/// is no independent witness of what it has pulled at; likeness to the originals (SSIM) is.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu study guidance\n  gia-gpu study guidance --data cifar/test --batch-sizes 1,2,4 \
                  --batches 48 --guide-weights 0.002,0.02 --out guidance"
)]
pub(crate) struct GuidanceStudy {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Names of the victim's classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line.
    #[arg(long, value_name = "NAMES|FILE", requires = "data", help_heading = group::INPUT)]
    class_names: Option<String>,
    /// Pictures in a batch
    #[arg(long, value_name = "N,N", default_value = "1,2,4")]
    batch_sizes: String,
    /// Batches of each size
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one())]
    batches: usize,
    /// Which labels a batch may have
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "stratified", help_heading = group::INPUT)]
    batch_labels: BatchRule,
    /// Values of λ that are compared
    #[arg(long, value_name = "W,W", default_value = "0.002,0.02", help_heading = group::ATTACK)]
    guide_weights: String,
    #[command(flatten)]
    schedule: ScheduleOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    naming: NamingOptions,
    /// Seed of batches, weights, class order and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for guidance.csv, a row a batch, plots and the journal
    ///
    /// The journal has what is finished: the same command goes on from there.
    #[arg(long, value_name = "DIR", default_value = "guidance", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl GuidanceStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_out(self.data.as_deref(), &self.out)?;
        let dataset = open_data(self.data.as_deref(), self.class_names.as_deref())?;
        let (sizes, weights, config) = (self.sizes()?, self.weights()?, self.config()?);
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let restarts = self.attack.trials;
        let mut audit = Audit { normalisation, restarts, seed: self.seed, ..Audit::new(victim, config) };
        audit.generator = self.attack.generator(&audit.attack)?;
        let Some(model) = self.naming.open(Some(&dataset.class_names))? else {
            return Err(misuse("a study of guidance needs a model and names: give --clip and --names"));
        };
        let device = self.device.open()?;
        let Some(namer) = self.naming.namer(&model, &*device, NAMED_AT_ONCE)? else {
            return Err(misuse("no model that compares pictures with names"));
        };
        let study = study::GuidanceStudy {
            device: &*device,
            dataset: &dataset,
            model: &model,
            sizes,
            batches: self.batches,
            rule: self.batch_labels,
            weights,
            schedule: self.schedule.guidance(1.0),
        };
        let report = study.run(audit, namer, &self.out, &Terminal).map_err(named)?;
        if self.json {
            return print_json(&report);
        }
        let written: Vec<String> = report.written.iter().map(|path| path.display().to_string()).collect();
        print_line(format!("{}\nwrote {}", report.table(), written.join(", ")))
    }

    fn sizes(&self) -> anyhow::Result<Vec<usize>> {
        let sizes: Vec<usize> = numbers("--batch-sizes", &self.batch_sizes)?;
        sizes.iter().try_for_each(|&size| check_batch(size))?;
        Ok(sizes)
    }

    fn weights(&self) -> anyhow::Result<Vec<f64>> {
        let weights: Vec<f64> = numbers("--guide-weights", &self.guide_weights)?;
        match weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
            Some(weight) => Err(misuse(format!("--guide-weights: expected weights > 0, found {weight}"))),
            None => Ok(weights),
        }
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.name();
        let mut config = self.attack.config(name)?;
        if self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(ITERATIONS);
        }
        guidable(&config)?;
        Ok(config)
    }
}
