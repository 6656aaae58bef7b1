//! What a victim cannot be.

use crate::{
    device::DeviceError,
    nn::{ArchitectureError, MAX_CLASSES},
    tensor_file::TensorFileError,
};

/// Why there is no such victim.
#[derive(Debug, thiserror::Error)]
pub enum VictimError {
    /// The user asked for an architecture or option that does not exist.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The file of weights is no good.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The file has the weights of another architecture than the user said.
    #[error("{cause}; the file fits '{nearest}' best ({fitting} of {of} tensors), --arch says '{asked}'")]
    OtherArchitecture {
        /// The first tensor that does not fit.
        cause: Box<TensorFileError>,
        /// The architecture that the user said.
        asked: String,
        /// The architecture that fits best.
        nearest: String,
        /// How many of the file's tensors fit it.
        fitting: usize,
        /// How many tensors it has.
        of: usize,
    },
    /// The last layer of the weights and the user's number of classes differ.
    #[error("{path}: tensor {tensor} gives {found} classes, expected {expected}")]
    Classes {
        /// The file of weights.
        path: String,
        /// The tensor that says so.
        tensor: String,
        /// Classes that were asked for.
        expected: usize,
        /// Classes by the last layer.
        found: usize,
    },
    /// No attack makes sense with one class or too many.
    #[error(
        "expected 2 to {MAX_CLASSES} classes, found {found}{}",
        if *found == 1 { ": the cross entropy of one class is always 0, and so is its gradient" } else { "" }
    )]
    ClassCount {
        /// Classes that were asked for.
        found: usize,
    },
    /// A running variance is negative: most often an update in place of weights.
    #[error("{path}: tensor {tensor} has {found}, expected variances of 0 or above: an update, not weights?")]
    Variance {
        /// The file of weights.
        path: String,
        /// The tensor that says so.
        tensor: String,
        /// The first such value.
        found: f32,
    },
    /// Tensors given by a caller do not fit the declarations.
    #[error("{what}: expected {expected}, found {found}")]
    Tensors {
        /// What is counted.
        what: String,
        /// What was expected.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The user gave a gradient file where weights are expected.
    #[error("{path} holds a gradient, expected weights")]
    Gradient {
        /// The file of weights.
        path: String,
    },
    /// The network's file has no weights, and none were given.
    #[error(
        "{name} is of a torch before 2.8, which saves weights as a Python pickle, which is not read: save them with \
         safetensors.torch.save_file(model.state_dict(), 'weights.safetensors') and give --weights weights.safetensors, or save \
         the network with a torch from 2.8 on"
    )]
    Weightless {
        /// What the network is called.
        name: String,
    },
    /// The weights do not fit into memory.
    #[error(transparent)]
    Memory(DeviceError),
}

/// A class count that a victim can have.
pub fn check_classes(classes: usize) -> Result<(), VictimError> {
    if (2..=MAX_CLASSES).contains(&classes) {
        Ok(())
    } else {
        Err(VictimError::ClassCount { found: classes })
    }
}
