//! A model with its weights.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::{
    nearest::nearest,
    request::{DEFAULT_CLASSES, Request},
    victim_error::{VictimError, check_classes},
};
use crate::{
    device::host,
    nn::{Declaration, Model, initialise},
    tensor_file::{
        Extra, GRADIENT_FORMAT, ParameterSpec, PositionReport, Tensor, TensorFile, TensorFileError,
    },
};

/// The model that client and eavesdropper share.
///
/// ```
/// use gia_gpu::federated::{Request, Victim};
///
/// let victim = Victim::from_seed(&Request::named("lenet-zhu"), 7)?;
/// assert_eq!(victim.declarations[0].shape, victim.model.declarations()[0].shape);
/// assert!(Victim::from_seed(&Request::named("lenet-zoo"), 7).is_err());
/// # Ok::<(), gia_gpu::federated::VictimError>(())
/// ```
#[derive(Clone)]
pub struct Victim {
    /// The network, with every choice made.
    pub model: Model,
    /// Parameters and buffers in `state_dict` order.
    pub declarations: Vec<Declaration>,
    /// One tensor a declaration, row-major.
    pub tensors: Vec<Vec<f32>>,
    /// Where the weights come from, for reports: a file, or a seed.
    pub weights: String,
    /// Which array was taken for which tensor, where the file has no names.
    pub positions: Option<PositionReport>,
    /// What all names in the file began with, and was taken off.
    pub prefix: Option<String>,
}

/// Last part of the name of batch norm's counter, an integer that nobody needs.
const COUNTER: &str = "num_batches_tracked";

/// Begins what is said of weights that nobody trained.
const BY_SEED: &str = "initialised by seed";

impl Victim {
    /// An untrained victim; of a file's network one with the weights that the file holds.
    pub fn from_seed(request: &Request, seed: u64) -> Result<Victim, VictimError> {
        if let Some(graph) = &request.graph {
            if graph.weightless {
                return Err(VictimError::Weightless { name: graph.name.clone() });
            }
            let tensors = graph.tensors.iter().map(|t| t.data.to_vec()).collect();
            return Victim::new(request.model(graph.classes)?, tensors, request.name.clone());
        }
        let classes = request.classes.unwrap_or(DEFAULT_CLASSES);
        check_classes(classes)?;
        Self::initialised(request.model(classes)?, seed)
    }

    /// A model with initial weights.
    pub fn initialised(model: Model, seed: u64) -> Result<Victim, VictimError> {
        let declarations = model.declarations();
        let elements: usize = declarations.iter().map(|d| d.shape.iter().product::<usize>()).sum();
        let what = || format!("a victim of architecture {}", model.name);
        host::check(what, (elements * size_of::<f32>()) as u64).map_err(VictimError::Memory)?;
        let tensors = initialise(&declarations, seed);
        let weights = format!("{BY_SEED} {seed}");
        Ok(Victim { model, declarations, tensors, weights, positions: None, prefix: None })
    }

    /// A model with weights from elsewhere, one tensor a declaration, row-major. `weights`: where from, for reports.
    ///
    /// # Errors
    /// Tensors that do not fit the declarations, or a class count that no victim has.
    pub fn new(model: Model, tensors: Vec<Vec<f32>>, weights: String) -> Result<Victim, VictimError> {
        check_classes(model.classes)?;
        let declarations = model.declarations();
        if tensors.len() != declarations.len() {
            let (expected, found) = (declarations.len(), tensors.len());
            return Err(VictimError::Tensors { what: "tensors".into(), expected, found });
        }
        for (declaration, tensor) in declarations.iter().zip(&tensors) {
            let expected = declaration.shape.iter().product();
            if tensor.len() != expected {
                let what = format!("elements of '{}'", declaration.name);
                return Err(VictimError::Tensors { what, expected, found: tensor.len() });
            }
        }
        Ok(Victim { model, declarations, tensors, weights, positions: None, prefix: None })
    }

