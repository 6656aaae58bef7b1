//! What a CLIP's files say is what is computed: small models of open_clip and transformers, each with other settings,
//! against what those libraries make of the same folders. Figures of `tests/fixtures/make_clip_models.py`.

use std::path::{Path, PathBuf};

use gia_gpu::{
    clip::{Clip, Encoder, Templates, cosine, zero_shot::name_pictures},
    data::Picture,
    device::Device,
    plan::Plan,
    tape::Tape,
    watch::Silent,
};

use crate::{common::fixture, devices::targets};

const LABELS: [&str; 5] = ["dog", "red fox", "Airplane", "café_open!", "snow leopard"];

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip_models");
    let mut found: Vec<PathBuf> = all.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().into()
}

/// sin(0.7·i + phase + (i mod 13))
fn wave(i: usize, phase: f64) -> f64 {
    (0.7 * i as f64 + phase + (i % 13) as f64).sin()
}

/// Slow waves of eight bits.
fn picture(height: usize, width: usize) -> Picture {
    let level = |i: usize| {
        let (c, y, x) = (i / height / width, i / width % height, i % width);
        let wave = (0.21 * x as f64 + 0.13 * (y * (c + 1)) as f64 + c as f64).sin();
        ((128.0 + 120.0 * wave).floor() / 255.0) as f32
    };
    Picture::new(3, height, width, (0..3 * height * width).map(level).collect()).unwrap()
}

/// ‖found − expected‖ / ‖expected‖, the largest of all rows.
fn apart(found: &[f32], expected: &[f64], width: usize) -> f64 {
    assert_eq!(found.len(), expected.len());
    let rows = found.chunks(width).zip(expected.chunks(width));
    let one = |(found, expected): (&[f32], &[f64])| {
        let error: f64 = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).powi(2)).sum();
        (error / expected.iter().map(|e| e * e).sum::<f64>()).sqrt()
    };
    rows.map(one).fold(0.0, f64::max)
}

/// On every device that runs in single precision.
fn on_devices(check: impl Fn(&str, &dyn Device)) {
    for target in targets() {
        if let Some(device) = target.device() {
            check(target.name, device);
        }
    }
}

#[test]
fn there_is_a_fixture_of_each_kind() {
    assert_eq!(folders().len(), 16);
}

#[test]
fn texts_become_the_ids_and_features_that_the_library_makes() {
    for folder in folders() {
        let expected = fixture(&format!("clip_models/{}/expected", name(&folder)));
        let clip = Clip::open(&folder, None).unwrap();
        assert!(clip.notes.is_empty(), "{:?}", clip.notes);
        let (ids, context) = (&expected["tokens"].data, clip.context());
        for (label, row) in LABELS.iter().zip(ids.chunks(context)) {
            let found = clip.tokens(label).unwrap();
            let row: Vec<usize> = row.iter().map(|&id| id as usize).collect();
            assert_eq!(found, row[..found.len()], "{label} of {}", name(&folder));
        }
        let texts: Vec<Vec<usize>> = LABELS.iter().map(|label| clip.tokens(label).unwrap()).collect();
        let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
        on_devices(|device, on| {
            let found = clip.text_features(on, &texts, &Silent).unwrap();
            let width = found.len() / LABELS.len();
            let distance = apart(&found, &expected["text_features"].data, width);
            assert!(distance < 1e-5, "{} on {device}: {distance:.1e}", name(&folder));
        });
    }
}

