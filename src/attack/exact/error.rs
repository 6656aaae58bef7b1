//! Why an exact attack cannot be made.

use super::matrix::NotConverged;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExactError {
    #[error("{layer}: {what} has {found} elements, expected {expected}")]
    Shape { layer: String, what: &'static str, expected: usize, found: usize },
    #[error("{layer}: element {index} of its {what} is {value}, expected a finite number")]
    NotFinite { layer: String, what: &'static str, index: usize, value: f64 },
    #[error("the batch is empty: there is nothing to restore")]
    EmptyBatch,
    #[error("'{0}' is no linear layer of the victim; it has: {1}")]
    NoSuchLayer(String, String),
    #[error(
        "'{layer}' is not followed by ReLU but by {found}: SPEAR reads which units were off, which only ReLU shows"
    )]
    NoRelu { layer: String, found: String },
    #[error("{architecture} has no linear layer that is followed by ReLU, which SPEAR needs")]
    NoLayer { architecture: String },
    #[error(
        "{layer}: expected a batch below {limit}, the smaller side of its {m}×{n} weight, found {batch}: the gradients \
         of so many pictures fill the whole space, and nothing stands out of it"
    )]
    BatchTooLarge { layer: String, m: usize, n: usize, limit: usize, batch: usize },
    #[error(
        "{layer}: its gradient is 0 in every element: every unit was off for every picture, there is nothing to restore"
    )]
    Dead { layer: String },
    #[error(
        "{layer}: expected a gradient of rank {batch}, one a picture, found {rank}: not the gradient of one step over \
         {batch} pictures"
    )]
    RankAbove { layer: String, rank: usize, batch: usize },
    #[error(
        "{layer}: noise hides the rank: {rank} of {batch} singular values stand above the noise, which reaches \
         {floor:.2e} (the gradient's largest is {largest:.2e}; an entry's noise is {relative:.1e} of its size)"
    )]
    Hidden { layer: String, rank: usize, batch: usize, floor: f64, largest: f64, relative: f64 },
    #[error(
        "{layer}: expected a gap in the spectrum of its gradient, which tells how many pictures it is of, found none (about \
         {rank}): noise, or as many pictures as the layer is wide; give the batch size"
    )]
    NoGap { layer: String, rank: usize },
    #[error(
        "{layer}: {found} of {rank} pictures' patterns of units were found in {sets} sets of rows; each picture more doubles \
         what is needed. At most --budget sets are drawn, and the search ends early when it finds nothing new"
    )]
    Budget { layer: String, found: usize, rank: usize, sets: u64 },
    #[error("{layer}: stopped after {sets} sets of rows, before every picture's pattern of units was found")]
    Stopped { layer: String, sets: u64 },
    #[error(
        "SPEAR needs the gradient of one step; this is the update of {steps} local steps, whose weights moved in \
         between, so that no one matrix holds the pictures"
    )]
    ManySteps { steps: usize },
    #[error("names guide gradient matching, and spear does not match")]
    Guided,
    #[error("SPEAR needs each picture's part unchanged; {0}")]
    Changed(String),
    #[error(transparent)]
    Linear(#[from] NotConverged),
}

impl ExactError {
    /// Whether the attack cannot be made on such a victim or protocol, whatever the gradient holds.
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            ExactError::EmptyBatch
                | ExactError::NoSuchLayer(..)
                | ExactError::NoRelu { .. }
                | ExactError::NoLayer { .. }
                | ExactError::BatchTooLarge { .. }
                | ExactError::Guided
                | ExactError::ManySteps { .. }
                | ExactError::Changed(_)
        )
    }
}
