//! SPEAR on a victim: from an observed gradient to the batch's inputs of a layer, with their labels, and the check of both.

use serde::{Deserialize, Serialize};

use super::{
    error::ExactError,
    labels::{PictureLabels, picture_labels},
    layers::{Head, Linear, Valued, chained, linear_layers, relu_layer},
    matrix::Matrix,
    rank,
    residual::head_residual,
    scale::Scale,
    spear::{self, Search},
};
use crate::federated::{ClientLoss, LocalOptimiser, Protocol, Victim};

/// SPEAR's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spear {
    /// Sets of rows that are drawn at most for a batch.
    pub budget: u64,
    /// The layer, by its name; the first linear layer that ReLU follows, if `null`.
    pub layer: Option<String>,
}

/// Enough for twenty pictures, whose patterns need half a million sets each, about.
pub const BUDGET: u64 = 4_000_000;

impl Default for Spear {
    fn default() -> Spear {
        Spear { budget: BUDGET, layer: None }
    }
}

/// What is exact in a reconstruction, and how that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ExactRecord {
    /// The layer whose inputs were restored.
    pub layer: String,
    /// Whether these are the pictures themselves.
    pub pictures: bool,
    /// Distinct pictures in the batch.
    pub rank: usize,
    /// Pictures that stand in the batch more than once: the batch less the rank.
    pub repeated: usize,
    /// Least share, over the pictures, of the units that were on by the gradient and are by the picture.
    pub agreement: f64,
    /// Where the inputs' lengths come from.
    pub scale: Scale,
    /// Sets of rows that were drawn.
    pub row_sets: u64,
    /// An entry's noise as a share of the entries' size; about 1e-7 is the rounding of f32.
    pub relative_noise: f64,
    /// ‖E − (p − y)‖/‖E‖ with the restored labels, see [`super::labels`].
    pub label_residual: f64,
    /// ‖g − g*‖/‖g*‖ over this layer and those after it, of the gradient that inputs and labels give.
    pub head_residual: f64,
}

/// A batch's inputs of a layer.
#[derive(Clone, Debug)]
pub struct ExactBatch {
    /// One row a picture of the batch, copies included, ordered by label: `(B, n)`.
    pub inputs: Matrix,
    /// `(B)`
    pub labels: Vec<usize>,
    /// The layer whose inputs they are.
    pub layer: Linear,
    /// Its position, see [`linear_layers`].
    pub at: usize,
    /// Whether every picture switches on the units that the gradient says.
    pub agrees: bool,
    /// How they were found and checked, for reports.
    pub record: ExactRecord,
}

impl ExactBatch {
    /// In the order of these labels, where they are the same.
    pub fn ordered_as(mut self, labels: &[usize]) -> ExactBatch {
        let mut left: Vec<(usize, usize)> = self.labels.iter().copied().enumerate().collect();
        let take = |label: &usize| {
            let at = left.iter().position(|(_, own)| own == label)?;
            Some(left.remove(at).0)
        };
        let order: Option<Vec<usize>> = labels.iter().map(take).collect();
        if let Some(order) = order.filter(|order| order.len() == self.labels.len()) {
            self.inputs = self.inputs.picked(&order);
            self.labels = labels.to_vec();
        }
        self
    }

    /// What a reader should know before trusting it.
    pub fn warnings(&self) -> Vec<String> {
        let record = &self.record;
        let mut warnings = vec![];
        if record.repeated > 0 {
            warnings.push(format!(
                "the gradient's rank is {} for {} pictures: some stand in the batch more than once, or are mixtures of \
                 others; each that differs is restored, and copies are shared out by the last layer's gradient",
                record.rank,
                record.rank + record.repeated
            ));
        }
        if !self.agrees {
            warnings.push(format!(
                "{} sets of rows did not settle every picture: one switches on only {:.1} % of the units that the \
                 gradient says",
                record.row_sets,
                100.0 * record.agreement
            ));
        }
        if record.scale == Scale::SignOnly {
            warnings.push("without the layer's bias gradient the length of each picture is not known".into());
        }
        if record.label_residual > UNCERTAIN {
            warnings.push(format!(
                "the labels leave {:.1e} of the last layer's gradient unexplained",
                record.label_residual
            ));
        }
        warnings
    }
}

/// A share of the last layer's gradient that labels should not leave.
const UNCERTAIN: f64 = 0.1;

