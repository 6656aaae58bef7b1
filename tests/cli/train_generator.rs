//! `train generator`, and what can be done with its file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gia_gpu::{audit::read_generator, data::Picture, tensor_file::TensorFile};
use serde_json::Value;
use tempfile::TempDir;

use crate::{support::*, train::pictures};

fn train(scene: &TempDir, name: &str, rest: &str) -> (String, PathBuf) {
    let (data, out) = (pictures(scene.path()), scene.path().join(format!("{name}.safetensors")));
    let options = "--batch 4 --width 2 --device cpu";
    (format!("train generator --data {data} {options} --out {} {rest}", out.display()), out)
}

#[test]
fn a_class_conditional_generator_is_trained_looked_at_and_attacks() {
    let scene = folder();
    let data = pictures(scene.path());
    let (command, out) = train(&scene, "own", &format!("--conditional --epochs 3 --test {data}"));
    let text = succeed(&command);
    assert!(
        text.contains("epoch 3: generator's loss") && text.contains("class-conditional DCGAN after 3"),
        "{text}"
    );
    assert!(text.contains("Fréchet distance from"), "{text}");
    assert!(!scene.path().join("own.checkpoint.safetensors").exists());
    let sheet = Picture::read(&scene.path().join("own.samples.png")).unwrap();
    assert!(sheet.width > 8 * 96, "{}", sheet.width);

    let file = TensorFile::read(&out).unwrap();
    assert_eq!(file.metadata["format"], "gia-gpu generator");
    let trained: Value = serde_json::from_str(&file.metadata["training"]).unwrap();
    assert_eq!(trained["epochs"].as_array().unwrap().len(), 3);
    assert!(trained["distance"]["frechet_distance"].as_f64().unwrap() > 0.0);
    let read = read_generator(&out, None).unwrap();
    let classes = read.class_names.len();
    assert_eq!(read.generator.classes(), classes);
    assert!(classes >= 2 && read.generator.latent() == 100 + classes);

    // It names what it was trained on, and is asked for a class.
    let attack = |rest: &str| {
        let few = "--arch lenet-zhu --preset gifd --iterations 4 --batches 1 --no-names --device cpu";
        let out = scene.path().join("found");
        format!(
            "run {few} --generator {} {rest} --force --out {}",
            scene.path().join("own.safetensors").display(),
            out.display()
        )
    };
    fail(2, &attack(""), &["generator", "class-conditional", &read.class_names[0]]);
    fail(2, &attack("--generator-class nothing"), &["nothing", &read.class_names[0]]);
    succeed(&attack("--generator-class open"));
    let report = report(&scene.path().join("found"));
    let prior = report["threat_model"]["generative_prior"].as_str().unwrap();
    assert!(prior.contains("class-conditional DCGAN of 3×32×32") && prior.contains("pictures of"), "{prior}");
    let stages = report["batches"][0]["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 5);
    assert_eq!(stages.iter().filter(|stage| stage["chosen"] == true).count(), 1);
    let page = fs::read_to_string(scene.path().join("found/report.html")).unwrap();
    assert!(page.contains("Stage by stage") && page.contains("features 4: "));
    succeed(&attack("--generator-class class1"));
    let labels: Vec<String> = (0..10).map(|label| format!("{label}=class{}", label % 2)).collect();
    succeed(&attack(&format!("--generator-class {}", labels.join(","))));
    fail(2, &attack("--generator-class 3=class1,3=class0"), &["--generator-class", "label 3 has two names"]);
    fail(2, &attack("--generator-class 12=class1"), &["generator_class", "a name for every label"]);

    // Neither takes the place of the other.
    let victim = scene.path().join("victim.safetensors");
    let data = pictures(scene.path());
    let own = "train victim --arch lenet-zhu --batch 4 --epochs 1 --device cpu";
    succeed(&format!("{own} --data {data} --out {}", victim.display()));
    let with = |generator: &Path| {
        attack("").replace("own.safetensors", generator.file_name().unwrap().to_str().unwrap())
    };
    fail(1, &with(&victim), &["expected a generator's weights", "lenet-zhu"]);
    fail(
        1,
        &format!("evaluate --arch lenet-zhu --weights {} --data {data}", out.display()),
        &["main.0.weight"],
    );
}

#[test]
fn a_stopped_training_goes_on_and_ends_with_the_same_bits() {
    let scene = folder();
    let (whole, expected) = train(&scene, "whole", "--epochs 4");
    succeed(&whole);
    // Stopped at once, as often as it takes.
    let (stopped, found) = train(&scene, "stopped", "--epochs 2");
    let output = run(&format!("{stopped} --time-limit 0.01"));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!found.exists() && scene.path().join("stopped.checkpoint.safetensors").exists());
    fail(2, &stopped, &["--resume", "delete it"]);
    fail(2, &format!("{stopped} --resume --seed 7"), &["seed was 42, is 7"]);
    fail(2, &format!("{stopped} --resume --width 3").replacen("--width 2", "", 1), &["width", "2", "3"]);
    // More epochs than at first are the same training.
    succeed(&format!("{} --resume", stopped.replace("--epochs 2", "--epochs 4")));
    assert!(fs::read(&found).unwrap() == fs::read(&expected).unwrap());
    fail(2, &format!("{whole} --resume"), &["no checkpoint"]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let scene = folder();
    let check = |rest: &str, words: &[&str]| fail(2, &train(&scene, "x", rest).0, words);
    check("--epochs 0", &["--epochs"]);
    check("--learning-rate -1", &["--learning-rate", "-1"]);
    check("--limit 3", &["--batch", "1 to 3"]);
    // A single picture has no distribution to compare with.
    let one = scene.path().join("one/class0");
    fs::create_dir_all(&one).unwrap();
    let picture = fs::read_dir(scene.path().join("data/class0")).unwrap().next().unwrap().unwrap().path();
    fs::copy(&picture, one.join("0.png")).unwrap();
    check(
        &format!("--test {}", scene.path().join("one").display()),
        &["--test", "2 pictures or more", "found 1"],
    );
    // The sample sheet would be one of the pictures that are learned from.
    let (command, out) = train(&scene, "x", "");
    let inside = scene.path().join("data/class0/x.safetensors");
    fail(2, &command.replace(&out.display().to_string(), &inside.display().to_string()), &["--out"]);
    let (command, _) = train(&scene, "x", "");
    fail(2, &command.replace("--width 2", "--width 0"), &["--width"]);
    fail(2, &command.replace("--batch 4", "--batch 0"), &["--batch"]);
    assert!(!scene.path().join("x.samples.png").exists());
}
