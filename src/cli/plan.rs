//! `gia-gpu plan`

use clap::Args;

use super::{attack_options::AttackOptions, misuse, options::VictimOptions};
use crate::{
    attack::{
        adam,
        config::{LabelStrategy, Optimiser},
        lbfgs,
        problem::{Problem, Sizes},
    },
    data::Normalisation,
    nn::architecture::architecture,
};

/// Show the steps of one attack iteration: kernel, shapes, FLOPs, bytes, and totals.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu plan --arch convnet64 --preset ig --batch 1")]
pub struct PlanCommand {
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Pictures in the batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
}

impl PlanCommand {
    pub fn run(self) -> anyhow::Result<()> {
        if !(1..=4096).contains(&self.batch) {
            return Err(misuse(format!("--batch: expected 1 to 4096, found {}", self.batch)));
        }
        let victim = architecture(&self.victim.arch).map_err(misuse)?;
        let config = self.attack.config(&self.victim.arch)?;
        let sizes = Sizes {
            trials: self.attack.trials,
            batch: self.batch,
            classes: self.victim.classes.unwrap_or(crate::federated::DEFAULT_CLASSES),
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
        print!("{}", plan.dump());
        Ok(())
    }
}
