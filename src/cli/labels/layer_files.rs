//! The last layer's tensors, from the files that hold them.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::super::misuse;
use crate::{
    attack::labels::{LabelError, LastLayer},
    federated::Victim,
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
        let weight = victim.last_weight();
        let specs = victim.gradient_specs();
        let (own_weight, own_bias) = victim.last_layer();
        LayerFiles {
            names: Names {
                weight: specs[weight].name.clone(),
                bias: specs.get(weight + 1).map(|s| s.name.clone()),
            },
            gradient_path: path.into(),
            classes: victim.model.classes,
            weight_gradient: gradient[weight].clone(),
            bias_gradient: gradient.get(weight + 1).cloned(),
            weights: Some((own_weight.to_vec(), own_bias.map(<[f32]>::to_vec))),
        }
    }

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

    /// Takes the server's weights off a trained model, which leaves its update.
    ///
    /// # Errors
    /// The weights are not known.
    pub fn subtract_weights(&mut self) -> anyhow::Result<()> {
        let Some((weight, bias)) = &self.weights else {
            return Err(misuse("--kind model: give the server's model as --weights"));
        };
        self.weight_gradient.iter_mut().zip(weight).for_each(|(local, server)| *local -= server);
        if let (Some(local), Some(server)) = (&mut self.bias_gradient, bias) {
            local.iter_mut().zip(server).for_each(|(local, server)| *local -= server);
        }
        Ok(())
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
