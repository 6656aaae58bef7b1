//! `config.json` of `transformers`: `CLIPConfig`, `MetaClip2Config` and `SiglipConfig`. What it leaves out has that
//! class's default.

use super::{Activation, Choices, Claim, Heads, Json, Part, Pool, Size, Sources};
use crate::clip::{ClipError, Naming};

/// What every configuration of `transformers` may hold and no forward pass of these models reads.
const GENERAL: &str = "_attn_implementation _attn_implementation_autoset _name_or_path add_cross_attention \
    architectures attn_implementation bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward \
    cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping \
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task \
    forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label initializer_factor \
    initializer_range is_decoder is_encoder_decoder label2id length_penalty logit_scale_init_value max_length \
    min_length model_type no_repeat_ngram_size num_beam_groups num_beams num_return_sequences \
    output_attentions output_hidden_states output_scores pad_token_id prefix problem_type pruned_heads \
    remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens \
    task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings tokenizer_class \
    top_k top_p torch_dtype torchscript transformers.js_config transformers_version typical_p use_bfloat16 \
    use_cache";

/// Dropout does nothing outside training.
const TRAINING: &str = "attention_dropout dropout projection_dim";

const TOWER: &str =
    "hidden_act hidden_size intermediate_size layer_norm_eps num_attention_heads num_hidden_layers";
const VISION: &str = "image_size num_channels patch_size vision_use_head";
const TEXT: &str = "max_position_embeddings projection_size vocab_size";
const WHOLE: &str = "projection_dim text_config text_config_dict vision_config vision_config_dict";

#[derive(Clone, Copy, PartialEq)]
enum Family {
    Clip,
    MetaClip2,
    SigLip,
}

pub(crate) fn read(file: &Json, naming: Naming, found: &mut Sources) -> Result<(), ClipError> {
    let root = file.part();
    let family = family(&root, naming)?;
    root.only(&[GENERAL, WHOLE])?;
    // A second copy overrules the first one, as it does in `transformers`.
    let part = |key: &str| {
        let copy = format!("{key}_dict");
        root.part(if root.has(&copy) { &copy } else { key })
    };
    let (vision, text) = (part("vision_config")?, part("text_config")?);
    vision.only(&[GENERAL, TRAINING, TOWER, VISION])?;
    text.only(&[GENERAL, TRAINING, TOWER, TEXT])?;
    found.image = tower(&vision, 12, family)?;
    found.text = tower(&text, if family == Family::SigLip { 12 } else { 8 }, family)?;

    claim(&vision, &mut found.image, "patch_size", vision.side("patch_size")?, Size::Patch);
    image_size(&vision, &mut found.image)?;
    found.image.pool = Some(Pool::First);
    if vision.whole("num_channels")?.unwrap_or(3) != 3 {
        return Err(vision.wrong("num_channels", 3, vision.value("num_channels")));
    }
    if vision.flag("vision_use_head")? == Some(false) {
        return Err(vision.wrong("vision_use_head", "true: without the head there is no feature", false));
    }
    claim(
        &text,
        &mut found.text,
        "max_position_embeddings",
        text.whole("max_position_embeddings")?,
        Size::Context,
    );
    claim(&text, &mut found.text, "vocab_size", text.whole("vocab_size")?, Size::Vocabulary);
    let shared = match family {
        Family::SigLip => text.whole("projection_size")?.map(|n| (text.full("projection_size"), n)),
        _ => root.whole("projection_dim")?.map(|n| (root.full("projection_dim"), n)),
    };
    found.text.claims.extend(shared.map(|(key, n)| (key, Claim::Size(Size::Shared, n))));

    let eos = text.id("eos_token_id")?.unwrap_or(49_407);
    found.text.causal = Some(family != Family::SigLip);
    found.text.pool = Some(match family {
        Family::SigLip => Pool::Last,
        // Written by mistake in older files, which means the largest id.
        Family::Clip if eos == 2 => Pool::Argmax,
        _ => Pool::Eos(eos),
    });
    found.bias = Some(("model_type".into(), family == Family::SigLip));
    Ok(())
}

/// Which of the families the file describes; another one's is refused, and one that the tensors are not of.
fn family(root: &Part, naming: Naming) -> Result<Family, ClipError> {
    const KNOWN: &str = "\"clip\", \"metaclip_2\" or \"siglip\"";
    let family = match root.text("model_type")? {
        Some("clip") => Family::Clip,
        Some("metaclip_2") => Family::MetaClip2,
        Some("siglip") => Family::SigLip,
        Some("siglip2") => {
            let what = "\"siglip\": the SigLIP 2 of pictures of any ratio (NaFlex) is not computed, those of one size are";
            return Err(root.wrong("model_type", what, "\"siglip2\""));
        }
        None if root.value("vision_config").is_object() => Family::Clip,
        other => {
            let found = other.map_or("missing".into(), |name| format!("\"{name}\""));
            return Err(root.wrong(
                "model_type",
                format!("{KNOWN}: the file describes another model"),
                found,
            ));
        }
    };
    let tensors = matches!(naming, Naming::HuggingFace { siglip: true });
    if matches!(naming, Naming::HuggingFace { .. }) && tensors != (family == Family::SigLip) {
        let expected = if tensors { "\"siglip\"" } else { "\"clip\" or \"metaclip_2\"" };
        let expected = format!("{expected}, which the tensors are of");
        return Err(root.wrong("model_type", expected, root.value("model_type")));
    }
    Ok(family)
}

fn tower(part: &Part, heads: usize, family: Family) -> Result<Choices, ClipError> {
    let siglip = family == Family::SigLip;
    let default = if siglip { "gelu_pytorch_tanh" } else { "quick_gelu" };
    let activation = match part.text("hidden_act")?.unwrap_or(default) {
        "quick_gelu" => Activation::QuickGelu,
        "gelu" | "gelu_python" => Activation::Gelu,
        "gelu_pytorch_tanh" | "gelu_new" => Activation::GeluTanh,
        other => {
            let expected = "\"quick_gelu\" or \"gelu\" or \"gelu_pytorch_tanh\"";
            return Err(part.wrong("hidden_act", expected, format!("\"{other}\"")));
        }
    };
    let mut choices = Choices {
        heads: Some(Heads::Count(part.whole("num_attention_heads")?.unwrap_or(heads))),
        activation: Some(activation),
        epsilon: Some(part.number("layer_norm_eps")?.unwrap_or(if siglip { 1e-6 } else { 1e-5 })),
        ..Choices::default()
    };
    for (key, size) in [
        ("hidden_size", Size::Width),
        ("intermediate_size", Size::Hidden),
        ("num_hidden_layers", Size::Layers),
    ] {
        claim(part, &mut choices, key, part.whole(key)?, size);
    }
    Ok(choices)
}

/// Notes what a key says of a size.
pub(crate) fn claim(part: &Part, choices: &mut Choices, key: &str, value: Option<usize>, size: Size) {
    choices.claims.extend(value.map(|n| (part.full(key), Claim::Size(size, n))));
}

/// The side of the pictures; both libraries' default is 224.
pub(crate) fn image_size(part: &Part, choices: &mut Choices) -> Result<(), ClipError> {
    choices.image_size = Some(part.side("image_size")?.unwrap_or(224));
    claim(part, choices, "image_size", choices.image_size, Size::Image);
    Ok(())
}
