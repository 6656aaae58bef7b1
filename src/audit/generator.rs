//! A generator from a file, and into one.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::AuditError;
use crate::{
    attack::generated::Prior,
    nn::generator::{Dcgan, Generator, declarations},
    tensor_file::{
        Extra, GRADIENT_FORMAT, ParameterSpec, Storage, Tensor, TensorFile, TensorFileError, WeightsInfo,
    },
};

/// What the metadata of our generators says under `format`.
const FORMAT: &str = "gia-gpu generator";
const CLASS_NAMES: &str = "class_names";
const TRAINED_ON: &str = "trained_on";

/// What a generator's file says beside its tensors.
pub struct GeneratorInfo {
    /// In the order of their shares; empty: it knows none.
    pub class_names: Vec<String>,
    /// Data, in words.
    pub trained_on: String,
    /// How it was trained and what that came to, as JSON.
    pub training: String,
}

/// Writes a generator's tensors, one a declaration, kernels in F16. Whole or not at all.
pub fn write_generator(
    path: &Path,
    generator: &Dcgan,
    tensors: &[Vec<f32>],
    info: &GeneratorInfo,
) -> Result<(), TensorFileError> {
    let named = declarations(generator).into_iter().zip(tensors);
    let tensors: BTreeMap<String, Tensor> =
        named.map(|(d, data)| (d.name, Tensor { shape: d.shape, data: data.clone() })).collect();
    let names = serde_json::json!(info.class_names).to_string();
    let metadata = [
        ("format", FORMAT),
        (CLASS_NAMES, &names),
        (TRAINED_ON, &info.trained_on),
        ("training", &info.training),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string()));
    TensorFile::write_as(path, &tensors, &metadata.into(), Storage::Halves)
}

/// A DCGAN's generator with PyTorch's names, `main.0.weight` and on. `trained_on`: what its user knows of that, in place of
/// what the file says.
///
/// # Errors
/// A file that is no generator's: one of a victim's weights or of a gradient is said to be that.
pub fn read_generator(path: &Path, trained_on: Option<&str>) -> Result<Prior, AuditError> {
    generator_of(&TensorFile::read(path)?, trained_on)
}

/// The same of a file that was read.
pub fn generator_of(file: &TensorFile, trained_on: Option<&str>) -> Result<Prior, AuditError> {
    let path = file.path.display();
    let wrong = |what: String| AuditError::File(format!("{path}, generator: {what}"));
    if file.metadata.get("format").is_some_and(|format| format == GRADIENT_FORMAT) {
        return Err(wrong("expected a generator's weights, found a gradient or an update".into()));
    }
    if let Some(architecture) = WeightsInfo::of(file)?.architecture {
        return Err(wrong(format!(
            "expected a generator's weights, found those of a victim, {architecture}"
        )));
    }
    let shape = |name: &str| file.tensors.get(name).map(|tensor| &tensor.shape[..]);
    let dcgan = Dcgan::of_shapes(shape).map_err(|problem| {
        let some: Vec<&str> = file.tensors.keys().take(3).map(String::as_str).collect();
        wrong(format!("{problem}; the file has {} tensors: {} …", file.tensors.len(), some.join(", ")))
    })?;
    let text = file.metadata.get(CLASS_NAMES).map_or("[]", String::as_str);
    let class_names: Vec<String> = serde_json::from_str(text).map_err(|_| {
        wrong(format!("metadata '{CLASS_NAMES}': expected a JSON list of names, found {text:.80}"))
    })?;
    let dcgan = dcgan
        .with_classes(class_names.len())
        .map_err(|problem| wrong(format!("metadata '{CLASS_NAMES}': {problem}")))?;
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
    let said = file.metadata.get(TRAINED_ON).map(String::as_str);
    let data = trained_on.or(said).unwrap_or("data that nobody named");
    let kind = if class_names.is_empty() { "DCGAN" } else { "class-conditional DCGAN" };
    let from = format!("{path}: {kind} of {channels}×{height}×{width}, trained on {data}");
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (generator, tensors) = (Arc::new(dcgan), Arc::new(tensors));
    Ok(Prior { generator, tensors, class_names, name, from: Some(from) })
}
