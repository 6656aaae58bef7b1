//! `gia-gpu plan`

use clap::Args;

use super::{
    attack_options::AttackOptions,
    misuse,
    options::{MAX_BATCH, check_batch},
    print_line,
};
use crate::{
    attack::{
        adam,
        config::{LabelStrategy, Optimiser},
        lbfgs,
        problem::{Problem, Sizes},
    },
    data::Normalisation,
    federated::{DEFAULT_CLASSES, check_classes},
    nn::architecture::architecture,
};

/// Show the steps of one attack iteration: kernel, shapes, FLOPs, bytes, and totals.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu plan --arch convnet64 --preset ig --batch 1")]
pub struct PlanCommand {
    /// Architecture: lenet-zhu, or convnet with a width (convnet64)
    #[arg(long, value_name = "A", default_value = "lenet-zhu")]
    arch: String,
    /// Number of classes
    #[arg(long, value_name = "K", default_value_t = DEFAULT_CLASSES)]
    classes: usize,
    #[command(flatten)]
    attack: AttackOptions,
    /// Pictures in the batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
}

impl PlanCommand {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        let config = self.attack.config(&self.arch)?;
        let (batch, trials) = (self.batch, self.attack.trials);
        if batch * trials > MAX_BATCH {
            return Err(misuse(format!(
                "--batch {batch} × --trials {trials}: expected at most {MAX_BATCH} pictures"
            )));
        }
        let victim = architecture(&self.arch).map_err(misuse)?;
        check_classes(self.classes).map_err(misuse)?;
        let sizes = Sizes {
            trials,
            batch,
            classes: self.classes,
            shared_target: true,
            joint_labels: config.labels == LabelStrategy::Joint,
        };
        let mut problem = Problem::new(&*victim, &config, sizes);
        let plan = match config.optimiser {
            Optimiser::Adam { learning_rate, sign, schedule } => {
                let adam = adam::Adam { learning_rate, sign, schedule };
                let bounds = Normalisation::default().bounds();
                let bounds = config.clamp.then_some(bounds.as_slice());
                adam::Iteration::new(&mut problem, adam, config.iterations, bounds).plan
            }
            Optimiser::Lbfgs { .. } => lbfgs::plan(&problem),
        };
        print_line(plan.dump().trim_end())
    }
}
