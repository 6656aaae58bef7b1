//! What an attack does: every choice that a user can make.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{guidance::Guidance, labels::Method, way::Way};

/// Distance between the trial gradient g and the observed gradient g*.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Σ_l ‖g_l − g*_l‖² (Zhu 2019)
    L2,
    /// Σ_l |g_l − g*_l|
    L1,
    /// 1 − ⟨g,g*⟩/(‖g‖·‖g*‖), one cosine over all layers (Geiping 2020, eq. 4)
    Cosine,
    /// Mean over the layers of 1 − cosine
    CosineLayerwise,
    /// The cosine over this share of g*'s entries, the largest by magnitude (Jeon 2021: 1 − R)
    CosineTop(f64),
}

/// Which layers are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    All,
    /// The last so many tensors of the gradient.
    Last(usize),
}

/// What a layer's part of the objective is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayerWeights {
    Equal,
    /// 1/n, 2/n, …, 1 from the first of n tensors to the last.
    Rising,
}

/// What Adam is given in place of the gradient ∇.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// ∇
    None,
    /// sign(∇) (Geiping 2020)
    Hard,
    /// tanh(s·∇)/s
    Soft(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    Constant,
    /// ×0.1 at 3/8, 5/8 and 7/8 of the iterations (Geiping 2020)
    Steps,
    /// Half a cosine, from the full rate to 0
    Cosine,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Optimiser {
    Adam {
        learning_rate: f64,
        sign: Sign,
        schedule: Schedule,
        /// Iterations over which the rate rises from 0 first.
        warm_up: usize,
        /// Each gradient gets this times the learning rate times N(0,1) (Yin 2021).
        langevin: f64,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0,1) in the normalised space the victim sees.
    Normal,
    /// N(0,1) in pixel space, then normalised.
    NormalPixels,
    /// A 4×4 patch of N(0,1), repeated over the picture.
    Pattern,
}

/// What to do when the labels are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelStrategy {
    /// iDLG for one picture, iLRG for more.
    Auto,
    /// Restore them from the last layer's gradient by this method.
    Restore(Method),
    /// Optimise softmax(logits) together with the images (Zhu 2019).
    Joint,
}

/// Whose statistics the batch-norm prior draws towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatisticsTarget {
    /// The model's running statistics.
    Running,
    /// The client's own batch, worked out from the buffers that it returns.
    Batch,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttackConfig {
    pub preset: String,
    pub way: Way,
    pub objective: Objective,
    /// What the objective is multiplied by where priors are added to it.
    pub objective_weight: f64,
    pub layers: Layers,
    pub layer_weights: LayerWeights,
    pub optimiser: Optimiser,
    pub iterations: usize,
    pub start: Start,
    /// Before the attack proper, shorter ones on pictures smaller by these factors, each the next one's start.
    pub scales: Vec<usize>,
    /// Weight of mean|∂x| + mean|∂y|.
    pub total_variation: f64,
    /// Take √(∂x² + ∂y²) in its place.
    pub isotropic: bool,
    /// Total variation of R−G, G−B and B−R, too.
    pub colour_opponents: bool,
    /// Weight of mean x².
    pub image_norm: f64,
    /// Weight of the distance between batch-norm statistics (Yin 2021).
    pub batch_norm: f64,
    pub batch_norm_target: StatisticsTarget,
    /// Weight of the distance of a trial from the mean of its target's trials (Yin 2021).
    pub group_consistency: f64,
    /// Of guidance by names, where there are any to guide by.
    pub guidance: Option<Guidance>,
    /// Keep every pixel between 0 and 1.
    pub clamp: bool,
    pub labels: LabelStrategy,
}
