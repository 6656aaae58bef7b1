//! The last layer's tensors, from the files that hold them.

use std::path::{Path, PathBuf};

use super::AuditError;
use crate::{
    attack::labels::{LabelError, LastLayer, Method, Restored, from_update, restore},
    federated::{Kind, Protocol, Victim},
    tensor_file::{Extra, GRADIENT_FORMAT, GradientFile, ParameterSpec, Tensor, TensorFile},
};

/// What the last layer's tensors are called.
pub struct Names {
    weight: String,
    bias: Option<String>,
}

impl Names {
    /// `WEIGHT,BIAS`, or `WEIGHT`.
    pub fn parse(text: &str) -> Result<Names, AuditError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        match parts[..] {
            [weight] if !weight.is_empty() => Ok(Names { weight: weight.into(), bias: None }),
            [weight, bias] if !weight.is_empty() && !bias.is_empty() && weight != bias => {
                Ok(Names { weight: weight.into(), bias: Some(bias.into()) })
            }
            _ => Err(AuditError::Misuse(format!(
                "--last-layer: expected two tensor names as in fc.weight,fc.bias, or the weight's alone, \
                 found '{text}'"
            ))),
        }
    }
}

/// The last layer's tensors, checked for shape and for NaN and Inf.
pub struct LayerFiles {
    names: Names,
    gradient_path: PathBuf,
    /// `K`
    pub classes: usize,
    weight_gradient: Vec<f32>,
    bias_gradient: Option<Vec<f32>>,
    /// The layer's own weight and bias, where a file gives them.
    weights: Option<(Vec<f32>, Option<Vec<f32>>)>,
}

impl LayerFiles {
    /// The last layer of a victim, of which the whole mean gradient is known.
    pub fn of_victim(victim: &Victim, path: &Path, gradient: &[Vec<f32>]) -> LayerFiles {
        let (weight, bias) = (victim.last_weight(), victim.last_bias());
        let specs = victim.gradient_specs();
        let (own_weight, own_bias) = victim.last_layer();
        LayerFiles {
            names: Names {
                weight: specs[weight].name.clone(),
                bias: bias.map(|bias| specs[bias].name.clone()),
            },
            gradient_path: path.into(),
            classes: victim.model.classes,
            weight_gradient: gradient[weight].clone(),
            bias_gradient: bias.and_then(|bias| gradient.get(bias)).cloned(),
            weights: Some((own_weight.to_vec(), own_bias.map(<[f32]>::to_vec))),
        }
    }