    /// A victim from a file with PyTorch's `state_dict` names. The class count is the last layer's, and
    /// must be the request's where that says one.
    pub fn from_file(path: &Path, request: &Request) -> Result<Victim, VictimError> {
        let sketch = |classes| request.model(classes);
        let declared = sketch(1)?.declarations();
        let file = TensorFile::read(path)?;
        if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
            return Err(VictimError::Gradient { path: path.display().to_string() });
        }
        let names: Vec<ParameterSpec> = declared.iter().map(spec).collect();
        let (file, prefix) = file.tidied(&names);
        // Of a file's network the shapes say it.
        let found = last_layer_outputs(&file, &declared).filter(|_| request.graph.is_none());
        if let (Some((tensor, found)), Some(expected)) = (&found, request.classes)
            && *found != expected
        {
            let (tensor, found, path) = (tensor.clone(), *found, path.display().to_string());
            return Err(VictimError::Classes { path, tensor, expected, found });
        }
        let classes = found.map(|f| f.1).or(request.classes).unwrap_or(DEFAULT_CLASSES);
        // A file whose last layer has no outputs fails by its shapes.
        let model = sketch(classes.max(1))?;
        let declarations = model.declarations();
        let (file, positions) = file.by_name(&state_dict_lists(&declarations))?;
        let specs: Vec<ParameterSpec> = declarations.iter().map(spec).collect();
        let tensors = match request.graph {
            // Beside them a `state_dict` has second names of tied weights, and buffers that the file keeps.
            Some(_) => file.parameters(&specs, Extra::Any)?,
            None => file.parameters(&specs, Extra::Reject).map_err(|cause| mismatch(cause, &file, &model))?,
        };
        check_classes(classes)?;
        for (declaration, tensor) in declarations.iter().zip(&tensors) {
            let variance = declaration.name.ends_with("running_var");
            if let Some(found) = tensor.data.iter().find(|v| variance && **v < 0.0) {
                let (path, tensor) = (path.display().to_string(), declaration.name.clone());
                return Err(VictimError::Variance { path, tensor, found: *found });
            }
        }
        Ok(Victim {
            model,
            declarations,
            tensors: tensors.into_iter().map(|t| t.data).collect(),
            weights: path.display().to_string(),
            positions,
            prefix,
        })
    }

    /// Names and shapes of the tensors that a gradient has, in order.
    pub fn gradient_specs(&self) -> Vec<ParameterSpec> {
        self.declarations.iter().filter(|d| d.trainable).map(spec).collect()
    }

    /// Names and shapes of the buffers, in order.
    pub fn buffer_specs(&self) -> Vec<ParameterSpec> {
        self.declarations.iter().filter(|d| !d.trainable).map(spec).collect()
    }

    /// Weight `(K, d)` and bias `(K)` of the last layer.
    pub fn last_layer(&self) -> (&[f32], Option<&[f32]>) {
        let trainable: Vec<&Vec<f32>> = self
            .declarations
            .iter()
            .zip(&self.tensors)
            .filter(|(d, _)| d.trainable)
            .map(|(_, t)| t)
            .collect();
        let weight = self.last_weight();
        (trainable[weight], self.last_bias().map(|bias| &trainable[bias][..]))
    }

    /// Whether the model has running statistics.
    pub fn has_batch_norm(&self) -> bool {
        self.declarations.iter().any(|d| !d.trainable)
    }

    /// Values of the buffers, in order.
    pub fn buffers(&self) -> impl Iterator<Item = &Vec<f32>> {
        self.declarations.iter().zip(&self.tensors).filter(|(d, _)| !d.trainable).map(|(_, t)| t)
    }

    /// All tensors by name.
    pub fn state_dict(&self) -> std::collections::BTreeMap<String, Tensor> {
        self.state_dict_of(&self.tensors)
    }

    /// Other values of the same tensors by name.
    pub fn state_dict_of(&self, tensors: &[Vec<f32>]) -> std::collections::BTreeMap<String, Tensor> {
        let tensor = |(d, data): (&Declaration, &Vec<f32>)| {
            (d.name.clone(), Tensor { shape: d.shape.clone(), data: data.clone() })
        };
        self.declarations.iter().zip(tensors).map(tensor).collect()
    }

    /// SHA-256 over names, shapes and values of all tensors: two victims with the same one are the same.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (declaration, tensor) in self.declarations.iter().zip(&self.tensors) {
            hash.update(format!("{} {:?}\n", declaration.name, declaration.shape));
            let values: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
            hash.update(values);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Size of one gradient in memory.
    pub fn gradient_bytes(&self) -> u64 {
        let elements: usize = self.gradient_specs().iter().map(|s| s.shape.iter().product::<usize>()).sum();
        (elements * size_of::<f32>()) as u64
    }

    /// `[C, H, W]` of one image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.model.image
    }

    /// Whether a seed gave all weights.
    pub fn is_untrained(&self) -> bool {
        self.weights.starts_with(BY_SEED)
    }

    /// The position of the last layer's weight `(K, d)` among the gradient's tensors.
    pub fn last_weight(&self) -> usize {
        let specs = self.gradient_specs();
        let last = match self.model.last_layer() {
            Some(layer) => specs.iter().position(|s| s.name == layer.weight),
            None => specs.iter().rposition(|s| s.shape.len() == 2),
        };
        last.expect("every architecture ends in a linear layer")
    }

    /// The position of its bias `(K)`, if it has one.
    pub fn last_bias(&self) -> Option<usize> {
        let specs = self.gradient_specs();
        match self.model.last_layer() {
            Some(layer) => specs.iter().position(|s| Some(&s.name) == layer.bias.as_ref()),
            None => Some(self.last_weight() + 1).filter(|&bias| bias < specs.len()),
        }
    }
}

