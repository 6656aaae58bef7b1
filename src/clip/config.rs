//! What the shapes of a model's tensors do not say: heads, activation, epsilon, pixel statistics. From
//! `config.json` (Hugging Face) or `open_clip_config.json` beside the weights, where there is one.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ClipError, preprocess};
use crate::data::Normalisation;

/// Of the hidden layer of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Activation {
    /// x·σ(1.702x), of OpenAI's weights
    QuickGelu,
    /// x·Φ(x), of most weights that OpenCLIP trained
    Gelu,
}

/// Choices for one tower; `None` where no file says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choices {
    pub heads: Option<usize>,
    pub activation: Option<Activation>,
    pub epsilon: Option<f64>,
    /// Of the tokens between the blocks, to compare with the tensors.
    pub width: Option<usize>,
}

/// What the JSON files beside the weights say.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub image: Choices,
    pub text: Choices,
    pub normalisation: Option<Normalisation>,
    /// The file that `image` and `text` come from.
    pub path: Option<PathBuf>,
}

impl Sources {
    /// Reads what there is in the folder.
    ///
    /// # Errors
    /// JSON that is broken, or says something that cannot be computed.
    pub fn read(folder: &Path) -> Result<Sources, ClipError> {
        let mut found = Sources::default();
        for (name, read) in [("config.json", hugging_face as Reader), ("open_clip_config.json", open_clip)] {
            if found.path.is_none()
                && let Some(file) = Json::read(folder.join(name))?
            {
                read(&file, &mut found)?;
            }
        }
        if let Some(file) = Json::read(folder.join("preprocessor_config.json"))? {
            found.normalisation = file.statistics(&file.root, "image_mean", "image_std")?;
        }
        Ok(found)
    }
}

type Reader = fn(&Json, &mut Sources) -> Result<(), ClipError>;

/// `CLIPConfig`: what it leaves out has that class's default.
fn hugging_face(file: &Json, found: &mut Sources) -> Result<(), ClipError> {
    let tower = |key: &str, heads: u64| -> Result<Choices, ClipError> {
        let part = &file.root[key];
        let activation = match file.text(part, "hidden_act")?.unwrap_or("quick_gelu") {
            "quick_gelu" => Activation::QuickGelu,
            "gelu" => Activation::Gelu,
            other => {
                let key = format!("{key}.hidden_act");
                return Err(file.wrong(&key, "\"quick_gelu\" or \"gelu\"", other));
            }
        };
        Ok(Choices {
            heads: Some(file.whole(part, "num_attention_heads")?.unwrap_or(heads) as usize),
            activation: Some(activation),
            epsilon: Some(file.number(part, "layer_norm_eps")?.unwrap_or(1e-5)),
            width: file.whole(part, "hidden_size")?.map(|n| n as usize),
        })
    };
    // Another model's `config.json` says nothing about a CLIP.
    if file.root["vision_config"].is_object() || file.root["model_type"] == "clip" {
        found.image = tower("vision_config", 12)?;
        found.text = tower("text_config", 8)?;
        found.path = Some(file.path.clone());
    }
    Ok(())
}

fn open_clip(file: &Json, found: &mut Sources) -> Result<(), ClipError> {
    let model = &file.root["model_cfg"];
    let [vision, text] = ["vision_cfg", "text_cfg"].map(|key| &model[key]);
    for (part, key) in [(vision, "timm_model_name"), (text, "hf_model_name")] {
        if let Some(name) = file.text(part, key)? {
            return Err(file.wrong(key, "a vision transformer and a text transformer of CLIP's own", name));
        }
    }
    let activation = match &model["quick_gelu"] {
        Value::Null | Value::Bool(false) => Activation::Gelu,
        Value::Bool(true) => Activation::QuickGelu,
        other => return Err(file.wrong("quick_gelu", "true or false", other)),
    };
    let tower = |part: &Value| -> Result<Choices, ClipError> {
        Ok(Choices {
            heads: None,
            activation: Some(activation),
            epsilon: file.number(&part["norm_kwargs"], "eps")?,
            width: file.whole(part, "width")?.map(|n| n as usize),
        })
    };
    found.image = tower(vision)?;
    found.text = tower(text)?;
    let head_width = file.whole(vision, "head_width")?.unwrap_or(64).max(1) as usize;
    found.image.heads = found.image.width.map(|width| (width / head_width).max(1));
    found.text.heads = file.whole(text, "heads")?.map(|n| n as usize);
    found.normalisation = file.statistics(&file.root["preprocess_cfg"], "mean", "std")?;
    found.path = Some(file.path.clone());
    Ok(())
}

struct Json {
    path: PathBuf,
    root: Value,
}

impl Json {
    fn read(path: PathBuf) -> Result<Option<Json>, ClipError> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(ClipError::Read { path, cause }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(root) => Ok(Some(Json { path, root })),
            Err(cause) => Err(ClipError::Json { path, cause }),
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: impl ToString) -> ClipError {
        let (key, expected, found) = (key.to_string(), expected.to_string(), found.to_string());
        ClipError::Config { path: self.path.clone(), key, expected, found }
    }

    fn field<'a, T>(
        &self,
        part: &'a Value,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ClipError> {
        match &part[key] {
            Value::Null => Ok(None),
            value => convert(value).map(Some).ok_or_else(|| self.wrong(key, expected, value)),
        }
    }

    fn text<'a>(&self, part: &'a Value, key: &str) -> Result<Option<&'a str>, ClipError> {
        self.field(part, key, "a text", Value::as_str)
    }

    fn whole(&self, part: &Value, key: &str) -> Result<Option<u64>, ClipError> {
        self.field(part, key, "a whole number above 0", |v| v.as_u64().filter(|&n| n > 0))
    }

    fn number(&self, part: &Value, key: &str) -> Result<Option<f64>, ClipError> {
        self.field(part, key, "a number above 0", |v| v.as_f64().filter(|&n| n > 0.0))
    }

    /// Mean and deviation of pixels in [0, 1].
    fn statistics(&self, part: &Value, mean: &str, std: &str) -> Result<Option<Normalisation>, ClipError> {
        let list = |key| {
            self.field(part, key, "three numbers", |value| {
                let numbers = value.as_array()?.iter().map(|v| Some(v.as_f64()? as f32));
                numbers.collect::<Option<Vec<f32>>>().filter(|list| list.len() == preprocess::CHANNELS)
            })
        };
        match (list(mean)?, list(std)?) {
            (Some(mean), Some(std)) => Ok(Some(Normalisation::new(mean, std)?)),
            _ => Ok(None),
        }
    }
}
