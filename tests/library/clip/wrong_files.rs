//! A file that is no CLIP, or a damaged one: the error names what is missing and what the file looks like.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gia_gpu::{
    clip::Clip,
    tensor_file::{Tensor, TensorFile},
};
use safetensors::{Dtype, tensor::TensorView};
use tempfile::TempDir;

use super::encoders::folder;

type Tensors = BTreeMap<String, Tensor>;

fn zeros(shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}

/// What opening the file says.
fn error(path: &Path) -> String {
    match Clip::open(path, None) {
        Ok(_) => panic!("{} was taken for a CLIP", path.display()),
        Err(error) => error.to_string(),
    }
}

fn written(tensors: &Tensors) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    TensorFile::write(&path, tensors, &BTreeMap::new()).unwrap();
    (folder, path)
}

/// Expects an error with these words, and the file's name, for tensors that `change` has changed.
fn check(name: &str, words: &[&str], change: impl FnOnce(&mut Tensors)) {
    let mut tensors = TensorFile::read(&folder(name).join("model.safetensors")).unwrap().tensors;
    change(&mut tensors);
    let (_folder, path) = written(&tensors);
    let message = error(&path);
    for word in words.iter().copied().chain([path.to_str().unwrap()]) {
        assert!(message.contains(word), "no '{word}' in: {message}");
    }
}

const HF: &str = "hf_quick_gelu_f32";
const OPEN: &str = "open_clip_quick_gelu_f32";

#[test]
fn another_models_file_is_told_what_it_looks_like() {
    for (name, shape, words) in [
        ("layer1.0.conv1.weight", vec![64, 64, 3, 3], "a ResNet"),
        ("bert.encoder.layer.0.output.dense.weight", vec![8, 8], "a BERT"),
        ("model.layers.0.mlp.up_proj.weight", vec![8, 8], "a language model"),
        ("visual.attnpool.k_proj.weight", vec![8, 8], "one tower of a CLIP"),
        ("something.else", vec![1], "names such as 'something.else'"),
    ] {
        let (_folder, path) = written(&BTreeMap::from([(name.to_string(), zeros(&shape))]));
        let message = error(&path);
        assert!(message.contains("not a CLIP") && message.contains("are missing, such as"), "{message}");
        assert!(message.contains(words), "no '{words}' in: {message}");
    }
    let (_folder, path) = written(&BTreeMap::new());
    assert!(error(&path).contains("the file holds no tensors"));
}

#[test]
fn one_tower_is_not_enough() {
    check(
        HF,
        &["tensors are missing", "'text_model.embeddings.token_embedding.weight'", "both are needed"],
        |t| {
            t.retain(|name, _| name.starts_with("vision_model.") || name.starts_with("visual_"));
        },
    );
}

#[test]
fn a_missing_tensor_is_named() {
    check(HF, &["1 of ", "'vision_model.encoder.layers.1.mlp.fc2.bias'", "not complete"], |t| {
        t.remove("vision_model.encoder.layers.1.mlp.fc2.bias");
    });
    check(OPEN, &["1 of ", "'transformer.resblocks.0.attn.in_proj_weight'"], |t| {
        t.remove("transformer.resblocks.0.attn.in_proj_weight");
    });
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    check(HF, &["'visual_projection.weight'", "[20, 23]", "[20, 24]"], |t| {
        t.insert("visual_projection.weight".into(), zeros(&[20, 23]));
    });
    check(HF, &["'vision_model.embeddings.position_embedding.weight'", "square number"], |t| {
        t.insert("vision_model.embeddings.position_embedding.weight".into(), zeros(&[4, 24]));
    });
    check(OPEN, &["'visual.transformer.resblocks.0.attn.in_proj_weight'", "three parts"], |t| {
        t.insert("visual.transformer.resblocks.0.attn.in_proj_weight".into(), zeros(&[71, 24]));
    });
    check(OPEN, &["'visual.conv1.weight'", "(24, 3, P, P)"], |t| {
        t.insert("visual.conv1.weight".into(), zeros(&[24, 3, 8, 7]));
    });
    check(OPEN, &["'text_projection'", "an image tower's width of 20"], |t| {
        t.insert("text_projection".into(), zeros(&[16, 21]));
    });
    check(HF, &["'logit_scale'", "one number"], |t| {
        t.insert("logit_scale".into(), zeros(&[2]));
    });
}

#[test]
fn numbers_that_are_none_are_named() {
    check(HF, &["'text_projection.weight'", "not finite"], |t| {
        t.get_mut("text_projection.weight").unwrap().data[3] = f32::NAN;
    });
    check(OPEN, &["'logit_scale'", "not finite"], |t| {
        t.get_mut("logit_scale").unwrap().data[0] = f32::INFINITY
    });
}

#[test]
fn a_part_that_is_not_computed_is_no_detail() {
    check(OPEN, &["'visual.transformer.resblocks.0.attn.ln_q.weight'", "a part that is not computed"], |t| {
        t.insert("visual.transformer.resblocks.0.attn.ln_q.weight".into(), zeros(&[8]));
    });
    check(HF, &["'logit_bias'", "SigLIP"], |t| {
        t.insert("logit_bias".into(), zeros(&[]));
    });
}

#[test]
fn a_wrong_type_is_named() {
    let file = TensorFile::read(&folder(HF).join("model.safetensors")).unwrap();
    let bytes: BTreeMap<String, Vec<u8>> = file
        .tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let name = "vision_model.post_layernorm.weight";
    let views: Vec<(String, TensorView)> = file
        .tensors
        .iter()
        .map(|(key, tensor)| {
            let dtype = if key == name { Dtype::I32 } else { Dtype::F32 };
            (key.clone(), TensorView::new(dtype, tensor.shape.clone(), &bytes[key]).unwrap())
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let message = error(&path);
    assert!(message.contains(name) && message.contains("type I32, expected F32"), "{message}");
}

#[test]
fn a_cut_file_and_an_empty_folder_are_told_apart() {
    let bytes = fs::read(folder(HF).join("model.safetensors")).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    assert!(error(temporary.path()).contains("a folder with model.safetensors, found neither"));
    let path = temporary.path().join("model.safetensors");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(error(&path).contains("truncated"), "{}", error(&path));
    assert!(error(&temporary.path().join("none.safetensors")).contains("cannot be read"));
}

#[test]
fn a_config_that_contradicts_the_tensors_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let source = folder(HF);
    fs::copy(source.join("model.safetensors"), temporary.path().join("model.safetensors")).unwrap();
    let config = fs::read_to_string(source.join("config.json")).unwrap();
    for (from, to, words) in [
        ("\"quick_gelu\"", "\"relu\"", vec!["hidden_act", "relu", "\"quick_gelu\" or \"gelu\""]),
        ("\"hidden_size\": 24", "\"hidden_size\": 48", vec!["hidden_size", "48", "24, the width"]),
        ("\"num_attention_heads\": 3", "\"num_attention_heads\": 5", vec!["5 heads", "width of 24"]),
        ("\"num_attention_heads\": 3", "\"num_attention_heads\": -3", vec!["num_attention_heads", "-3"]),
        ("{", "", vec!["config.json"]),
    ] {
        fs::write(temporary.path().join("config.json"), config.replacen(from, to, 1)).unwrap();
        let message = error(temporary.path());
        words.iter().for_each(|word| assert!(message.contains(word), "no '{word}' in: {message}"));
    }
}
