//! What each of several updates of one client gives away.

use schemars::JsonSchema;
use serde::Serialize;

/// One round of training, of which an update was observed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Round {
    /// Its place in `batches`.
    pub batch: usize,
    /// The gradient file of the round.
    pub file: String,
    /// Label indices that this update shows, rising.
    pub classes: Vec<usize>,
    /// Those of them that no earlier round showed.
    pub new_classes: Vec<usize>,
    /// How many the rounds up to this one showed.
    pub classes_so_far: usize,
    /// Lowest gradient-matching objective, `null` if never finite.
    #[schemars(with = "Option<f32>")]
    pub objective: f32,
    /// ‖g − g*‖/‖g*‖ of the gradient recomputed from the reconstruction.
    pub residual: Option<f64>,
    /// Whether the attack did its work; absent where that was not tested.
    pub is_valid: Option<bool>,
    /// Mean SSIM of its reconstructions with the most similar one of any earlier round: 1 where a round sends the same
    /// pictures again. Absent in the first round, and for pictures of sides below 11.
    pub like_earlier: Option<f64>,
    /// Mean probability of the names read from this round alone; absent where nothing was named.
    pub certainty: Option<f64>,
    /// The same from all rounds up to this one.
    pub certainty_so_far: Option<f64>,
}
