//! JSON that asks for something that is not computed, or that is not of these tensors: the error names file and key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gia_gpu::{
    clip::{Clip, Encoder, Templates},
    device::cpu::Cpu,
    watch::Silent,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const OPEN: &str = "open_longest";
const HF: &str = "hf_large_edge";
const SIGLIP: &str = "hf_siglip";

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip_models").join(name)
}

/// A copy of a fixture's folder.
fn copy(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fixtures(name).read_dir().unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// What opening a folder, or naming with it, says.
fn error(folder: &Path) -> String {
    let named = Clip::open(folder, None).and_then(|clip| {
        let labels = ["dog".to_string()];
        clip.name_features(&Cpu::<f32>::new(), &labels, &Templates::plain(), &Silent)
    });
    named.map(drop).expect_err("an error").to_string()
}

/// The value under a key, as in `model_cfg.vision_cfg.width`, becomes another one; null takes it away.
fn change(folder: &Path, file: &str, key: &str, value: &Value) {
    let path = folder.join(file);
    let mut root: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let (parts, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut part = &mut root;
    for name in parts.split('.').filter(|name| !name.is_empty()) {
        part = &mut part[name];
    }
    part[last] = value.clone();
    fs::write(path, root.to_string()).unwrap();
}

/// Every one of these changes is refused with the file, the key and these words.
fn refused(name: &str, file: &str, changes: &[(&str, Value, &[&str])]) {
    for (key, value, words) in changes {
        let folder = copy(name);
        change(folder.path(), file, key, value);
        let message = error(folder.path());
        for word in words.iter().chain(&[file, *key]) {
            assert!(message.contains(word), "no '{word}' in: {message}");
        }
    }
}

#[test]
fn open_clip_keys_that_are_not_computed_are_named() {
    refused(
        OPEN,
        "open_clip_config.json",
        &[
            ("model_cfg.vision_cfg.qk_norm", json!(true), &["not computed"]),
            ("model_cfg.vision_cfg.registers", json!(4), &["is 4"]),
            ("model_cfg.vision_cfg.pool_type", json!("none"), &["\"tok\" or \"avg\""]),
            ("model_cfg.vision_cfg.attentional_pool", json!("parallel"), &["parallel"]),
            ("model_cfg.vision_cfg.timm_model_name", json!("eva02_base_patch16_clip_224"), &["eva02"]),
            ("model_cfg.text_cfg.hf_model_name", json!("xlm-roberta-base"), &["xlm-roberta-base"]),
            ("model_cfg.text_cfg.pool_type", json!("none"), &["\"argmax\""]),
            ("model_cfg.text_cfg.tokenizer_mode", json!("clips"), &["clips"]),
            ("model_cfg.text_cfg.proj_type", json!("mlp"), &["mlp"]),
            ("preprocess_cfg.interpolation", json!("nearest"), &["\"bicubic\" or \"bilinear\""]),
            ("preprocess_cfg.resize_mode", json!("stretch"), &["\"squash\""]),
            ("preprocess_cfg.mode", json!("L"), &["\"RGB\""]),
            ("model_cfg", json!(null), &["another model"]),
        ],
    );
}

#[test]
fn open_clip_keys_that_are_not_the_tensors_are_named() {
    refused(
        OPEN,
        "open_clip_config.json",
        &[
            ("model_cfg.embed_dim", json!(512), &["512", "40"]),
            ("model_cfg.vision_cfg.width", json!(48), &["48", "24"]),
            ("model_cfg.vision_cfg.layers", json!(2), &["is 2", "expected 1"]),
            ("model_cfg.vision_cfg.layers", json!([1, 1, 1, 1]), &["a ResNet's stages"]),
            ("model_cfg.vision_cfg.patch_size", json!(16), &["16", "8"]),
            ("model_cfg.vision_cfg.image_size", json!(64), &["64", "32"]),
            ("model_cfg.vision_cfg.mlp_ratio", json!(2.0), &["48", "96"]),
            ("model_cfg.vision_cfg.no_ln_pre", json!(true), &["a norm in front"]),
            ("model_cfg.vision_cfg.ls_init_value", json!(0.1), &["layer scale"]),
            ("model_cfg.vision_cfg.attentional_pool", json!(true), &["attentional pooling"]),
            ("model_cfg.text_cfg.context_length", json!(77), &["77", "12"]),
            ("model_cfg.text_cfg.vocab_size", json!(49408), &["49408", "320"]),
            ("model_cfg.text_cfg.proj_bias", json!(true), &["a bias of the projection"]),
            ("model_cfg.text_cfg.embed_cls", json!(true), &["a class token"]),
            ("model_cfg.init_logit_bias", json!(-10), &["logit_bias"]),
        ],
    );
}

#[test]
fn hugging_face_keys_that_are_not_computed_or_not_the_tensors_are_named() {
    refused(
        HF,
        "config.json",
        &[
            ("model_type", json!("bert"), &["bert", "another model"]),
            ("model_type", json!("siglip"), &["the tensors"]),
            ("vision_config.hidden_act", json!("relu"), &["relu"]),
            ("vision_config.num_channels", json!(1), &["expected 3"]),
            ("vision_config.num_register_tokens", json!(4), &["is 4"]),
            ("vision_config.hidden_size", json!(96), &["96", "24"]),
            ("vision_config.image_size", json!(224), &["224", "32"]),
            ("vision_config.image_size", json!([32, 24]), &["a square"]),
            ("text_config.vocab_size", json!(49408), &["49408", "320"]),
            ("text_config.max_position_embeddings", json!(77), &["77", "12"]),
            ("projection_dim", json!(512), &["512", "40"]),
        ],
    );
    refused(
        SIGLIP,
        "config.json",
        &[
            ("model_type", json!("clip"), &["siglip"]),
            ("model_type", json!("siglip2"), &["NaFlex"]),
            ("vision_config.vision_use_head", json!(false), &["the head"]),
        ],
    );
}

#[test]
fn a_preparation_of_pictures_that_is_not_computed_is_named() {
    refused(
        HF,
        "preprocessor_config.json",
        &[
            ("crop_size", json!({"height": 224, "width": 224}), &["224", "32"]),
            ("crop_size", json!({"height": 32, "width": 24}), &["a square"]),
            ("size", json!({"height": 32, "width": 24}), &["a square"]),
            ("do_center_crop", json!(false), &["squares"]),
            ("resample", json!(0), &["bilinear"]),
            ("do_pad", json!(true), &["not computed"]),
            ("crop_pct", json!(0.9), &["not computed"]),
            ("image_std", json!([0.5, 0.5]), &["three numbers"]),
            ("image_processor_type", json!("BlipImageProcessor"), &["CLIPImageProcessor"]),
        ],
    );
    refused(
        SIGLIP,
        "preprocessor_config.json",
        &[
            ("size", json!({"height": 64, "width": 64}), &["64", "38"]),
            ("do_resize", json!(false), &["size"]),
        ],
    );
}

#[test]
fn a_tokenizer_that_is_not_the_embeddings_is_refused() {
    for (model, other) in [(OPEN, "hf_siglip2"), (OPEN, "hf_siglip"), (HF, "open_clipa"), (SIGLIP, HF)] {
        let folder = copy(model);
        fs::copy(fixtures(other).join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
        let message = error(folder.path());
        assert!(message.contains("tokenizer.json") && message.contains("token embedding"), "{message}");
    }
    let folder = copy(OPEN);
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    assert!(error(folder.path()).contains("not a tokenizer.json that can be read"));
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert!(error(folder.path()).contains("expected a tokenizer.json beside the weights"));
    let folder = copy(SIGLIP);
    change(folder.path(), "tokenizer_config.json", "pad_token", &json!(null));
    let message = error(folder.path());
    assert!(message.contains("tokenizer_config.json") && message.contains("'pad_token'"), "{message}");
    let folder = copy(HF);
    change(folder.path(), "tokenizer_config.json", "padding_side", &json!("left"));
    assert!(error(folder.path()).contains("'padding_side'"));
}

/// Hugging Face's names with OpenCLIP's file alone, and the reverse, describe the same model.
#[test]
fn the_other_librarys_file_counts_where_the_own_one_is_missing() {
    let folder = copy(OPEN);
    fs::remove_file(folder.path().join("open_clip_config.json")).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"model_type": "resnet"}"#).unwrap();
    let message = error(folder.path());
    assert!(message.contains("config.json") && message.contains("'model_type' is \"resnet\""), "{message}");
    let vision = json!({"hidden_size": 24, "num_attention_heads": 3, "image_size": 32, "hidden_act": "gelu"});
    let text = json!({"num_attention_heads": 2, "hidden_act": "gelu"});
    let config = json!({"model_type": "clip", "vision_config": vision, "text_config": text});
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let clip = Clip::open(folder.path(), None).unwrap();
    assert_eq!((clip.image.heads(), clip.text.heads), (3, 2));
}
