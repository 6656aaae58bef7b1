//! Options of the attack: a preset, and changes to it.

use clap::{Args, ValueEnum};

use super::misuse;
use crate::attack::config::{AttackConfig, LabelStrategy, Objective, Optimiser, Schedule, Sign, Start};

/// Slope of the soft sign tanh(s·∇)/s at its steepest, relative to which gradients saturate.
const SOFT_SIGN: f64 = 100.0;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ObjectiveChoice {
    L2,
    Cosine,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SignChoice {
    /// The gradient as it is
    None,
    /// Its sign
    Hard,
    /// tanh(100·∇)/100
    Soft,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleChoice {
    Constant,
    /// ×0.1 at 3/8, 5/8 and 7/8 of the iterations
    Steps,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StartChoice {
    /// N(0,1) in the normalised space the victim sees
    Normal,
    /// N(0,1) in pixel space, then normalised
    NormalPixels,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LabelChoice {
    /// From the last layer's gradient, batch of 1
    Idlg,
    /// Learned together with the pictures
    Joint,
}

/// The attack.
#[derive(Args, Clone, Debug)]
pub struct AttackOptions {
    /// Attack settings: ig (Geiping 2020), dlg (Zhu 2019) or idlg (Zhao 2020); the options below change them
    #[arg(long, value_name = "P", default_value = "ig")]
    preset: String,
    /// Iterations, in place of the preset's
    #[arg(long, value_name = "N")]
    pub iterations: Option<usize>,
    /// Distance between gradients
    #[arg(long, value_enum)]
    objective: Option<ObjectiveChoice>,
    /// Weight of total variation
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    tv: Option<f64>,
    /// Adam's learning rate
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// What Adam is given in place of the gradient
    #[arg(long, value_enum)]
    sign: Option<SignChoice>,
    /// How Adam's learning rate falls
    #[arg(long, value_enum)]
    schedule: Option<ScheduleChoice>,
    /// Where reconstructions start
    #[arg(long, value_enum)]
    start: Option<StartChoice>,
    /// How labels are found where they are not given
    #[arg(long, value_enum)]
    restore_labels: Option<LabelChoice>,
    /// Restarts of each attack, run side by side; the one with the lowest objective is kept
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub trials: usize,
}

impl AttackOptions {
    /// The preset for this victim, with the options' changes.
    pub fn config(&self, architecture: &str) -> anyhow::Result<AttackConfig> {
        if !(1..=4096).contains(&self.trials) {
            return Err(misuse(format!("--trials: expected 1 to 4096, found {}", self.trials)));
        }
        let mut config = AttackConfig::preset(&self.preset, architecture).map_err(misuse)?;
        match self.iterations {
            Some(0) => return Err(misuse("--iterations: expected 1 or more, found 0")),
            Some(n) if n > 10_000_000 => {
                return Err(misuse(format!("--iterations: expected at most 10,000,000, found {n}")));
            }
            Some(n) => config.iterations = n,
            None => {}
        }
        if let Some(objective) = self.objective {
            config.objective = match objective {
                ObjectiveChoice::L2 => Objective::L2,
                ObjectiveChoice::Cosine => Objective::Cosine,
            };
        }
        if let Some(weight) = self.tv {
            if !weight.is_finite() || weight < 0.0 {
                return Err(misuse(format!("--tv: expected a weight ≥ 0, found {weight}")));
            }
            config.total_variation = weight;
        }
        if let Some(start) = self.start {
            config.start = match start {
                StartChoice::Normal => Start::Normal,
                StartChoice::NormalPixels => Start::NormalPixels,
            };
        }
        if let Some(labels) = self.restore_labels {
            config.labels = match labels {
                LabelChoice::Idlg => LabelStrategy::Idlg,
                LabelChoice::Joint => LabelStrategy::Joint,
            };
        }
        self.change_adam(&mut config)?;
        Ok(config)
    }

    fn change_adam(&self, config: &mut AttackConfig) -> anyhow::Result<()> {
        let wanted = [
            ("--learning-rate", self.learning_rate.is_some()),
            ("--sign", self.sign.is_some()),
            ("--schedule", self.schedule.is_some()),
        ];
        let Optimiser::Adam { learning_rate, sign, schedule } = &mut config.optimiser else {
            return match wanted.iter().find(|w| w.1) {
                Some((option, _)) => {
                    Err(misuse(format!("{option} is Adam's, preset {} uses L-BFGS", self.preset)))
                }
                None => Ok(()),
            };
        };
        if let Some(rate) = self.learning_rate {
            if !rate.is_finite() || rate <= 0.0 {
                return Err(misuse(format!("--learning-rate: expected a rate > 0, found {rate}")));
            }
            *learning_rate = rate;
        }
        if let Some(choice) = self.sign {
            *sign = match choice {
                SignChoice::None => Sign::None,
                SignChoice::Hard => Sign::Hard,
                SignChoice::Soft => Sign::Soft(SOFT_SIGN),
            };
        }
        if let Some(choice) = self.schedule {
            *schedule = match choice {
                ScheduleChoice::Constant => Schedule::Constant,
                ScheduleChoice::Steps => Schedule::Steps,
            };
        }
        Ok(())
    }
}
