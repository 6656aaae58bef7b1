//! What the stages of an attack by a generator came to.

use schemars::JsonSchema;
use serde::Serialize;

use crate::attack::{Outcome, StageOutcome};

/// A stage of an attack by a generator.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageRecord {
    /// `latent`, `weights`, or `features 2`: what goes into the generator's stage 2, counted from 0.
    pub name: String,
    /// Lowest gradient-matching objective.
    #[schemars(with = "Option<f32>")]
    pub objective: f32,
    /// Its pictures are the reconstruction.
    pub chosen: bool,
}

impl StageRecord {
    /// Of all stages of one trial.
    pub fn all(outcome: &Outcome) -> Vec<StageRecord> {
        let chosen = outcome.stages.iter().rposition(|stage| stage.objective == outcome.objective);
        let record = |(i, stage): (usize, &StageOutcome)| StageRecord {
            name: stage.name.clone(),
            objective: stage.objective,
            chosen: chosen == Some(i),
        };
        outcome.stages.iter().enumerate().map(record).collect()
    }
}