    /// The gradient's weight tells the shapes, which all others must have.
    pub fn read(
        gradient: &GradientFile,
        weights: Option<&Path>,
        names: Names,
    ) -> Result<LayerFiles, AuditError> {
        let file = &gradient.file;
        let path = file.path.display();
        let shape = file.tensors.get(&names.weight).map(|tensor| &tensor.shape[..]);
        let [classes, features] = match shape {
            // A missing tensor, or one of integers, gets its own message below.
            None => [1, 1],
            Some(&[classes, features]) if classes > 0 && features > 0 => [classes, features],
            Some(found) => {
                return Err(AuditError::File(format!(
                    "{path}: tensor '{}' has shape {found:?}, expected (K, d), the weight of a linear layer",
                    names.weight
                )));
            }
        };
        let mut specs = vec![ParameterSpec { name: names.weight.clone(), shape: vec![classes, features] }];
        specs
            .extend(names.bias.iter().map(|name| ParameterSpec { name: name.clone(), shape: vec![classes] }));
        let (weight_gradient, bias_gradient) = pair(file.parameters(&specs, Extra::Any)?);
        if let Some(told) = gradient.info.classes.filter(|&told| told != classes) {
            return Err(AuditError::File(format!(
                "{path}: tensor '{}' has {classes} rows, expected {told}, its 'classes'",
                names.weight
            )));
        }
        let weights = weights
            .map(|path| {
                let file = TensorFile::read(path)?;
                if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
                    let message = format!("{} holds a gradient, expected weights", path.display());
                    return Err(AuditError::File(message));
                }
                Ok(pair(file.parameters(&specs, Extra::Any)?))
            })
            .transpose()?;
        let gradient_path = file.path.clone();
        Ok(LayerFiles { names, gradient_path, classes, weight_gradient, bias_gradient, weights })
    }

    /// What the client sent of `batch` pictures becomes the mean gradient of its steps.
    ///
    /// # Errors
    /// It is a model, and the weights that it started from are not known.
    pub fn into_gradient(
        mut self,
        kind: Kind,
        protocol: &Protocol,
        batch: usize,
    ) -> Result<LayerFiles, AuditError> {
        if kind == Kind::Model {
            self.subtract_weights()?;
        }
        if protocol.local.is_some() {
            let (scale, steps) = (-protocol.scale(batch), protocol.steps());
            self.change(|update| from_update(update, scale / steps as f64, steps))?;
        }
        Ok(self)
    }

    fn subtract_weights(&mut self) -> Result<(), AuditError> {
        let Some((weight, bias)) = &self.weights else {
            return Err(AuditError::misuse("--kind model: give the server's model as --weights"));
        };
        self.weight_gradient.iter_mut().zip(weight).for_each(|(local, server)| *local -= server);
        if let (Some(local), Some(server)) = (&mut self.bias_gradient, bias) {
            local.iter_mut().zip(server).for_each(|(local, server)| *local -= server);
        }
        Ok(())
    }

    fn change(&mut self, change: impl Fn(&[f32]) -> Result<Vec<f32>, LabelError>) -> Result<(), AuditError> {
        let path = self.gradient_path.display();
        let named = |name: &str, values: &[f32]| {
            change(values).map_err(|error| AuditError::File(format!("{path}: tensor '{name}': {error}")))
        };
        self.weight_gradient = named(&self.names.weight, &self.weight_gradient)?;
        if let (Some(name), Some(values)) = (&self.names.bias, &mut self.bias_gradient) {
            *values = named(name, values)?;
        }
        Ok(())
    }

    /// The labels of a batch by each method. `all`: a method whose assumptions the layer breaks is reported as not run.
    ///
    /// # Errors
    /// What a method refuses, with the file that it is about.
    pub fn restore(
        &self,
        methods: &[Method],
        all: bool,
        batch: usize,
        steps: usize,
    ) -> Result<Vec<Restored>, AuditError> {
        let layer = self.layer().map_err(|error| AuditError::File(error.to_string()))?;
        let one = |&method: &Method| match restore(method, &layer, batch) {
            Ok(restored) => Ok(with_update_warning(restored, steps)),
            Err(reason @ (LabelError::NoBias { .. } | LabelError::NoNegative { .. })) if all => {
                Ok(Restored::not_run(method, layer.classes(), &reason))
            }
            Err(reason) => Err(self.explain(&reason)),
        };
        methods.iter().map(one).collect()
    }

    fn layer(&self) -> Result<LastLayer<'_>, LabelError> {
        let layer = LastLayer::new(self.classes, &self.weight_gradient, self.bias_gradient.as_deref())?;
        match &self.weights {
            Some((weight, bias)) => layer.with_weights(weight, bias.as_deref()),
            None => Ok(layer),
        }
    }

    /// A method's error, with the file that it is about.
    fn explain(&self, error: &LabelError) -> AuditError {
        let (path, weight) = (self.gradient_path.display(), &self.names.weight);
        AuditError::File(match (error, &self.names.bias) {
            (LabelError::NoBias { .. }, _) => {
                format!("{path}: {error}; no bias was named beside '{weight}'")
            }
            (_, Some(bias)) => format!("{path}: tensors '{weight}' and '{bias}': {error}"),
            (_, None) => format!("{path}: tensor '{weight}': {error}"),
        })
    }
}

fn with_update_warning(mut restored: Restored, steps: usize) -> Restored {
    if steps > 1 {
        restored.warnings.push(format!(
            "of {steps} local steps only the first was taken from the server's weights: the mean of their \
             gradients is no gradient of one loss, and the counts are approximate"
        ));
    }
    restored
}

fn pair(tensors: Vec<Tensor>) -> (Vec<f32>, Option<Vec<f32>>) {
    let mut data = tensors.into_iter().map(|tensor| tensor.data);
    (data.next().unwrap_or_default(), data.next())
}
