//! Why labels cannot be restored.

use super::Method;

/// Why labels cannot be restored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// A tensor does not have the size that the number of classes asks for.
    #[error("the last layer's {tensor} has {found} elements, expected {expected}")]
    Shape {
        /// Which of the last layer's tensors.
        tensor: &'static str,
        /// Elements that it should have.
        expected: usize,
        /// Elements that it has.
        found: usize,
    },
    /// The update holds an infinity or NaN.
    #[error("the last layer's {tensor} is not finite: element {index} is {value}")]
    NotFinite {
        /// Which of the last layer's tensors.
        tensor: &'static str,
        /// Of the first such element.
        index: usize,
        /// That element.
        value: f32,
    },
    /// The caller gave a last layer of no outputs.
    #[error("the last layer has no classes")]
    NoClasses,
    /// The caller gave a batch of no pictures.
    #[error("the batch is empty: there are no labels to restore")]
    EmptyBatch,
    /// More pictures than counts are restored for.
    #[error("a batch of {found} pictures: expected at most {limit}")]
    LargeBatch {
        /// Most pictures.
        limit: usize,
        /// Pictures of the batch.
        found: usize,
    },
    /// The update is 0: the victim is saturated, or the layer was frozen.
    #[error("the last layer's gradient is 0 in every element: there is nothing in it to read")]
    ZeroGradient,
    /// The method reads ∇b, and the layer has no bias.
    #[error(
        "{method} reads the gradient of the last layer's bias, and there is none: a layer without a bias \
         leaves idlg and yin"
    )]
    NoBias {
        /// The method that was asked for.
        method: Method,
    },
    /// The method needs the victim's own last layer, and only its gradient is given.
    #[error("{method} predicts with the last layer's {tensor}, which is not given")]
    NoWeights {
        /// The method that was asked for.
        method: Method,
        /// Which of the last layer's tensors.
        tensor: &'static str,
    },
    /// No entry of ∇b is below 0: the update is reversed, defended or of another loss.
    #[error(
        "{method} starts from the classes with a bias gradient below 0, and there are none: this is not the \
         gradient of a mean cross entropy"
    )]
    NoNegative {
        /// The method that was asked for.
        method: Method,
    },
    /// The method's system would be too large.
    #[error("{method} solves for at most {limit} classes, the last layer has {found}")]
    TooManyClasses {
        /// The method that was asked for.
        method: Method,
        /// Most classes.
        limit: usize,
        /// Classes of the last layer.
        found: usize,
    },
    /// The system of the method could not be solved.
    #[error("{method}: the singular value decomposition of the {classes}-class system did not converge")]
    NotConverged {
        /// The method that was asked for.
        method: Method,
        /// Its size.
        classes: usize,
    },
    /// The features cannot be told from the gradient: it is too small, or too large.
    #[error(
        "{method}: no feature follows from the last layer's gradient, which is as good as 0 or beyond f32"
    )]
    NoFeature {
        /// The method that was asked for.
        method: Method,
    },
    /// The method is for one picture.
    #[error("{method} restores the label of one picture, the batch has {batch}")]
    OnePicture {
        /// The method that was asked for.
        method: Method,
        /// Pictures of the batch.
        batch: usize,
    },
    /// The update cannot be read as a gradient; the text says why.
    #[error("{0}")]
    Update(String),
}

impl LabelError {
    /// Whether it is this one gradient of which nothing can be read: what others sent may well say.
    pub fn is_of_one_gradient(&self) -> bool {
        use LabelError::{NoFeature, NoNegative, NotConverged, NotFinite, ZeroGradient};
        matches!(
            self,
            NotFinite { .. } | ZeroGradient | NoNegative { .. } | NotConverged { .. } | NoFeature { .. }
        )
    }
}