fn spec(declaration: &Declaration) -> ParameterSpec {
    ParameterSpec { name: declaration.name.clone(), shape: declaration.shape.clone() }
}

/// What a list of arrays in `state_dict` order may hold.
pub fn state_dict_lists(declarations: &[Declaration]) -> [(&'static str, Vec<ParameterSpec>); 3] {
    let with_counters = declarations.iter().flat_map(|d| {
        // The counter comes after the running variance.
        let layer = d.name.strip_suffix(".running_var");
        let counter = layer.map(|layer| ParameterSpec { name: format!("{layer}.{COUNTER}"), shape: vec![] });
        [Some(spec(d)), counter].into_iter().flatten()
    });
    [
        ("all tensors and batch norm's counters", with_counters.collect()),
        ("all tensors but batch norm's counters", declarations.iter().map(spec).collect()),
        ("the tensors with a gradient", declarations.iter().filter(|d| d.trainable).map(spec).collect()),
    ]
}

/// The tensor in the file that tells the class count, and the count.
fn last_layer_outputs(file: &TensorFile, declarations: &[Declaration]) -> Option<(String, usize)> {
    let name = &declarations.iter().rfind(|d| d.trainable)?.name;
    let outputs = match file.positions() {
        // The last layer's bias is the last of every list.
        Some(positions) => *positions.last()?.first()?,
        None => *file.tensors.get(name)?.shape.first()?,
    };
    Some((name.clone(), outputs))
}

/// Names and shapes that differ may mean another architecture: says which.
fn mismatch(cause: TensorFileError, file: &TensorFile, model: &Model) -> VictimError {
    use TensorFileError::{Extra, Missing, Shape};
    let asked = model.describe();
    let found = match cause {
        Missing { .. } | Extra { .. } | Shape { .. } => nearest(file, model.image, model.classes),
        _ => None,
    };
    match found {
        Some((nearest, fitting, of)) if nearest != asked => {
            VictimError::OtherArchitecture { cause: Box::new(cause), asked, nearest, fitting, of }
        }
        _ => cause.into(),
    }
}
