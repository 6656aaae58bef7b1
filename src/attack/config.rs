//! What an attack does: every choice that a user can make.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::choices::{LabelStrategy, Layers, Objective, Sign};
use super::{guidance::Guidance, way::Way};
use crate::spelling::choices;

choices! {
    /// What a layer's part of the objective is multiplied by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LayerWeights {
        /// All layers count the same
        Equal = "equal",
        /// 1/n, 2/n, …, 1 from the first of n tensors to the last
        Rising = "rising",
    }
}

choices! {
    /// How Adam's learning rate falls.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Schedule {
        /// It does not
        Constant = "constant",
        /// ×0.1 at 3/8, 5/8 and 7/8 of the iterations (Geiping 2020)
        Steps = "steps",
        /// Half a cosine, from the full rate to 0
        Cosine = "cosine",
        /// Up over a twentieth of the iterations, and half a cosine down over the last three quarters (Fang 2023)
        Ramp = "ramp",
    }
}

/// How an attack moves what is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Optimiser {
    /// Adam (Kingma 2015); an iteration of the attack is one step.
    Adam {
        /// Of the optimiser's steps, before the schedule.
        learning_rate: f64,
        /// What Adam is given in place of the gradient.
        sign: Sign,
        /// How the learning rate falls over the iterations.
        schedule: Schedule,
        /// Iterations over which the rate rises from 0 first.
        warm_up: usize,
        /// Each gradient gets this times the learning rate times N(0,1) (Yin 2021).
        langevin: f64,
    },
    /// L-BFGS with a line search; an iteration of the attack is `inner` of its iterations.
    Lbfgs {
        /// Iterations of L-BFGS in one of the attack's.
        inner: usize,
        /// Steps that L-BFGS remembers.
        history: usize,
        /// Stop a trial when its objective falls below this.
        stop: f64,
    },
}

choices! {
    /// Where the reconstruction starts.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Start {
        /// N(0,1) in the normalised space the victim sees
        Normal = "normal",
        /// N(0,1) in pixel space, then normalised
        NormalPixels = "normal-pixels",
        /// A 4×4 patch of N(0,1), repeated over the picture
        Pattern = "pattern",
    }
}

choices! {
    /// What is moved until the pictures' gradient is the observed one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Sought {
        /// The pictures' own pixels
        Pixels = "pixels",
        /// Pictures at several resolutions at once, from one number to all pixels, whose sum is the picture
        Pyramid = "pyramid",
        /// The weights of a decoder that is made anew for each trial and that nobody trained (Zhang 2023)
        Decoder = "decoder",
        /// The latent of a generator (Jeon 2021)
        Latent = "latent",
        /// The latent, and then the generator's weights
        LatentWeights = "latent-weights",
        /// The latent, and then the features between the generator's stages, one after another (Fang 2023)
        Features = "features",
    }
}

#[expect(clippy::derivable_impls, reason = "`choices!` takes no marks on its values")]
impl Default for Sought {
    fn default() -> Sought {
        Sought::Pixels
    }
}

impl Sought {
    /// Whether it is one of what `gias` can move.
    pub fn is_of_latents(self) -> bool {
        matches!(self, Sought::Latent | Sought::LatentWeights)
    }

    /// Whether a generator that was trained elsewhere is of use.
    pub fn takes_generator(self) -> bool {
        matches!(self, Sought::Latent | Sought::LatentWeights | Sought::Features)
    }
}

choices! {
    /// How pictures are moved that no generator makes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Parameterisation {
        /// Each pixel by itself
        Pixels = "pixels",
        /// At several resolutions at once: ½ + ½·tanh of a sum of pictures of sides 1, 2, 4, … and the whole
        Pyramid = "pyramid",
    }
}

impl From<Parameterisation> for Sought {
    fn from(parameterisation: Parameterisation) -> Sought {
        match parameterisation {
            Parameterisation::Pixels => Sought::Pixels,
            Parameterisation::Pyramid => Sought::Pyramid,
        }
    }
}

/// Which classes a class-conditional generator is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GeneratorClass {
    /// None is given: how much a picture is of each class is sought, too, between 0 and 1.
    Open,
    /// One for all pictures, or one each.
    Names(Vec<String>),
    /// By label index: a picture's class is the one that its label is taken to mean.
    Labels(BTreeMap<usize, String>),
}

choices! {
    /// How the last tanh of a decoder becomes pictures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Output {
        /// ½ + ½·tanh are pixels
        Half = "half",
        /// tanh itself is what the victim takes, with mean 0 and deviation 1 (Zhang 2023)
        Tanh = "tanh",
    }
}

#[expect(clippy::derivable_impls, reason = "`choices!` takes no marks on its values")]
impl Default for Output {
    fn default() -> Output {
        Output::Half
    }
}

choices! {
    /// Whose statistics the batch-norm prior draws towards.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum StatisticsTarget {
        /// The model's running statistics
        Running = "running",
        /// The client's own batch, worked out from the buffers that it returns
        Batch = "batch",
    }
}

/// An attack with every choice made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttackConfig {
    /// Name of the preset that the other fields began as.
    pub preset: String,
    /// By gradient matching or exactly.
    pub way: Way,
    /// The distance between the trial gradient and the observed one.
    pub objective: Objective,
    /// What the objective is multiplied by where priors are added to it.
    pub objective_weight: f64,
    /// Which tensors of the gradient are matched.
    pub layers: Layers,
    /// How much each of them counts.
    pub layer_weights: LayerWeights,
    /// What moves the unknown, and how.
    pub optimiser: Optimiser,
    /// Of the attack proper and of each of its stages; a coarse scale has a quarter of them.
    pub iterations: usize,
    /// What is moved.
    #[serde(default)]
    pub sought: Sought,
    /// Of a decoder.
    #[serde(default)]
    pub output: Output,
    /// Resize a generator's pictures where the victim takes others.
    #[serde(default)]
    pub resize: bool,
    /// Of a class-conditional generator.
    #[serde(default)]
    pub generator_class: Option<GeneratorClass>,
    /// Radii of the l1 balls that features stay in, in units of their l1 norm at the centre; the first is that of stage 1, the last
    /// also that of all further stages.
    #[serde(default)]
    pub radii: Vec<f64>,
    /// Learning rate of the stage that moves a generator's weights; without it a thousandth of the optimiser's (Jeon 2021).
    #[serde(default)]
    pub weights_rate: Option<f64>,
    /// Weight of the KL divergence of a picture's latent from N(0, 1).
    #[serde(default)]
    pub latent_kl: f64,
    /// Of pixels.
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
    /// Whose statistics the batch-norm prior draws towards.
    pub batch_norm_target: StatisticsTarget,
    /// Weight of the distance of a trial from the mean of its target's trials (Yin 2021).
    pub group_consistency: f64,
    /// Of guidance by names, where there are any to guide by.
    pub guidance: Option<Guidance>,
    /// Keep every pixel between 0 and 1.
    pub clamp: bool,
    /// Match one gradient at a learned point between the server's weights and the client's, in place of simulating the
    /// client's training (Zhu 2023).
    #[serde(default)]
    pub surrogate: bool,
    /// What to do when the labels are not given.
    pub labels: LabelStrategy,
}
