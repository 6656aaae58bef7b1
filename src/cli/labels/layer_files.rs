//! The last layer's tensors, from the files that hold them.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::super::misuse;
use crate::{
    attack::labels::{LabelError, LastLayer},
    federated::{Victim, VictimError},
    tensor_file::{Extra, GRADIENT_FORMAT, GradientFile, ParameterSpec, Tensor, TensorFile},
};

/// What the last layer's tensors are called.
pub struct Names {
    weight: String,
    bias: Option<String>,
}

impl Names {
    /// `WEIGHT,BIAS`, or `WEIGHT`.
    pub fn parse(text: &str) -> anyhow::Result<Names> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        match parts[..] {
            [weight] if !weight.is_empty() => Ok(Names { weight: weight.into(), bias: None }),
            [weight, bias] if !weight.is_empty() && !bias.is_empty() && weight != bias => {
                Ok(Names { weight: weight.into(), bias: Some(bias.into()) })
            }
            _ => Err(misuse(format!(
                "--last-layer: expected two tensor names as in fc.weight,fc.bias, or the weight's alone, \
                 found '{text}'"
            ))),
        }
    }

    /// The last linear layer of a known architecture.
    pub fn of_architecture(arch: &str, weights: &Path, classes: Option<usize>) -> anyhow::Result<Names> {
        let victim = Victim::from_file(weights, arch, classes).map_err(|error| match error {
            VictimError::Architecture(_) | VictimError::ClassCount { .. } => misuse(error),
            error => error.into(),
        })?;
        let specs = victim.gradient_specs();
        let last = victim
            .last_weight()
            .ok_or_else(|| misuse(format!("{arch} has no linear layer: give --last-layer WEIGHT,BIAS")))?;
        let bias = specs.get(last + 1).filter(|spec| spec.shape == specs[last].shape[..1]);
        Ok(Names { weight: specs[last].name.clone(), bias: bias.map(|spec| spec.name.clone()) })
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
    /// The gradient's weight tells the shapes, which all others must have.
    pub fn read(gradient: &GradientFile, weights: Option<&Path>, names: Names) -> anyhow::Result<LayerFiles> {
        let file = &gradient.file;
        let path = file.path.display();
        let shape = file.tensors.get(&names.weight).map(|tensor| &tensor.shape[..]);
        let [classes, features] = match shape {
            // A missing tensor, or one of integers, gets its own message below.
            None => [1, 1],
            Some(&[classes, features]) if classes > 0 && features > 0 => [classes, features],
            Some(found) => bail!(
                "{path}: tensor '{}' has shape {found:?}, expected (K, d), the weight of a linear layer",
                names.weight
            ),
        };
        let mut specs = vec![ParameterSpec { name: names.weight.clone(), shape: vec![classes, features] }];
        specs
            .extend(names.bias.iter().map(|name| ParameterSpec { name: name.clone(), shape: vec![classes] }));
        let (weight_gradient, bias_gradient) = pair(file.parameters(&specs, Extra::Any)?);
        if let Some(told) = gradient.info.classes.filter(|&told| told != classes) {
            bail!("{path}: tensor '{}' has {classes} rows, expected {told}, its 'classes'", names.weight);
        }
        let weights = weights
            .map(|path| {
                let file = TensorFile::read(path)?;
                if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
                    bail!("{} holds a gradient, expected weights", path.display());
                }
                Ok(pair(file.parameters(&specs, Extra::Any)?))
            })
            .transpose()?;
        let gradient_path = file.path.clone();
        Ok(LayerFiles { names, gradient_path, classes, weight_gradient, bias_gradient, weights })
    }

    /// Changes the gradients.
    pub fn gradients(
        &mut self,
        change: impl Fn(&[f32]) -> Result<Vec<f32>, LabelError>,
    ) -> anyhow::Result<()> {
        let path = self.gradient_path.display();
        let named = |name: &str, values: &[f32]| {
            change(values).map_err(|error| anyhow!("{path}: tensor '{name}': {error}"))
        };
        self.weight_gradient = named(&self.names.weight, &self.weight_gradient)?;
        if let (Some(name), Some(values)) = (&self.names.bias, &mut self.bias_gradient) {
            *values = named(name, values)?;
        }
        Ok(())
    }

    pub fn layer(&self) -> Result<LastLayer<'_>, LabelError> {
        let layer = LastLayer::new(self.classes, &self.weight_gradient, self.bias_gradient.as_deref())?;
        match &self.weights {
            Some((weight, bias)) => layer.with_weights(weight, bias.as_deref()),
            None => Ok(layer),
        }
    }

    /// A method's error, with the file that it is about.
    pub fn explain(&self, error: &LabelError) -> anyhow::Error {
        let (path, weight) = (self.gradient_path.display(), &self.names.weight);
        match (error, &self.names.bias) {
            (LabelError::NoBias { .. }, _) => {
                anyhow!("{path}: {error}; no bias was named beside '{weight}'")
            }
            (_, Some(bias)) => anyhow!("{path}: tensors '{weight}' and '{bias}': {error}"),
            (_, None) => anyhow!("{path}: tensor '{weight}': {error}"),
        }
    }
}

fn pair(tensors: Vec<Tensor>) -> (Vec<f32>, Option<Vec<f32>>) {
    let mut data = tensors.into_iter().map(|tensor| tensor.data);
    (data.next().unwrap_or_default(), data.next())
}