/// Whether what a client sent holds one matrix of all its pictures.
///
/// # Errors
/// What does not: several steps, or one over a part of the batch, clipping per example, an optimiser or a loss that
/// leaves no multiple of the mean gradient of a cross entropy.
pub fn check_protocol(protocol: &Protocol, batch: usize) -> Result<(), ExactError> {
    if protocol.steps() > 1 {
        return Err(ExactError::ManySteps { steps: protocol.steps() });
    }
    if let Some(local) = protocol.local.filter(|local| local.batch < protocol.clients.largest(batch)) {
        let reason = format!("the one local step was over {} of {batch} pictures", local.batch);
        return Err(ExactError::Changed(reason));
    }
    if let Some(local) = protocol.local {
        let optimiser = match local.optimiser {
            LocalOptimiser::Adam { .. } | LocalOptimiser::AdamW { .. } | LocalOptimiser::RmsProp { .. } => {
                return Err(ExactError::Changed(format!(
                    "the first step of {} is close to a sign",
                    local.optimiser
                )));
            }
            optimiser => optimiser,
        };
        if local.weight_decay != 0.0 {
            let reason = format!("{optimiser} with weight decay adds the weights to the gradient");
            return Err(ExactError::Changed(reason));
        }
    }
    if !matches!(protocol.loss, ClientLoss::Mean | ClientLoss::Sum) {
        let reason =
            format!("the loss {} is no plain cross entropy, from which labels are read", protocol.loss);
        return Err(ExactError::Changed(reason));
    }
    if protocol.loss == ClientLoss::Sum && protocol.clients.pictures().is_some() {
        let reason = "sums over unequal clients weigh pictures differently".into();
        return Err(ExactError::Changed(reason));
    }
    match protocol.example_clip {
        Some(limit) => Err(ExactError::Changed(format!("each one's gradient was clipped to {limit}"))),
        None => Ok(()),
    }
}

/// Whether the victim has a layer for SPEAR with room for the batch, and labels that can be read behind it.
///
/// # Errors
/// As of [`restore_batch`], as far as it can be told without a gradient.
pub fn check_victim(victim: &Victim, batch: usize, settings: &Spear) -> Result<(), ExactError> {
    let first = relu_layer(victim, settings.layer.as_deref())?;
    let layers = linear_layers(victim);
    let layer = &layers[first];
    if !chained(&layers[first..]) {
        return Err(no_chain(layer));
    }
    rank::check_batch(&layer.name, layer.shape, Some(batch))
}

fn no_chain(layer: &Linear) -> ExactError {
    let found = "layers that are not linear, so that labels cannot be read".into();
    ExactError::NoRelu { layer: layer.name.clone(), found }
}

/// Distinct pictures in a batch, from the rank of the layer's gradient, and the layer's name.
///
/// # Errors
/// As of [`relu_layer`] and [`rank::count`].
pub fn count(
    victim: &Victim,
    gradient: &[Vec<f32>],
    settings: &Spear,
    seed: u64,
) -> Result<(usize, String), ExactError> {
    let at = relu_layer(victim, settings.layer.as_deref())?;
    let layer = &linear_layers(victim)[at];
    Ok((rank::count(&Valued::new(victim, layer, gradient).relu(), seed)?, layer.name.clone()))
}

/// Restores a batch's inputs of a layer from the gradient, one tensor a trainable parameter; `batch` from its rank where
/// it is not known.
///
/// # Errors
/// As of [`relu_layer`] and [`spear::restore`]; layers after it that are no chain.
pub fn restore_batch(
    victim: &Victim,
    gradient: &[Vec<f32>],
    batch: Option<usize>,
    settings: &Spear,
    seed: u64,
    stop: &dyn Fn() -> bool,
) -> Result<ExactBatch, ExactError> {
    let first = relu_layer(victim, settings.layer.as_deref())?;
    let layers = linear_layers(victim);
    let layer = &layers[first];
    let valued = Valued::new(victim, layer, gradient);
    let found = spear::restore(&valued.relu(), Search { batch, budget: settings.budget, seed }, stop)?;
    let batch = batch.unwrap_or(found.rank);
    let head = Head::from(victim, &layers, first, gradient).ok_or_else(|| no_chain(layer))?;
    let passed = head.forward(&found.inputs);
    let labels = picture_labels(&head, &passed, batch)?;
    let record = ExactRecord {
        layer: layer.name.clone(),
        pictures: layer.reads_picture,
        rank: found.rank,
        repeated: batch - found.rank,
        agreement: found.agreement.iter().copied().fold(1.0, f64::min),
        scale: found.scale,
        row_sets: found.sets,
        relative_noise: found.relative_noise,
        label_residual: labels.residual,
        head_residual: head_residual(&head, &passed, &labels, batch),
    };
    let agrees = found.agrees();
    let (inputs, labels) = in_order(&found.inputs, &labels);
    Ok(ExactBatch { inputs, labels, layer: layer.clone(), at: first, agrees, record })
}

/// Copies written out, ordered by label.
fn in_order(inputs: &Matrix, labels: &PictureLabels) -> (Matrix, Vec<usize>) {
    let each = labels.labels.iter().enumerate();
    let mut order: Vec<(usize, usize)> =
        each.flat_map(|(picture, labels)| labels.iter().map(move |&label| (label, picture))).collect();
    order.sort_unstable();
    let rows: Vec<usize> = order.iter().map(|&(_, picture)| picture).collect();
    (inputs.picked(&rows), order.into_iter().map(|(label, _)| label).collect())
}
