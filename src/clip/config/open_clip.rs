//! `open_clip_config.json`: the keys of `CLIPVisionCfg`, `CLIPTextCfg` and `PreprocessCfg`. What it leaves out has
//! the default of those classes.

use serde_json::Value;

use super::{
    Activation, Choices, Claim, Heads, Json, Part, Piece, Pool, Size, Sources, TextFiles,
    hugging_face::{claim, image_size},
};
use crate::{
    clip::{
        ClipError, Naming,
        preprocess::{Interpolation, Preprocessing, Resize, Rounding, openai},
        timm,
        vocabulary::Clean,
    },
    data::Normalisation,
};

/// What the file says beside the model itself, and what starts or runs its training. CoCa's decoder, `multimodal_cfg`,
/// has no part in features.
const WHOLE: &str = "cast_dtype custom_text embed_dim init_logit_bias init_logit_scale multimodal_cfg nonscalar_logit_scale \
    output_dict quick_gelu text_cfg vision_cfg";
const TOWER: &str =
    "act_kwargs block_type layers ls_init_value mlp_ratio norm_kwargs output_tokens pool_type width";
const VISION: &str = "attentional_pool attn_pooler_heads attn_pooler_queries final_ln_after_pool head_width \
    image_size no_ln_pre patch_dropout patch_size pos_embed_type timm_drop timm_drop_path timm_model_name \
    timm_model_pretrained timm_pool timm_proj";
/// `final_ln_after_pool` has no effect on texts.
const TEXT: &str = "context_length embed_cls eos_id final_ln_after_pool heads hf_model_pretrained hf_pooler_type hf_proj_type \
    hf_tokenizer_name no_causal_mask pad_id proj_bias proj_type tokenizer_kwargs vocab_size";

pub(crate) fn read(file: &Json, naming: Naming, found: &mut Sources) -> Result<(), ClipError> {
    let root = file.part();
    let model = root.part("model_cfg")?;
    if !root.has("model_cfg") {
        let expected = "an object with embed_dim, vision_cfg and text_cfg: the file describes another model";
        return Err(root.wrong("model_cfg", expected, "missing"));
    }
    let (vision, text) = (model.part("vision_cfg")?, model.part("text_cfg")?);
    // Before keys that only these models have.
    if text.has("hf_model_name") {
        let expected = "nothing: only a text transformer of CLIP's own is computed";
        return Err(text.wrong("hf_model_name", expected, text.value("hf_model_name")));
    }
    let activation = match model.flag("quick_gelu")? {
        Some(true) => Activation::QuickGelu,
        _ => Activation::Gelu,
    };
    model.only(&[WHOLE])?;
    vision.only(&[TOWER, VISION])?;
    text.only(&[TOWER, TEXT])?;
    found.image = image(&vision, activation)?;
    found.text = words(&text, activation)?;
    let shared = model.whole("embed_dim")?;
    claim(&model, &mut found.text, "embed_dim", shared, Size::Shared);
    found.text_files = text_files(&text)?;
    found.bias = Some((model.full("init_logit_bias"), model.has("init_logit_bias")));
    found.preprocessing = Some(preprocessing(&root.part("preprocess_cfg")?)?);
    let trunk = matches!(naming, Naming::OpenClip { trunk: true, .. });
    if matches!(naming, Naming::OpenClip { .. }) && trunk != vision.has("timm_model_name") {
        let expected = if trunk { "the name of timm's model" } else { "nothing: the tensors are CLIP's own" };
        let expected = format!("{expected}, as the tensors have it");
        return Err(vision.wrong("timm_model_name", expected, vision.value("timm_model_name")));
    }
    Ok(())
}

/// What both towers' keys say.
fn tower(part: &Part, activation: Activation) -> Result<Choices, ClipError> {
    let mut choices = Choices { activation: Some(activated(part, activation)?), ..Choices::default() };
    let norm = part.part("norm_kwargs")?;
    norm.only(&["eps"])?;
    choices.epsilon = Some(norm.number("eps")?.unwrap_or(1e-5));
    if !matches!(part.text("block_type")?, None | Some("default" | "custom")) {
        return Err(part.wrong("block_type", "\"default\" or \"custom\"", part.value("block_type")));
    }
    claim(part, &mut choices, "width", part.whole("width")?, Size::Width);
    if let Some(width) = part.whole("width")? {
        let ratio = part.number("mlp_ratio")?.unwrap_or(4.0);
        let key = if part.has("mlp_ratio") { "mlp_ratio" } else { "width" };
        choices.claims.push((part.full(key), Claim::Size(Size::Hidden, (width as f64 * ratio) as usize)));
    }
    choices
        .claims
        .push((part.full("ls_init_value"), Claim::Piece(Piece::LayerScale, part.has("ls_init_value"))));
    Ok(choices)
}

