//! What a victim cannot be.

use crate::{
    device::DeviceError,
    nn::{ArchitectureError, MAX_CLASSES},
    tensor_file::TensorFileError,
};

#[derive(Debug, thiserror::Error)]
pub enum VictimError {
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    #[error(transparent)]
    File(#[from] TensorFileError),
    #[error("{cause}; the file fits '{nearest}' best ({fitting} of {of} tensors), --arch says '{asked}'")]
    OtherArchitecture {
        cause: Box<TensorFileError>,
        asked: String,
        nearest: String,
        fitting: usize,
        of: usize,
    },
    #[error("{path}: tensor {tensor} gives {found} classes, expected {expected}")]
    Classes { path: String, tensor: String, expected: usize, found: usize },
    #[error(
        "expected 2 to {MAX_CLASSES} classes, found {found}{}",
        if *found == 1 { ": the cross entropy of one class is always 0, and so is its gradient" } else { "" }
    )]
    ClassCount { found: usize },
    #[error("{path}: tensor {tensor} has {found}, expected variances of 0 or above: an update, not weights?")]
    Variance { path: String, tensor: String, found: f32 },
    #[error("{what}: expected {expected}, found {found}")]
    Tensors { what: String, expected: usize, found: usize },
    #[error("{path} holds a gradient, expected weights")]
    Gradient { path: String },
    #[error(
        "{name} is of a torch before 2.8, which saves weights as a Python pickle, which is not read: save them with \
         safetensors.torch.save_file(model.state_dict(), 'weights.safetensors') and give --weights weights.safetensors, or save \
         the network with a torch from 2.8 on"
    )]
    Weightless { name: String },
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
