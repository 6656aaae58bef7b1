//! A model with its weights.

use std::path::Path;

use crate::{
    device::{DeviceError, host},
    nn::{
        self, Architecture, ArchitectureError, Declaration,
        architecture::{architecture, declarations},
    },
    tensor_file::{Extra, GRADIENT_FORMAT, ParameterSpec, TensorFile, TensorFileError},
};

/// Classes of a victim that is initialised by seed and told nothing else.
pub const DEFAULT_CLASSES: usize = 10;

/// Beyond every public data set; a larger count is a mistake.
const MAX_CLASSES: usize = 1 << 20;

/// The model that client and eavesdropper share.
pub struct Victim {
    /// As the user named it, e.g. `convnet64`.
    pub name: String,
    pub architecture: Box<dyn Architecture>,
    /// `K`
    pub classes: usize,
    pub declarations: Vec<Declaration>,
    /// One tensor a declaration, row-major.
    pub tensors: Vec<Vec<f32>>,
    /// Where the weights come from, for reports: a file, or a seed.
    pub weights: String,
}

#[derive(Debug, thiserror::Error)]
pub enum VictimError {
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    #[error(transparent)]
    File(#[from] TensorFileError),
    #[error("{path}: tensor {tensor} gives {found} classes, expected {expected}")]
    Classes { path: String, tensor: String, expected: usize, found: usize },
    #[error(
        "expected 2 to {MAX_CLASSES} classes, found {found}{}",
        if *found == 1 { ": the cross entropy of one class is always 0, and so is its gradient" } else { "" }
    )]
    ClassCount { found: usize },
    #[error("{path} holds a gradient, expected weights")]
    Gradient { path: String },
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

impl Victim {
    /// An untrained victim.
    pub fn from_seed(name: &str, classes: usize, seed: u64) -> Result<Victim, VictimError> {
        let architecture = architecture(name)?;
        check_classes(classes)?;
        let declarations = declarations(&*architecture, classes);
        let elements: usize = declarations.iter().map(|d| d.shape.iter().product::<usize>()).sum();
        host::check(|| format!("a victim of architecture {name}"), (elements * size_of::<f32>()) as u64)
            .map_err(VictimError::Memory)?;
        let tensors = nn::initialise(&declarations, seed);
        let weights = format!("initialised by seed {seed}");
        Ok(Victim { name: name.into(), architecture, classes, declarations, tensors, weights })
    }

    /// A victim from a safetensors file with PyTorch's `state_dict` names. The class count is the last
    /// layer's, and must be `classes` where that is given.
    pub fn from_file(path: &Path, name: &str, classes: Option<usize>) -> Result<Victim, VictimError> {
        let architecture = architecture(name)?;
        let file = TensorFile::read(path)?;
        if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
            return Err(VictimError::Gradient { path: path.display().to_string() });
        }
        let found = last_layer_outputs(&file, &declarations(&*architecture, 1));
        if let (Some((tensor, found)), Some(expected)) = (&found, classes)
            && *found != expected
        {
            let (tensor, found, path) = (tensor.clone(), *found, path.display().to_string());
            return Err(VictimError::Classes { path, tensor, expected, found });
        }
        let classes = found.map(|f| f.1).or(classes).unwrap_or(DEFAULT_CLASSES);
        // A file whose last layer has no outputs fails by its shapes.
        let declarations = declarations(&*architecture, classes.max(1));
        let specs: Vec<ParameterSpec> = declarations.iter().map(spec).collect();
        let tensors = file.parameters(&specs, Extra::Reject)?;
        check_classes(classes)?;
        Ok(Victim {
            name: name.into(),
            architecture,
            classes,
            declarations,
            tensors: tensors.into_iter().map(|t| t.data).collect(),
            weights: path.display().to_string(),
        })
    }

    /// Names and shapes of the tensors that a gradient has, in order.
    pub fn gradient_specs(&self) -> Vec<ParameterSpec> {
        self.declarations.iter().filter(|d| d.trainable).map(spec).collect()
    }

    /// Size of one gradient in memory.
    pub fn gradient_bytes(&self) -> u64 {
        let elements: usize = self.gradient_specs().iter().map(|s| s.shape.iter().product::<usize>()).sum();
        (elements * size_of::<f32>()) as u64
    }

    /// `[C, H, W]` of one image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.architecture.image_shape()
    }

    /// The position of the last layer's weight `(K, d)` among the gradient's tensors.
    pub fn last_weight(&self) -> Option<usize> {
        self.gradient_specs().iter().rposition(|s| s.shape.len() == 2)
    }
}

fn spec(declaration: &Declaration) -> ParameterSpec {
    ParameterSpec { name: declaration.name.clone(), shape: declaration.shape.clone() }
}

/// The tensor in the file that tells the class count, and the count.
fn last_layer_outputs(file: &TensorFile, declarations: &[Declaration]) -> Option<(String, usize)> {
    let name = &declarations.iter().rfind(|d| d.trainable)?.name;
    let outputs = *file.tensors.get(name)?.shape.first()?;
    Some((name.clone(), outputs))
}