fn activated(part: &Part, activation: Activation) -> Result<Activation, ClipError> {
    let keys = part.part("act_kwargs")?;
    keys.only(&["approximate"])?;
    match keys.text("approximate")? {
        None => Ok(activation),
        // QuickGELU takes no choices.
        Some(other) if activation == Activation::QuickGelu => {
            Err(keys.wrong("approximate", "nothing beside quick_gelu", other))
        }
        Some("none") => Ok(activation),
        Some("tanh") => Ok(Activation::GeluTanh),
        Some(other) => Err(keys.wrong("approximate", "\"none\" or \"tanh\"", format!("\"{other}\""))),
    }
}

fn image(part: &Part, activation: Activation) -> Result<Choices, ClipError> {
    if let Some(name) = part.text("timm_model_name")? {
        return timm_image(part, name);
    }
    let mut choices = tower(part, activation)?;
    image_size(part, &mut choices)?;
    let head_width = part.whole("head_width")?.unwrap_or(64);
    choices.heads = Some(Heads::OfWidth(head_width));
    if let Some(list) = part.value("layers").as_array() {
        let stages: Vec<usize> = list.iter().filter_map(Value::as_u64).map(|n| n as usize).collect();
        choices.stages = Some(stages.try_into().map_err(|_| {
            part.wrong("layers", "one number, or the blocks of four stages", part.value("layers"))
        })?);
        // A ResNet's feature is 32 times as wide as its stem, has no hidden layers and no norms.
        choices.claims.retain(|(_, claim)| matches!(claim, Claim::Size(Size::Width | Size::Image, _)));
        return Ok(choices);
    }
    claim(part, &mut choices, "layers", part.whole("layers")?, Size::Layers);
    claim(part, &mut choices, "patch_size", part.side("patch_size")?, Size::Patch);
    choices.pool = Some(match part.text("pool_type")?.unwrap_or("tok") {
        "tok" => Pool::First,
        "avg" => Pool::Average,
        other => return Err(part.wrong("pool_type", "\"tok\" or \"avg\"", format!("\"{other}\""))),
    });
    choices.norm_after_pool = part.flag("final_ln_after_pool")?.unwrap_or(false);
    if !matches!(part.text("pos_embed_type")?, None | Some("learnable" | "sin_cos_2d")) {
        let expected = "\"learnable\" or \"sin_cos_2d\"";
        return Err(part.wrong("pos_embed_type", expected, part.value("pos_embed_type")));
    }
    let no_norm = part.flag("no_ln_pre")?.unwrap_or(false);
    choices.claims.push((part.full("no_ln_pre"), Claim::Piece(Piece::NormPre, !no_norm)));
    if part.value("attentional_pool").is_string() {
        let expected = "true or false: two poolings after one another are not computed";
        return Err(part.wrong("attentional_pool", expected, part.value("attentional_pool")));
    }
    let pooled = part.flag("attentional_pool")?.unwrap_or(false);
    choices.claims.push((part.full("attentional_pool"), Claim::Piece(Piece::Pooler, pooled)));
    if pooled {
        choices.pooler_heads = Some(part.whole("attn_pooler_heads")?.unwrap_or(8));
        let queries = part.whole("attn_pooler_queries")?.unwrap_or(256);
        claim(part, &mut choices, "attn_pooler_queries", Some(queries), Size::Queries);
    }
    Ok(choices)
}

/// SigLIP's image tower by timm, whose name says the rest.
fn timm_image(part: &Part, name: &str) -> Result<Choices, ClipError> {
    let Some((heads, activation)) = timm::siglip(name) else {
        let expected =
            "a vision transformer of CLIP's own, or timm's of SigLIP such as vit_base_patch16_siglip_224";
        return Err(part.wrong("timm_model_name", expected, format!("\"{name}\"")));
    };
    for (key, computed) in [("timm_pool", "map"), ("timm_proj", "none")] {
        let default = if key == "timm_pool" { "avg" } else { "linear" };
        let found = part.text(key)?.unwrap_or(default);
        if found != computed {
            return Err(part.wrong(key, format!("\"{computed}\""), format!("\"{found}\"")));
        }
    }
    let mut choices = Choices {
        heads: Some(Heads::Count(heads)),
        activation: Some(activation),
        epsilon: Some(1e-6),
        pool: Some(Pool::First),
        ..Choices::default()
    };
    image_size(part, &mut choices)?;
    Ok(choices)
}

