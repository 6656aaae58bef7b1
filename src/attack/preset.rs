//! Presets: published attacks as configurations that a user can read and change.

use super::{
    choices::SOFT_SIGN,
    config::{
        AttackConfig, LabelStrategy, LayerWeights, Layers, Objective, Optimiser, Output, Schedule, Sign,
        Sought, Start, StatisticsTarget,
    },
    exact::Spear,
    labels::Method,
    way::Way,
};
use crate::{nn::Depth, spelling::choices};

choices! {
    /// A published attack.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Preset {
        /// The first that applies: spear where it gives pictures, april, else ig, for one picture with the exact label
        Auto = "auto",
        /// Cosine, signed Adam, total variation (Geiping 2020)
        Ig = "ig",
        /// L2, L-BFGS, labels learned with the pictures (Zhu 2019)
        Dlg = "dlg",
        /// As dlg, with the label restored first (Zhao 2020)
        Idlg = "idlg",
        /// L2, Adam with noise, batch-norm prior, group consistency (Yin 2021)
        Yin = "yin",
        /// Cosine, Adam with a soft sign, total variation of colours too: what later reproductions settled on
        Modern = "modern",
        /// Exact inputs of a linear layer with ReLU, by linear algebra (Dimitrov 2024)
        Spear = "spear",
        /// A vision transformer's one picture from the gradients of its patches and positions (after Lu 2022)
        April = "april",
        /// Cosine at a point between the server's weights and the client's, for updates of unknown training (Zhu 2023)
        Sme = "sme",
        /// Cosine by the weights of an untrained decoder, made anew for each batch (Zhang 2023)
        Decoder = "decoder",
        /// Cosine by the latent and then the weights of a generator, trained elsewhere or untrained (Jeon 2021)
        Gias = "gias",
        /// Cosine by the latent of a generator and then its features, stage after stage in l1 balls (Fang 2023)
        Gifd = "gifd",
    }
}

/// Radii of `gifd`'s balls, growing with depth as published. Its authors give none for 32×32 pixels; these are not tuned.
const RADII: [f64; 4] = [0.25, 0.5, 1.0, 2.0];

/// The user asked for a preset of this name, which there is not.
#[derive(Debug, thiserror::Error)]
#[error("unknown preset '{0}'; known are: {known}", known = Preset::ALL.map(Preset::name).join(", "))]
pub struct UnknownPreset(pub String);

impl AttackConfig {
    /// A preset's settings for a victim of this depth.
    pub fn preset(name: &str, depth: Depth) -> Result<Self, UnknownPreset> {
        let preset: Preset = name.parse().map_err(|_| UnknownPreset(name.into()))?;
        let dlg = AttackConfig {
            preset: name.into(),
            way: Way::Matching,
            objective: Objective::L2,
            objective_weight: 1.0,
            layers: Layers::All,
            layer_weights: LayerWeights::Equal,
            optimiser: Optimiser::Lbfgs { inner: 20, history: 100, stop: 0.0 },
            iterations: 300,
            sought: Sought::Pixels,
            output: Output::Half,
            resize: false,
            generator_class: None,
            radii: vec![],
            weights_rate: None,
            latent_kl: 0.0,
            start: Start::NormalPixels,
            scales: vec![],
            total_variation: 0.0,
            isotropic: false,
            colour_opponents: false,
            image_norm: 0.0,
            batch_norm: 0.0,
            batch_norm_target: StatisticsTarget::Running,
            group_consistency: 0.0,
            guidance: None,
            clamp: false,
            surrogate: false,
            labels: LabelStrategy::Joint,
        };
        let adam = |sign, schedule, warm_up, langevin| Optimiser::Adam {
            learning_rate: 0.1,
            sign,
            schedule,
            warm_up,
            langevin,
        };
        Ok(match preset {
            Preset::Dlg => dlg,
            Preset::Idlg => AttackConfig {
                optimiser: Optimiser::Lbfgs { inner: 20, history: 100, stop: 1e-6 },
                start: Start::Normal,
                labels: LabelStrategy::Restore(Method::Idlg),
                ..dlg
            },
            Preset::Ig => AttackConfig {
                objective: Objective::Cosine,
                optimiser: adam(Sign::Hard, Schedule::Steps, 0, 0.0),
                iterations: 4_800,
                start: Start::Normal,
                total_variation: match depth {
                    Depth::Shallow => 1e-2,
                    Depth::Deep => 1e-4,
                },
                clamp: true,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            // What is not exact is as with `ig`.
            Preset::Auto => AttackConfig {
                preset: name.into(),
                way: Way::Auto(Spear::default()),
                ..Self::preset(Preset::Ig.name(), depth)?
            },
            Preset::Spear => AttackConfig {
                preset: name.into(),
                way: Way::Spear(Spear::default()),
                ..Self::preset(Preset::Ig.name(), depth)?
            },
            Preset::April => AttackConfig {
                preset: name.into(),
                way: Way::Patches,
                ..Self::preset(Preset::Ig.name(), depth)?
            },
            Preset::Sme => AttackConfig {
                objective: Objective::Cosine,
                optimiser: Optimiser::Adam {
                    learning_rate: 1.0,
                    sign: Sign::None,
                    schedule: Schedule::Steps,
                    warm_up: 0,
                    langevin: 0.0,
                },
                iterations: 1_000,
                start: Start::Normal,
                total_variation: 1e-2,
                clamp: true,
                surrogate: true,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            Preset::Decoder => AttackConfig {
                objective: Objective::Cosine,
                optimiser: Optimiser::Adam {
                    learning_rate: 1e-3,
                    sign: Sign::Hard,
                    schedule: Schedule::Constant,
                    warm_up: 0,
                    langevin: 0.0,
                },
                iterations: 2_000,
                sought: Sought::Decoder,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            Preset::Gias => AttackConfig {
                objective: Objective::Cosine,
                optimiser: adam(Sign::None, Schedule::Steps, 0, 0.0),
                iterations: 3_000,
                sought: Sought::LatentWeights,
                total_variation: 1e-6,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            Preset::Gifd => AttackConfig {
                objective: Objective::Cosine,
                optimiser: adam(Sign::None, Schedule::Ramp, 0, 0.0),
                iterations: 1_000,
                sought: Sought::Features,
                radii: RADII.to_vec(),
                latent_kl: 0.1,
                total_variation: 1e-4,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            Preset::Yin => AttackConfig {
                objective_weight: 1e-4,
                optimiser: adam(Sign::None, Schedule::Cosine, 50, 0.01),
                iterations: 20_000,
                start: Start::Normal,
                total_variation: 1e-4,
                image_norm: 1e-6,
                batch_norm: 0.1,
                group_consistency: 0.01,
                clamp: true,
                labels: LabelStrategy::Auto,
                ..dlg
            },
            // breaching's `modern`
            Preset::Modern => AttackConfig {
                objective: Objective::Cosine,
                optimiser: adam(Sign::Soft(SOFT_SIGN), Schedule::Cosine, 50, 0.0),
                iterations: 24_000,
                start: Start::Pattern,
                total_variation: 0.1,
                colour_opponents: true,
                clamp: true,
                labels: LabelStrategy::Auto,
                ..dlg
            },
        })
    }
}
