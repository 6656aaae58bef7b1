//! What a file of weights says about itself, so that it need not be said again.

use std::{collections::BTreeMap, path::Path};

use super::{
    Tensor, TensorFile, TensorFileError,
    gradient::{field, join, list},
};

/// What the metadata of our weights says under `format`, so that they are not taken for a gradient.
pub(crate) const FORMAT: &str = "gia-gpu weights";

/// `None` where the file says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightsInfo {
    /// As in `resnet18`.
    pub architecture: Option<String>,
    /// Choices beside the architecture's name, as in `stem=cifar norm=group:32`.
    pub options: Option<String>,
    /// `[C, H, W]` of the images that the network was trained on.
    pub image_shape: Option<[usize; 3]>,
    /// `(C)`: subtracted from pixels in [0, 1] before the network sees them.
    pub mean: Option<Vec<f32>>,
    /// `(C)`: then divided by.
    pub std: Option<Vec<f32>>,
    /// `(K)`
    pub class_names: Option<Vec<String>>,
    /// How it was trained and what that came to, as JSON.
    pub training: Option<String>,
}

impl WeightsInfo {
    /// Writes a `state_dict`. Whole or not at all, like [`TensorFile::write`].
    pub fn write(&self, path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), TensorFileError> {
        let names = self.class_names.as_ref();
        let fields = [
            ("format", Some(FORMAT.to_string())),
            ("architecture", self.architecture.clone()),
            ("options", self.options.clone()),
            ("image_shape", self.image_shape.map(|shape| join(&shape))),
            ("mean", self.mean.as_deref().map(join)),
            ("std", self.std.as_deref().map(join)),
            ("classes", names.map(|names| names.len().to_string())),
            ("class_names", names.map(|names| serde_json::json!(names).to_string())),
            ("training", self.training.clone()),
        ];
        let metadata =
            fields.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect();
        TensorFile::write(path, tensors, &metadata)
    }

    /// What a file says; nothing where it is not one of ours.
    pub fn of(file: &TensorFile) -> Result<WeightsInfo, TensorFileError> {
        if file.metadata.get("format").is_none_or(|format| format != FORMAT) {
            return Ok(WeightsInfo::default());
        }
        let text = |key: &str| file.metadata.get(key).cloned();
        let numbers = |key| field(file, key, "numbers, one a channel", list);
        Ok(WeightsInfo {
            architecture: text("architecture"),
            options: text("options"),
            image_shape: field(file, "image_shape", "three sizes such as '3,32,32'", |text| {
                list(text)?.try_into().ok()
            })?,
            mean: numbers("mean")?,
            std: numbers("std")?,
            class_names: field(file, "class_names", "a JSON list of names", |text| {
                serde_json::from_str(text).ok()
            })?,
            training: text("training"),
        })
    }
}