fn words(part: &Part, activation: Activation) -> Result<Choices, ClipError> {
    let mut choices = tower(part, activation)?;
    choices.heads = Some(Heads::Count(part.whole("heads")?.unwrap_or(8)));
    choices.causal = Some(!part.flag("no_causal_mask")?.unwrap_or(false));
    choices.pool = Some(match part.text("pool_type")?.unwrap_or("argmax") {
        "first" => Pool::First,
        "last" => Pool::Last,
        "argmax" => Pool::Argmax,
        "eos" => Pool::Eos(part.id("eos_id")?.unwrap_or(2)),
        other => {
            let expected = "\"first\", \"last\", \"argmax\" or \"eos\"";
            return Err(part.wrong("pool_type", expected, format!("\"{other}\"")));
        }
    });
    choices.pad_id = part.id("pad_id")?.unwrap_or(0);
    let class = part.flag("embed_cls")?.unwrap_or(false);
    choices.claims.push((part.full("embed_cls"), Claim::Piece(Piece::Class, class)));
    claim(part, &mut choices, "layers", part.whole("layers")?, Size::Layers);
    claim(part, &mut choices, "context_length", part.whole("context_length")?, Size::Context);
    claim(part, &mut choices, "vocab_size", part.whole("vocab_size")?, Size::Vocabulary);
    let projected = match part.text("proj_type")?.unwrap_or("linear") {
        "linear" => true,
        "none" => false,
        other => return Err(part.wrong("proj_type", "\"linear\" or \"none\"", format!("\"{other}\""))),
    };
    choices.claims.push((part.full("proj_type"), Claim::Piece(Piece::Projection, projected)));
    if projected {
        let bias = part.flag("proj_bias")?.unwrap_or(false);
        choices.claims.push((part.full("proj_bias"), Claim::Piece(Piece::ProjectionBias, bias)));
    }
    Ok(choices)
}

fn text_files(part: &Part) -> Result<TextFiles, ClipError> {
    let named = part.text("hf_tokenizer_name")?.filter(|name| !name.is_empty()).map(String::from);
    let choices = part.part("tokenizer_kwargs")?;
    choices.only(&["clean strip_sep_token"])?;
    let clean = match choices.text("clean")? {
        None => None,
        Some("whitespace") => Some(Clean::Whitespace),
        Some("lower") => Some(Clean::Lower),
        Some("canonicalize") => Some(Clean::Canonicalize),
        Some(other) => {
            let expected = "\"whitespace\", \"lower\" or \"canonicalize\"";
            return Err(choices.wrong("clean", expected, format!("\"{other}\"")));
        }
    };
    let strip_separator = choices.flag("strip_sep_token")?.unwrap_or(false);
    if clean == Some(Clean::Whitespace) && named.is_none() {
        let expected = "\"lower\" or \"canonicalize\" for CLIP's own tokeniser";
        return Err(choices.wrong("clean", expected, "\"whitespace\""));
    }
    if strip_separator && named.is_none() {
        return Err(choices.wrong("strip_sep_token", "false for CLIP's own tokeniser", true));
    }
    Ok(TextFiles { named, clean, strip_separator })
}

/// `size` has no say: pictures become as large as the model.
fn preprocessing(part: &Part) -> Result<Preprocessing, ClipError> {
    part.only(&["fill_color interpolation mean mode resize_mode size std"])?;
    if !matches!(part.text("mode")?, None | Some("RGB")) {
        return Err(part.wrong("mode", "\"RGB\"", part.value("mode")));
    }
    let interpolation = match part.text("interpolation")?.unwrap_or("bicubic") {
        // What is random in training is bicubic outside.
        "bicubic" | "random" => Interpolation::Bicubic,
        "bilinear" => Interpolation::Bilinear,
        other => {
            return Err(part.wrong("interpolation", "\"bicubic\" or \"bilinear\"", format!("\"{other}\"")));
        }
    };
    let resize = match part.text("resize_mode")?.unwrap_or("shortest") {
        "shortest" => Resize::Shortest(None),
        "longest" => Resize::Longest,
        "squash" => Resize::Square(None),
        other => {
            let expected = "\"shortest\", \"longest\" or \"squash\"";
            return Err(part.wrong("resize_mode", expected, format!("\"{other}\"")));
        }
    };
    let fill = match part.value("fill_color") {
        Value::Null => 0.0,
        value => match value.as_f64().filter(|v| (0.0..=255.0).contains(v)) {
            Some(level) => level / 255.0,
            None => return Err(part.wrong("fill_color", "a number from 0 to 255", value)),
        },
    };
    let default = openai();
    let normalisation = Normalisation::new(
        part.three("mean")?.map_or_else(|| default.mean().to_vec(), Vec::from),
        part.three("std")?.map_or_else(|| default.std().to_vec(), Vec::from),
    )?;
    Ok(Preprocessing { resize, interpolation, rounding: Rounding::HalfEven, fill, normalisation })
}
