//! A generator from a file.

use std::{path::Path, sync::Arc};

use super::AuditError;
use crate::{
    attack::generated::Trained,
    nn::generator::{Dcgan, Generator, declarations},
    tensor_file::{Extra, GRADIENT_FORMAT, ParameterSpec, TensorFile, WeightsInfo},
};

/// A DCGAN's generator with PyTorch's names, `main.0.weight` and on. `trained_on`: what its user knows of that.
///
/// # Errors
/// A file that is no generator's: one of a victim's weights or of a gradient is said to be that.
pub fn read_generator(path: &Path, trained_on: Option<&str>) -> Result<Trained, AuditError> {
    let file = TensorFile::read(path)?;
    let wrong = |what: String| AuditError::File(format!("{}, generator: {what}", path.display()));
    if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
        return Err(wrong("expected a generator's weights, found a gradient or an update".into()));
    }
    if let Some(architecture) = WeightsInfo::of(&file)?.architecture {
        return Err(wrong(format!(
            "expected a generator's weights, found those of a victim, {architecture}"
        )));
    }
    let shape = |name: &str| file.tensors.get(name).map(|tensor| &tensor.shape[..]);
    let dcgan = Dcgan::of_shapes(shape).map_err(|problem| {
        let some: Vec<&str> = file.tensors.keys().take(3).map(String::as_str).collect();
        wrong(format!("{problem}; the file has {} tensors: {} …", file.tensors.len(), some.join(", ")))
    })?;
    let declared = declarations(&dcgan);
    let specs: Vec<ParameterSpec> =
        declared.iter().map(|d| ParameterSpec { name: d.name.clone(), shape: d.shape.clone() }).collect();
    let tensors: Vec<Vec<f32>> =
        file.parameters(&specs, Extra::Reject)?.into_iter().map(|tensor| tensor.data).collect();
    for (declaration, values) in declared.iter().zip(&tensors) {
        let variance = declaration.name.ends_with("running_var");
        if let Some(found) = values.iter().find(|v| !v.is_finite() || variance && **v < 0.0) {
            return Err(wrong(format!(
                "'{}': expected finite values, variances ≥ 0, found {found}",
                declaration.name
            )));
        }
    }
    let [channels, height, width] = dcgan.image();
    let data = trained_on.unwrap_or("data that nobody named");
    let from = format!("{}: DCGAN of {channels}×{height}×{width}, trained on {data}", path.display());
    Ok(Trained { generator: Arc::new(dcgan), tensors: Arc::new(tensors), from: Some(from) })
}
