//! `preprocessor_config.json` of `transformers`, or the same under `image_processor` of `processor_config.json`: how a
//! picture becomes the model's input.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Json, Part};
use crate::{
    clip::{
        ClipError, Naming,
        preprocess::{Interpolation, Preprocessing, Resize, Rounding, openai},
    },
    data::Normalisation,
};

const KNOWN: &str = "_processor_class crop_size default_to_square disable_grouping do_center_crop do_convert_rgb \
    do_normalize do_rescale do_resize feature_extractor_type image_mean image_processor_type image_std processor_class \
    resample rescale_factor return_tensors size data_format input_data_format device auto_map image_seq_length";

/// What a class does where the file says nothing.
struct Defaults {
    crop: bool,
    /// Whether one number is the side of a square, and not the shortest edge.
    square: bool,
    interpolation: Interpolation,
    mean: [f32; 3],
    std: [f32; 3],
}

/// What a file says, and what it says the model's pictures are.
pub(crate) struct Prepared {
    pub preprocessing: Preprocessing,
    pub side: SideClaim,
}

/// The side of the model's pictures, as a key states it.
#[derive(Clone, Debug)]
pub struct SideClaim {
    /// The file that says so.
    pub path: PathBuf,
    /// The key that says so.
    pub key: String,
    /// In pixels.
    pub side: usize,
}

/// `None` where there is no file.
pub(crate) fn read(folder: &Path, naming: Naming) -> Result<Option<Prepared>, ClipError> {
    if let Some(file) = Json::read(folder.join("preprocessor_config.json"))? {
        return processor(&file.part(), naming).map(Some);
    }
    match Json::read(folder.join("processor_config.json"))? {
        Some(file) if file.part().has("image_processor") => {
            processor(&file.part().part("image_processor")?, naming).map(Some)
        }
        _ => Ok(None),
    }
}

fn defaults(part: &Part, naming: Naming) -> Result<Defaults, ClipError> {
    let key = ["image_processor_type", "feature_extractor_type"].into_iter().find(|key| part.has(key));
    let class = key.map_or(Ok(None), |key| part.text(key))?;
    let stem = class.map(|class| {
        let class = class.trim_end_matches("Fast").trim_end_matches("Pil");
        class.trim_end_matches("ImageProcessor").trim_end_matches("FeatureExtractor")
    });
    let half = [0.5; 3];
    let own = openai();
    let mut clip =
        Defaults { crop: true, square: false, interpolation: Interpolation::Bicubic, mean: half, std: half };
    clip.mean.copy_from_slice(own.mean());
    clip.std.copy_from_slice(own.std());
    let siglip =
        Defaults { crop: false, square: false, interpolation: Interpolation::Bicubic, mean: half, std: half };
    match stem {
        Some("CLIP") => Ok(clip),
        Some("Siglip") => Ok(siglip),
        Some("ViT") => Ok(Defaults { square: true, interpolation: Interpolation::Bilinear, ..siglip }),
        None if naming.is_siglip() => Ok(siglip),
        None => Ok(clip),
        Some(_) => {
            let expected = "CLIPImageProcessor, SiglipImageProcessor or ViTImageProcessor";
            Err(part.wrong(key.unwrap_or_default(), expected, class.unwrap_or_default()))
        }
    }
}

fn processor(part: &Part, naming: Naming) -> Result<Prepared, ClipError> {
    part.only(&[KNOWN])?;
    let defaults = defaults(part, naming)?;
    let flag = |key: &str, default: bool| part.flag(key).map(|found| found.unwrap_or(default));
    let interpolation = match part.value("resample") {
        Value::Null => defaults.interpolation,
        value => match value.as_u64() {
            Some(2) => Interpolation::Bilinear,
            Some(3) => Interpolation::Bicubic,
            _ => return Err(part.wrong("resample", "2 (bilinear) or 3 (bicubic)", value)),
        },
    };
    let crop = flag("do_center_crop", defaults.crop)?;
    let resize = match flag("do_resize", true)? {
        true => resize(part, &defaults)?,
        false => Resize::None,
    };
    let (key, side) = match (crop, resize) {
        (true, _) => ("crop_size", square(part, "crop_size")?.unwrap_or(224)),
        (false, Resize::Square(Some(side))) => ("size", side),
        (false, Resize::None) => {
            let expected = "true, for without it and without do_center_crop no size is sure";
            return Err(part.wrong("do_resize", expected, false));
        }
        (false, _) => {
            let expected = "true after a resize of the shortest edge: the model takes squares";
            return Err(part.wrong("do_center_crop", expected, false));
        }
    };
    let preprocessing = Preprocessing {
        resize,
        interpolation,
        rounding: Rounding::Down,
        fill: 0.0,
        normalisation: normalisation(part, &defaults)?,
    };
    Ok(Prepared { preprocessing, side: SideClaim { path: part.path.into(), key: part.full(key), side } })
}

fn resize(part: &Part, defaults: &Defaults) -> Result<Resize, ClipError> {
    let edge = part.part("size").map(|size| size.has("shortest_edge"));
    let by_edge = match part.value("size") {
        Value::Null => defaults.crop,
        Value::Object(_) => edge?,
        _ => !part.flag("default_to_square")?.unwrap_or(defaults.square),
    };
    if !by_edge {
        return Ok(Resize::Square(Some(square(part, "size")?.unwrap_or(224))));
    }
    let edge = match part.value("size") {
        Value::Object(_) => {
            let size = part.part("size")?;
            size.only(&["shortest_edge"])?;
            size.whole("shortest_edge")?
        }
        _ => part.whole("size")?,
    };
    Ok(Resize::Shortest(Some(edge.unwrap_or(224))))
}

/// The side of a square, as one number or as height and width.
fn square(part: &Part, key: &str) -> Result<Option<usize>, ClipError> {
    if !part.value(key).is_object() {
        return part.side(key);
    }
    let size = part.part(key)?;
    size.only(&["height width"])?;
    match (size.whole("height")?, size.whole("width")?) {
        (Some(height), Some(width)) if height == width => Ok(Some(height)),
        _ => Err(part.wrong(key, "the side of a square, or its height and width", part.value(key))),
    }
}

/// Of pixels in [0, 1]: they are first multiplied by 255 and by the factor, if at all.
fn normalisation(part: &Part, defaults: &Defaults) -> Result<Normalisation, ClipError> {
    let factor = match part.flag("do_rescale")?.unwrap_or(true) {
        true => part.number("rescale_factor")?.unwrap_or(1.0 / 255.0),
        false => 1.0,
    };
    let (mean, std) = match part.flag("do_normalize")?.unwrap_or(true) {
        true => (
            part.three("image_mean")?.unwrap_or(defaults.mean),
            part.three("image_std")?.unwrap_or(defaults.std),
        ),
        false => ([0.0; 3], [1.0; 3]),
    };
    let scaled =
        |values: [f32; 3]| values.iter().map(|&v| (f64::from(v) / (255.0 * factor)) as f32).collect();
    Ok(Normalisation::new(scaled(mean), scaled(std))?)
}