#[test]
fn pictures_become_the_features_that_the_library_makes_and_so_does_the_guidance() {
    for folder in folders() {
        let expected = fixture(&format!("clip_models/{}/expected", name(&folder)));
        let clip = Clip::open(&folder, None).unwrap();
        let size = clip.image_size();
        let length = 3 * size * size;
        let values = |n: usize| (0..length).map(move |i| (1.5 * wave(i, n as f64)) as f32);
        let pixels: Vec<f32> = (0..2).flat_map(values).collect();
        let texts: Vec<f32> = expected["text_features"].data.iter().map(|&v| v as f32).collect();
        let width = texts.len() / LABELS.len();

        let mut tape = Tape::new();
        let x = tape.input(&[2, 3, size, size]);
        let (features, mut inputs) = clip.encode_image(&mut tape, x);
        let target = tape.input(&[2, width]);
        let cosines = cosine(&mut tape, features, target);
        let gradient = tape.grad(cosines, &[x])[0];
        inputs.extend([(x, pixels.as_slice()), (target, &texts[..2 * width])]);
        on_devices(|device, on| {
            let keep = [features, cosines, gradient];
            let mut run = on.compile(&Plan::new(&tape, &keep, &[])).unwrap();
            inputs.iter().for_each(|(var, data)| run.write(*var, data).unwrap());
            run.run(1).unwrap();
            let [features, cosines, gradient] = keep.map(|var| run.read(var).unwrap());
            let distance = apart(&features, &expected["image_features"].data, width);
            assert!(distance < 1e-5, "{} on {device}: {distance:.1e}", name(&folder));
            for (found, expected) in cosines.iter().zip(&expected["cosine"].data) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{} on {device}", name(&folder));
            }
            for (slope, expected) in gradient.chunks(length).zip(expected["gradient"].data.chunks(9)) {
                let slope: Vec<f64> = slope.iter().map(|&v| f64::from(v)).collect();
                let norm = slope.iter().map(|v| v * v).sum::<f64>().sqrt();
                assert!((norm - expected[0]).abs() < 1e-4 * expected[0], "{} on {device}", name(&folder));
                for (phase, product) in expected[1..].iter().enumerate() {
                    let along = |i: usize| wave(i, 10.0 + phase as f64);
                    let found: f64 = slope.iter().enumerate().map(|(i, v)| v * along(i)).sum();
                    let bound = 1e-4 * norm * (0..length).map(|i| along(i).powi(2)).sum::<f64>().sqrt();
                    assert!((found - product).abs() < bound, "{} on {device}", name(&folder));
                }
            }
        });
    }
}

#[test]
fn pictures_and_names_are_prepared_as_the_library_does() {
    for folder in folders() {
        let expected = fixture(&format!("clip_models/{}/expected", name(&folder)));
        let clip = Clip::open(&folder, None).unwrap();
        let size = clip.image_size();
        let shown = [picture(size, size), picture(size + 9, 2 * size + 5)];
        let labels = LABELS.map(String::from);
        on_devices(|device, on| {
            let pictures = shown.iter().map(|picture| ("picture".to_string(), Ok(picture.clone())));
            let found = name_pictures(on, &clip, &labels, &Templates::plain(), pictures, &Silent).unwrap();
            // This one asks for another size first, even for pictures of the model's.
            let always = name(&folder) == "hf_large_edge";
            for (n, bound) in [(0, if always { 2e-3 } else { 1e-5 }), (1, 2e-3)] {
                let expected = &expected["named"].data[n * LABELS.len()..][..LABELS.len()];
                for (found, expected) in found.cosine[n].iter().zip(expected) {
                    let error = (found - expected).abs();
                    assert!(error < bound, "{}, picture {n} on {device}: {error:.1e}", name(&folder));
                }
            }
        });
    }
}

/// SigLIP's loss judges each name alone.
#[test]
fn probabilities_are_those_of_the_models_own_loss() {
    for folder in folders() {
        let clip = Clip::open(&folder, None).unwrap();
        let siglip = name(&folder).contains("siglip");
        assert_eq!(clip.head().bias, siglip.then_some(-1.5), "{}", name(&folder));
        let sum: f64 = clip.head().probabilities(&[0.1, 0.2, 0.3]).iter().sum();
        assert_eq!((sum - 1.0).abs() > 1e-9, siglip);
    }
}
