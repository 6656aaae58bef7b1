//! What an attack does: its presets, each a configuration that a user can read and change.

use serde::{Deserialize, Serialize};

/// Distance between the trial gradient g and the observed gradient g*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Σ_l ‖g_l − g*_l‖² (Zhu 2019)
    L2,
    /// 1 − ⟨g,g*⟩/(‖g‖·‖g*‖), one cosine over all layers (Geiping 2020, eq. 4)
    Cosine,
}

/// What Adam is given in place of the gradient ∇.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// ∇
    None,
    /// sign(∇) (Geiping 2020)
    Hard,
    /// tanh(s·∇)/s
    Soft(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    Constant,
    /// ×0.1 at 3/8, 5/8 and 7/8 of the iterations (Geiping 2020)
    Steps,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Optimiser {
    Adam {
        learning_rate: f64,
        sign: Sign,
        schedule: Schedule,
    },
    /// L-BFGS with a line search; an iteration of the attack is `inner` of its iterations.
    Lbfgs {
        inner: usize,
        history: usize,
        /// Stop a trial when its objective falls below this.
        stop: f64,
    },
}

/// Where the reconstruction starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0,1) in the normalised space the victim sees.
    Normal,
    /// N(0,1) in pixel space, then normalised.
    NormalPixels,
}

/// What to do when the labels are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelStrategy {
    /// Restore the label of a batch of one from the last layer's gradient (Zhao 2020).
    Idlg,
    /// Optimise softmax(logits) together with the images (Zhu 2019).
    Joint,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackConfig {
    pub preset: String,
    pub objective: Objective,
    pub optimiser: Optimiser,
    pub iterations: usize,
    pub start: Start,
    /// Weight of mean|∂x| + mean|∂y|.
    pub total_variation: f64,
    /// Keep every pixel in [0,1].
    pub clamp: bool,
    pub labels: LabelStrategy,
}

/// Names of the presets.
pub const PRESETS: [&str; 3] = ["ig", "dlg", "idlg"];

#[derive(Debug, thiserror::Error)]
#[error("unknown preset '{0}'; known are: {known}", known = PRESETS.join(", "))]
pub struct UnknownPreset(pub String);

impl AttackConfig {
    /// A preset's settings for a victim.
    pub fn preset(name: &str, architecture: &str) -> Result<Self, UnknownPreset> {
        let lbfgs = AttackConfig {
            preset: name.into(),
            objective: Objective::L2,
            optimiser: Optimiser::Lbfgs { inner: 20, history: 100, stop: 0.0 },
            iterations: 300,
            start: Start::NormalPixels,
            total_variation: 0.0,
            clamp: false,
            labels: LabelStrategy::Joint,
        };
        Ok(match name {
            "ig" => AttackConfig {
                objective: Objective::Cosine,
                optimiser: Optimiser::Adam {
                    learning_rate: 0.1,
                    sign: Sign::Hard,
                    schedule: Schedule::Steps,
                },
                iterations: 4_800,
                start: Start::Normal,
                total_variation: if architecture == "lenet-zhu" { 1e-2 } else { 1e-4 },
                clamp: true,
                labels: LabelStrategy::Idlg,
                ..lbfgs
            },
            "dlg" => lbfgs,
            "idlg" => AttackConfig {
                optimiser: Optimiser::Lbfgs { inner: 20, history: 100, stop: 1e-6 },
                start: Start::Normal,
                labels: LabelStrategy::Idlg,
                ..lbfgs
            },
            _ => return Err(UnknownPreset(name.into())),
        })
    }
}
