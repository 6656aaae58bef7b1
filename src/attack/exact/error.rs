//! Why an exact attack cannot be made.

use super::matrix::NotConverged;

/// Why an exact attack cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExactError {
    /// A tensor that the caller gives has the wrong size.
    #[error("{layer}: {what} has {found} elements, expected {expected}")]
    Shape {
        /// Name of the linear layer.
        layer: String,
        /// Which of the layer's tensors.
        what: &'static str,
        /// Elements by the layer's shape.
        expected: usize,
        /// Elements of the tensor.
        found: usize,
    },
    /// The gradient or the weights hold an infinity or NaN.
    #[error("{layer}: element {index} of its {what} is {value}, expected a finite number")]
    NotFinite {
        /// Name of the linear layer.
        layer: String,
        /// Which of the layer's tensors.
        what: &'static str,
        /// Of the first such element, row-major.
        index: usize,
        /// That element.
        value: f64,
    },
    /// The user gave a batch of no pictures.
    #[error("the batch is empty: there is nothing to restore")]
    EmptyBatch,
    /// The user named a layer that the victim does not have: that name, and the names that it has.
    #[error("'{0}' is no linear layer of the victim; it has: {1}")]
    NoSuchLayer(String, String),
    /// The user named a layer whose output does not go straight into ReLU.
    #[error(
        "'{layer}' is not followed by ReLU but by {found}: SPEAR reads which units were off, which only ReLU shows"
    )]
    NoRelu {
        /// Name of the linear layer.
        layer: String,
        /// What it goes into.
        found: String,
    },
    /// No layer of the victim can be attacked so.
    #[error("{architecture} has no linear layer that is followed by ReLU, which SPEAR needs")]
    NoLayer {
        /// The victim's.
        architecture: String,
    },
    /// As many pictures as the layer's weight has rows or columns, or more.
    #[error(
        "{layer}: expected a batch below {limit}, the smaller side of its {m}×{n} weight, found {batch}: the gradients \
         of so many pictures fill the whole space, and nothing stands out of it"
    )]
    BatchTooLarge {
        /// Name of the linear layer.
        layer: String,
        /// Rows of the weight.
        m: usize,
        /// Columns of the weight.
        n: usize,
        /// The smaller of both.
        limit: usize,
        /// Pictures of the batch.
        batch: usize,
    },
    /// Nothing arrives at the layer: every unit is dead.
    #[error(
        "{layer}: its gradient is 0 in every element: every unit was off for every picture, there is nothing to restore"
    )]
    Dead {
        /// Name of the linear layer.
        layer: String,
    },
    /// The gradient is of more pictures than the user said, or of several steps.
    #[error(
        "{layer}: expected a gradient of rank {batch}, one a picture, found {rank}: not the gradient of one step over \
         {batch} pictures"
    )]
    RankAbove {
        /// Name of the linear layer.
        layer: String,
        /// Distinct pictures by the spectrum.
        rank: usize,
        /// Pictures that the user said.
        batch: usize,
    },
    /// The client added noise, or the gradient was rounded, so that the smallest singular values are lost.
    #[error(
        "{layer}: noise hides the rank: {rank} of {batch} singular values stand above the noise, which reaches \
         {floor:.2e} (the gradient's largest is {largest:.2e}; an entry's noise is {relative:.1e} of its size)"
    )]
    Hidden {
        /// Name of the linear layer.
        layer: String,
        /// Singular values above the noise.
        rank: usize,
        /// Pictures of the batch.
        batch: usize,
        /// How large a singular value of noise alone can be.
        floor: f64,
        /// The gradient's largest singular value.
        largest: f64,
        /// An entry's noise, as a share of the entries' size.
        relative: f64,
    },
    /// The batch size is not given and does not follow from the spectrum.
    #[error(
        "{layer}: expected a gap in the spectrum of its gradient, which tells how many pictures it is of, found none (about \
         {rank}): noise, or as many pictures as the layer is wide; give the batch size"
    )]
    NoGap {
        /// Name of the linear layer.
        layer: String,
        /// Distinct pictures by the spectrum.
        rank: usize,
    },
    /// The search ended before every picture was found.
    #[error(
        "{layer}: {found} of {rank} pictures' patterns of units were found in {sets} sets of rows; each picture more doubles \
         what is needed. At most --budget sets are drawn, and the search ends early when it finds nothing new"
    )]
    Budget {
        /// Name of the linear layer.
        layer: String,
        /// Pictures whose pattern was found.
        found: usize,
        /// Distinct pictures by the spectrum.
        rank: usize,
        /// Sets of rows that were drawn.
        sets: u64,
    },
    /// The user stopped the search.
    #[error("{layer}: stopped after {sets} sets of rows, before every picture's pattern of units was found")]
    Stopped {
        /// Name of the linear layer.
        layer: String,
        /// Sets of rows that were drawn.
        sets: u64,
    },
    /// The update is of local training.
    #[error(
        "SPEAR needs the gradient of one step; this is the update of {steps} local steps, whose weights moved in \
         between, so that no one matrix holds the pictures"
    )]
    ManySteps {
        /// Local steps.
        steps: usize,
    },
    /// Names were given to guide an attack that has nothing to guide.
    #[error("names guide gradient matching, and spear does not match")]
    Guided,
    /// A defence or a protocol that changes pictures' parts: the text says which.
    #[error("SPEAR needs each picture's part unchanged; {0}")]
    Changed(String),
    /// A matrix has no singular value decomposition.
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
