//! Values of the attack's options.

use std::str::FromStr;

use clap::ValueEnum;

use crate::attack::{
    config::{LabelStrategy, LayerWeights, Layers, Objective, Schedule, Sign, Start, StatisticsTarget},
    labels::Method,
    preset::SOFT_SIGN,
};

/// `cosine-top` keeps this share of the entries unless told otherwise.
const DEFAULT_TOP: f64 = 0.5;

impl FromStr for Objective {
    type Err = String;

    /// `l2`, `l1`, `cosine`, `cosine-layerwise`, `cosine-top` or `cosine-top:SHARE`.
    fn from_str(text: &str) -> Result<Objective, String> {
        Ok(match text {
            "l2" => Objective::L2,
            "l1" => Objective::L1,
            "cosine" => Objective::Cosine,
            "cosine-layerwise" => Objective::CosineLayerwise,
            "cosine-top" => Objective::CosineTop(DEFAULT_TOP),
            _ => {
                let share = text.strip_prefix("cosine-top:").and_then(|share| share.parse().ok());
                let share = share.filter(|share: &f64| *share > 0.0 && *share <= 1.0);
                let expected =
                    "l2, l1, cosine, cosine-layerwise or cosine-top[:SHARE] with a share in (0, 1]";
                Objective::CosineTop(share.ok_or_else(|| format!("expected {expected}, found '{text}'"))?)
            }
        })
    }
}

impl FromStr for Layers {
    type Err = String;

    /// `all` or `last:N`.
    fn from_str(text: &str) -> Result<Layers, String> {
        let count = text.strip_prefix("last:").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        match (text, count) {
            ("all", _) => Ok(Layers::All),
            (_, Some(n)) => Ok(Layers::Last(n)),
            _ => Err(format!("expected all or last:N with N from 1, found '{text}'")),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LayerWeightsChoice {
    Equal,
    /// 1/n, 2/n, …, 1 from the first tensor to the last
    Rising,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SignChoice {
    /// The gradient as it is
    None,
    /// Its sign
    Hard,
    /// tanh(100·∇)/100
    Soft,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScheduleChoice {
    Constant,
    /// ×0.1 at 3/8, 5/8 and 7/8 of the iterations
    Steps,
    /// Half a cosine, down to 0
    Cosine,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StartChoice {
    /// N(0,1) in the normalised space the victim sees
    Normal,
    /// N(0,1) in pixel space, then normalised
    NormalPixels,
    /// A 4×4 patch of N(0,1), repeated
    Pattern,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StatisticsChoice {
    /// The model's running statistics
    Running,
    /// The client's batch, from the buffers that it returns
    Batch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LabelChoice {
    /// iDLG for one picture, iLRG for more
    Auto,
    /// Counts from a linear system (Ma 2023)
    Ilrg,
    /// The lowest row sum of the last layer's gradient (Zhao 2020)
    Idlg,
    /// The classes whose bias gradient is negative
    Sign,
    /// The lowest entries of the last layer's gradient (Yin 2021)
    Yin,
    /// By sign, then by what is left
    BiasCorrected,
    /// Learned together with the pictures (Zhu 2019)
    Joint,
}

impl From<LayerWeightsChoice> for LayerWeights {
    fn from(choice: LayerWeightsChoice) -> Self {
        match choice {
            LayerWeightsChoice::Equal => LayerWeights::Equal,
            LayerWeightsChoice::Rising => LayerWeights::Rising,
        }
    }
}

impl From<SignChoice> for Sign {
    fn from(choice: SignChoice) -> Self {
        match choice {
            SignChoice::None => Sign::None,
            SignChoice::Hard => Sign::Hard,
            SignChoice::Soft => Sign::Soft(SOFT_SIGN),
        }
    }
}

impl From<ScheduleChoice> for Schedule {
    fn from(choice: ScheduleChoice) -> Self {
        match choice {
            ScheduleChoice::Constant => Schedule::Constant,
            ScheduleChoice::Steps => Schedule::Steps,
            ScheduleChoice::Cosine => Schedule::Cosine,
        }
    }
}

impl From<StartChoice> for Start {
    fn from(choice: StartChoice) -> Self {
        match choice {
            StartChoice::Normal => Start::Normal,
            StartChoice::NormalPixels => Start::NormalPixels,
            StartChoice::Pattern => Start::Pattern,
        }
    }
}

impl From<StatisticsChoice> for StatisticsTarget {
    fn from(choice: StatisticsChoice) -> Self {
        match choice {
            StatisticsChoice::Running => StatisticsTarget::Running,
            StatisticsChoice::Batch => StatisticsTarget::Batch,
        }
    }
}

impl From<LabelChoice> for LabelStrategy {
    fn from(choice: LabelChoice) -> Self {
        match choice {
            LabelChoice::Auto => LabelStrategy::Auto,
            LabelChoice::Ilrg => LabelStrategy::Restore(Method::Ilrg),
            LabelChoice::Idlg => LabelStrategy::Restore(Method::Idlg),
            LabelChoice::Sign => LabelStrategy::Restore(Method::Sign),
            LabelChoice::Yin => LabelStrategy::Restore(Method::Yin),
            LabelChoice::BiasCorrected => LabelStrategy::Restore(Method::BiasCorrected),
            LabelChoice::Joint => LabelStrategy::Joint,
        }
    }
}
