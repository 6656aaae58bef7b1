//! `gia-gpu name`, with a small random CLIP that has the whole vocabulary.

use std::fs;

use gia_gpu::data::Picture;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

/// A folder with `clip/` and three pictures of different sizes.
fn scene() -> TempDir {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    for (i, (height, width)) in [(16, 16), (40, 30), (5, 90)].into_iter().enumerate() {
        let pixels = (0..3 * height * width).map(|p| ((p * (i + 3)) % 97) as f32 / 96.0).collect();
        let picture = Picture::new(3, height, width, pixels).unwrap();
        picture.write_png(&scene.path().join(format!("{i}.png"))).unwrap();
    }
    scene
}

fn arguments(scene: &TempDir, rest: &str) -> String {
    let path = scene.path().display();
    format!("name --clip {path}/clip --device cpu {}", rest.replace('@', &path.to_string()))
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn json_has_a_row_a_picture_in_the_order_given_on_both_devices() {
    let scene = scene();
    let words = "--labels dog,cat,ship @/2.png @/0.png @/1.png --json";
    let report: Value = serde_json::from_str(&succeed(&arguments(&scene, words))).unwrap();
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["cosine", "labels", "model", "probabilities"]);
    assert_eq!(report["labels"], serde_json::json!(["dog", "cat", "ship"]));
    assert!(report["model"].as_str().unwrap().ends_with("clip/model.safetensors"));
    let (probabilities, cosine) = (rows(&report["probabilities"]), rows(&report["cosine"]));
    assert_eq!((probabilities.len(), cosine.len()), (3, 3));
    let scale = 2.5f64.exp();
    for (p, c) in probabilities.iter().zip(&cosine) {
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // Ratios of probabilities are those of the scaled cosines.
        assert!(((p[0] / p[1]).ln() - scale * (c[0] - c[1])).abs() < 1e-4, "{p:?} {c:?}");
    }
    // Alone, a picture gets the same row.
    let alone = succeed(&arguments(&scene, "--labels dog,cat,ship @/0.png --json"));
    let alone: Value = serde_json::from_str(&alone).unwrap();
    assert_eq!(rows(&alone["probabilities"])[0], probabilities[1]);

    let gpu = succeed(&arguments(&scene, words).replace("--device cpu", "--device gpu"));
    let gpu: Value = serde_json::from_str(&gpu).unwrap();
    for (a, b) in rows(&gpu["cosine"]).concat().iter().zip(cosine.concat()) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn the_table_leads_with_the_best_name_and_the_matrix_is_written() {
    let scene = scene();
    let printed = succeed(&arguments(&scene, "--labels dog,cat,ship @/0.png @/1.png --out @/matrix.csv"));
    let text = fs::read_to_string(scene.path().join("matrix.csv")).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["image", "dog", "cat", "ship"]);
    assert_eq!((lines.len(), printed.lines().count()), (3, 2));
    for (line, printed) in lines[1..].iter().zip(printed.lines()) {
        let row: Vec<f64> = line[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let best = (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        let expected = format!("{}  {} {:.1} %", line[0], lines[0][1 + best], 100.0 * row[best]);
        assert!(printed.starts_with(&expected), "{printed}\n{expected}");
    }
}

#[test]
fn prompts_that_are_cut_are_counted() {
    let scene = scene();
    fs::write(scene.path().join("long.txt"), "{}\na very long sentence about nothing but a single {}\n")
        .unwrap();
    let output = run(&arguments(&scene, "--labels dog,cat --templates @/long.txt @/0.png"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 of 4 prompts were cut to the model's context of 10 tokens"));
    // Plain names fit.
    let output = run(&arguments(&scene, "--labels dog,cat --templates plain @/0.png"));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn labels_that_make_no_sense_are_misuse() {
    let scene = scene();
    let check = |rest: &str, words: &[&str]| fail(2, &arguments(&scene, rest), words);
    check("--labels dog,,cat @/0.png", &["--labels", "label 2 is empty"]);
    check("--labels dog,cat,dog @/0.png", &["--labels", "\"dog\" stands twice, at 1 and 3"]);
    let long = "a-b-c-d-e-f";
    check(&format!("--labels dog,{long} @/0.png"), &["--labels", long, "11 tokens long, the model reads 8"]);
    check("--labels dog", &["<IMAGE>"]);
}

#[test]
fn pictures_that_cannot_be_named_are_errors_with_their_file() {
    let scene = scene();
    let path = |name: &str| scene.path().join(name);
    fs::write(path("text.png"), "no picture").unwrap();
    Picture::flat(3, 1, 1, 0.5).unwrap().write_png(&path("dot.png")).unwrap();
    image::GrayImage::new(20_000, 4).save(path("wide.png")).unwrap();
    let check = |rest: &str, words: &[&str]| fail(1, &arguments(&scene, rest), words);
    check("--labels dog,cat @/text.png", &["text.png", "a PNG, JPEG, PPM, PGM, BMP, TIFF or WebP picture"]);
    check("--labels dog,cat @/dot.png", &["dot.png: 1×1 pixels, expected at least 2×2"]);
    check("--labels dog,cat @/wide.png", &["wide.png", "1 to 16384 pixels", "4×20000"]);
    check("--labels dog,cat @/none.png", &["none.png", "cannot be read"]);
}

/// SigLIP's loss: the sigmoid of scale times cosine plus bias.
#[test]
fn a_siglip_judges_each_name_alone() {
    let scene = scene();
    let model = format!("{}/tests/fixtures/clip_models/hf_siglip", env!("CARGO_MANIFEST_DIR"));
    let picture = scene.path().join("0.png").display().to_string();
    let words =
        format!("name --clip {model} --device cpu --templates plain --labels dog,fox --json {picture}");
    let report: Value = serde_json::from_str(&succeed(&words)).unwrap();
    let (p, c) = (rows(&report["probabilities"]), rows(&report["cosine"]));
    for (p, c) in p[0].iter().zip(&c[0]) {
        let expected = 1.0 / (1.0 + (-(2.5f64.exp() * c - 1.5)).exp());
        assert!((p - expected).abs() < 1e-4, "{p} and {expected}");
    }
}

#[test]
fn what_a_bare_file_does_not_say_is_said_to_be_assumed() {
    let scene = scene();
    fs::create_dir(scene.path().join("bare")).unwrap();
    fs::copy(scene.path().join("clip/model.safetensors"), scene.path().join("bare/any.safetensors")).unwrap();
    let path = scene.path().display();
    let output =
        run(&format!("name --clip {path}/bare/any.safetensors --device cpu --labels dog,cat {path}/0.png"));
    assert!(output.status.success(), "{}", stderr(&output));
    for words in ["quick-gelu assumed", "1 for pictures and 1 for texts", "how pictures are prepared"] {
        assert!(stderr(&output).contains(words), "no '{words}' in: {}", stderr(&output));
    }
    let with = |activation: &str| {
        let options =
            format!("--clip-activation {activation} --device cpu --labels dog,cat --json {path}/0.png");
        let output = run(&format!("name --clip {path}/bare/any.safetensors {options}"));
        assert!(output.status.success() && !stderr(&output).contains("gelu assumed"), "{}", stderr(&output));
        output.stdout
    };
    assert!(with("gelu") != with("quick-gelu"), "another activation sees the same");
}

#[test]
fn models_that_are_not_there_are_errors_that_say_what_to_do() {
    let scene = scene();
    let picture = scene.path().join("0.png").display().to_string();
    let cache = |command: &mut std::process::Command| {
        command.env("XDG_CACHE_HOME", scene.path()).env("HOME", scene.path());
    };
    let check = |clip: &str, words: &[&str]| {
        let mut command = program();
        cache(&mut command);
        let output =
            command.args(["name", "--clip", clip, "--labels", "dog,cat", &picture]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{clip}");
        words.iter().for_each(|word| assert!(stderr(&output).contains(word), "{}", stderr(&output)));
    };
    check("clip-vit-b32", &["`gia-gpu weights get clip-vit-b32`"]);
    check("no/such/clip", &["no/such/clip", "cannot be read"]);
    check(clip_fixture().to_str().unwrap(), &["not in the model's vocabulary of 50", "49408"]);
}
