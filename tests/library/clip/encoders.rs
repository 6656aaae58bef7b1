//! Features, logits and the gradient at the pixels.

use std::path::PathBuf;

use gia_gpu::{
    clip::{Activation, Clip, Encoder, ImageTower, cosine},
    device::Device,
    plan::Plan,
    tape::{Tape, Var},
    watch::Silent,
};

use crate::{common::fixture, devices::targets};

/// Relative, as for a model of full size.
const BOUND: f64 = 1e-4;

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip").join(name)
}

fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error: f64 = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).powi(2)).sum();
    (error / expected.iter().map(|e| e * e).sum::<f64>()).sqrt()
}

/// Values of `keep` after one run.
fn evaluate(device: &dyn Device, tape: &Tape, keep: &[Var], inputs: &[(Var, &[f32])]) -> Vec<Vec<f32>> {
    let mut executable = device.compile(&Plan::new(tape, keep, &[])).unwrap();
    inputs.iter().for_each(|(var, data)| executable.write(*var, data).unwrap());
    executable.run(1).unwrap();
    keep.iter().map(|&var| executable.read(var).unwrap()).collect()
}

/// The three texts of a fixture.
fn texts(ids: &[f64], context: usize) -> Vec<Vec<usize>> {
    ids.chunks(context).map(|row| row.iter().map(|&id| id as usize).collect()).collect()
}

fn check(name: &str) {
    let expected = fixture(&format!("clip/{name}/expected"));
    let clip = Clip::open(&folder(name), None).unwrap();
    // Only Hugging Face has a file of its own for the preparation of pictures.
    assert_eq!(clip.notes.len(), usize::from(name.starts_with("hf")), "{:?}", clip.notes);
    let pixels: Vec<f32> = expected["pixels"].data.iter().map(|&v| v as f32).collect();
    let texts = texts(&expected["tokens"].data, clip.context());
    let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
    for target in targets() {
        let Some(device) = target.device() else { continue };
        let close = |what: &str, found: &[f32]| {
            let distance = distance(found, &expected[what].data);
            assert!(distance < BOUND, "{name} on {}: {what} is {distance:.1e} off", target.name);
        };
        let text_features = clip.text_features(device, &texts, &Silent).unwrap();
        close("text_features", &text_features);

        let mut tape = Tape::new();
        let x = tape.input(&expected["pixels"].shape);
        let (features, weights) = clip.encode_image(&mut tape, x);
        let target = tape.input(&expected["text_features"].shape);
        let cosines = cosine(&mut tape, features, target);
        let gradient = tape.grad(cosines, &[x])[0];
        let mut inputs = weights;
        inputs.extend([(x, pixels.as_slice()), (target, text_features.as_slice())]);
        let found = evaluate(device, &tape, &[features, cosines, gradient], &inputs);
        close("image_features", &found[0]);
        close("cosine", &found[1]);
        close("gradient", &found[2]);
        let diagonal: Vec<f64> = (0..3).map(|i| expected["logits"].data[4 * i]).collect();
        let logits: Vec<f32> = found[1].iter().map(|cosine| cosine * clip.head.scale).collect();
        assert!(distance(&logits, &diagonal) < BOUND);
    }
}

#[test]
fn hugging_face_names_and_quick_gelu_in_f32_compute_what_transformers_does() {
    check("hf_quick_gelu_f32");
}

#[test]
fn hugging_face_names_and_gelu_in_f16_compute_what_transformers_does() {
    check("hf_gelu_f16");
}

#[test]
fn open_clip_names_and_gelu_in_bf16_compute_what_open_clip_does() {
    check("open_clip_gelu_bf16");
}

#[test]
fn open_clip_names_and_quick_gelu_in_f32_compute_what_open_clip_does() {
    check("open_clip_quick_gelu_f32");
}

/// Without JSON beside the weights, heads of 64, the activation and the preparation of pictures are assumed and said to be.
#[test]
fn without_a_config_the_shapes_speak_and_the_assumption_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("any.safetensors");
    for (name, assumed) in
        [("hf_gelu_f16", Activation::QuickGelu), ("open_clip_quick_gelu_f32", Activation::Gelu)]
    {
        std::fs::copy(super::encoders::folder(name).join("model.safetensors"), &file).unwrap();
        let clip = Clip::open(&file, None).unwrap();
        let ImageTower::Transformer(image) = &clip.image else { panic!("a vision transformer") };
        assert_eq!((image.heads, image.width, image.layers), (1, 24, 2));
        assert_eq!((clip.image_size(), clip.context()), (16, 10));
        assert_eq!(image.activation, assumed);
        for (note, words) in
            clip.notes.iter().zip(["--clip-activation", "the heads", "pictures are prepared"])
        {
            assert!(note.contains(words) && note.contains("assumed"), "{note}");
        }
        assert_eq!(clip.notes.len(), 3);
        let told = Clip::open(&file, Some(Activation::Gelu)).unwrap();
        assert_eq!((told.text.activation, told.notes.len()), (Activation::Gelu, 2));
    }
}
