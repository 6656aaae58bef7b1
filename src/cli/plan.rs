//! `gia-gpu plan`

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use super::{
    attack_options::AttackOptions,
    device::Place,
    help::group,
    misuse,
    model_options::{Known, ModelOptions},
    options::{MAX_BATCH, check_batch, count_to},
    plan_time::timed,
    print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::iteration,
    device::gpu::{Gpu, Shader, Style},
    federated::{DEFAULT_CLASSES, check_classes},
    nn::Model,
    plan::Plan,
    tensor_file::GradientInfo,
    train::{Recipe, Step},
};

/// Show the steps of one attack iteration: kernel, shapes, FLOPs, bytes, and totals.
#[derive(Args)]
#[command(
    mut_arg("device", |device| device.requires("time").help("Where to time")),
    mut_arg("isa", |isa| isa.requires("time")),
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu plan --arch convnet64 --preset ig --batch 1"
)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Pictures in the batch
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = group::INPUT)]
    batch: usize,
    /// A step of training in place of an attack's iteration
    ///
    /// SGD with momentum, batch norm in train mode.
    #[arg(long, help_heading = group::ATTACK)]
    training: bool,
    /// Run so many iterations and print how long each step took
    ///
    /// At most 10000, with numbers drawn from N(0,0.01), and by the GPU's own clock where it has one.
    #[arg(long, value_name = "N", value_parser = count_to(10_000), help_heading = group::MEASUREMENT)]
    time: Option<usize>,
    #[command(flatten)]
    place: Place,
    /// Folder for every shader that a GPU might run for this plan
    #[arg(long, value_name = "DIR", help_heading = group::OUTPUT)]
    shaders: Option<PathBuf>,
}

impl PlanCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        let request = self.model.request(&Known::default())?;
        let classes = request.classes.unwrap_or(DEFAULT_CLASSES);
        check_classes(classes).map_err(misuse)?;
        let model = request.model(classes).map_err(misuse)?;
        let plan = match self.training {
            true => Step::plan(&model, &Recipe { batch: self.batch, ..Recipe::default() }),
            false => self.iteration(&model)?,
        };
        if let Some(folder) = &self.shaders {
            write_shaders(&plan, folder)?;
        }
        match self.time {
            None => print_line(plan.dump().trim_end()),
            Some(runs) => print_line(timed(&*self.place.open()?, &plan, runs)?.trim_end()),
        }
    }

    /// One iteration of the attack.
    fn iteration(&self, model: &Model) -> anyhow::Result<Plan> {
        let config = self.attack.config(&model.name)?;
        let (batch, trials) = (self.batch, self.attack.trials);
        if batch * trials > MAX_BATCH {
            return Err(misuse(format!(
                "--batch {batch} × --trials {trials}: expected at most {MAX_BATCH} pictures"
            )));
        }
        let protocol = self.protocol.protocol(&GradientInfo::default(), batch)?;
        Ok(iteration(model, &protocol, &config, batch, trials))
    }
}

/// One file a distinct text, `KERNEL-VARIANT-NUMBER.wgsl`: contractions in every tile that may suit them.
fn write_shaders(plan: &Plan, folder: &Path) -> anyhow::Result<()> {
    let unwritable = |path: &Path| format!("cannot write {}", path.display());
    fs::create_dir_all(folder).with_context(|| unwritable(folder))?;
    let mut written = HashSet::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for Shader { kernel, variant, source } in Gpu::shaders(plan, Style::default())? {
        if !written.insert(source.clone()) {
            continue;
        }
        let name = if variant.is_empty() { kernel.to_string() } else { format!("{kernel}-{variant}") };
        let number = numbers.entry(name.clone()).or_default();
        *number += 1;
        let path = folder.join(format!("{name}-{number}.wgsl"));
        fs::write(&path, source).with_context(|| unwritable(&path))?;
    }
    Ok(())
}
