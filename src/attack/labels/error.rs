//! Why labels cannot be restored.

use super::Method;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    #[error("the last layer's {tensor} has {found} elements, expected {expected}")]
    Shape { tensor: &'static str, expected: usize, found: usize },
    #[error("the last layer's {tensor} is not finite: element {index} is {value}")]
    NotFinite { tensor: &'static str, index: usize, value: f32 },
    #[error("the last layer has no classes")]
    NoClasses,
    #[error("the batch is empty: there are no labels to restore")]
    EmptyBatch,
    #[error("a batch of {found} pictures: expected at most {limit}")]
    LargeBatch { limit: usize, found: usize },
    #[error("the last layer's gradient is 0 in every element: there is nothing in it to read")]
    ZeroGradient,
    #[error(
        "{method} reads the gradient of the last layer's bias, and there is none: a layer without a bias \
         leaves idlg and yin"
    )]
    NoBias { method: Method },
    #[error("{method} predicts with the last layer's {tensor}, which is not given")]
    NoWeights { method: Method, tensor: &'static str },
    #[error(
        "{method} starts from the classes with a bias gradient below 0, and there are none: this is not the \
         gradient of a mean cross entropy"
    )]
    NoNegative { method: Method },
    #[error("{method} solves for at most {limit} classes, the last layer has {found}")]
    TooManyClasses { method: Method, limit: usize, found: usize },
    #[error("{method}: the singular value decomposition of the {classes}-class system did not converge")]
    NotConverged { method: Method, classes: usize },
    #[error(
        "{method}: no feature follows from the last layer's gradient, which is as good as 0 or beyond f32"
    )]
    NoFeature { method: Method },
    #[error("{method} restores the label of one picture, the batch has {batch}")]
    OnePicture { method: Method, batch: usize },
    #[error("{0}")]
    Update(String),
}
