//! `train victim` and `evaluate`.

use std::{fs, path::Path};

use gia_gpu::{data::samples, tensor_file::TensorFile};
use serde_json::Value;

use crate::support::*;

/// A folder with a folder for each of the first two classes of the samples.
pub(crate) fn pictures(folder: &Path) -> String {
    let (data, root) = (samples(), folder.join("data"));
    for (i, &label) in data.labels().iter().enumerate().filter(|(_, label)| **label < 2) {
        let class = root.join(format!("class{label}"));
        fs::create_dir_all(&class).unwrap();
        data.picture(i).unwrap().write_png(&class.join(format!("{i}.png"))).unwrap();
    }
    root.display().to_string()
}

#[test]
fn a_trained_victim_is_evaluated_without_being_described_again() {
    let folder = folder();
    let data = pictures(folder.path());
    let [out, logits] = ["v.safetensors", "l.safetensors"].map(|name| folder.path().join(name));
    let train = format!(
        "train victim --arch mlp --hidden 8 --image-size 28 --data {data} --test {data} --epochs 6 --batch 4 \
         --learning-rate 0.05 --mean 0.3,0.3,0.3 --std 0.3,0.3,0.3 --device cpu --out {}",
        out.display()
    );
    let text = succeed(&train);
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(text.contains("epoch 6: loss") && text.contains("test"), "{text}");
    let names: Vec<_> = files(folder.path()).into_keys().filter(|p| !p.starts_with("data")).collect();
    assert_eq!(names, [Path::new("v.safetensors")]);
    let file = TensorFile::read(&out).unwrap();
    assert_eq!(file.tensors.keys().collect::<Vec<_>>(), ["1.bias", "1.weight", "3.bias", "3.weight"]);
    assert_eq!(file.metadata["architecture"], "mlp");

    let evaluate = format!("evaluate --weights {} --data {data} --device cpu", out.display());
    let found: Value = serde_json::from_str(&succeed(&format!("{evaluate} --json"))).unwrap();
    let training: Value = serde_json::from_str(&file.metadata["training"]).unwrap();
    assert_eq!(found["accuracy"], training["epochs"][5]["test_accuracy"]);
    assert_eq!(found["pictures"], 8);
    let text = succeed(&format!("{evaluate} --logits {}", logits.display()));
    assert!(text.contains("of 8 pictures right") && text.contains("cross entropy"), "{text}");
    let logits = TensorFile::read(&logits).unwrap().tensors;
    assert_eq!((&logits["logits"].shape[..], &logits["labels"].shape[..]), (&[8, 2][..], &[8][..]));

    // The same options give the same bytes, and a progress bar is for terminals.
    let before = fs::read(&out).unwrap();
    let output = run(&format!("{train} --json"));
    assert_eq!(notes(&output), stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["epochs"].as_array().unwrap().len(), 6);
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn weights_are_written_whatever_standard_output_does() {
    let folder = folder();
    let data = pictures(folder.path());
    let out = folder.path().join("v.safetensors");
    let train = format!(
        "train victim --arch mlp --hidden 8 --image-size 28 --data {data} --epochs 2 --batch 4 --device cpu --out {}",
        out.display()
    );
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program().args(train.split_whitespace()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("standard output cannot be written"), "{}", stderr(&output));
    let before = fs::read(&out).unwrap();
    let names: Vec<_> = files(folder.path()).into_keys().filter(|p| !p.starts_with("data")).collect();
    assert_eq!(names, [Path::new("v.safetensors")]);
    succeed(&train);
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn a_killed_training_goes_on_from_its_checkpoint() {
    let folder = folder();
    let data = pictures(folder.path());
    let out = folder.path().join("v.safetensors");
    let train = |epochs: usize| {
        format!(
            "train victim --arch mlp --hidden 8 --image-size 28 --data {data} --epochs {epochs} --batch 4 \
             --device cpu --out {}",
            out.display()
        )
    };
    let checkpoint = folder.path().join("v.checkpoint.safetensors");
    fail(2, &format!("{} --resume", train(1)), &["--resume", "no checkpoint"]);
    let mut child =
        program().args(train(90_000).split_whitespace()).stdout(std::process::Stdio::null()).spawn().unwrap();
    while !checkpoint.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.exists());

    fail(2, &train(90_000), &["--resume", "stopped"]);
    fail(2, &format!("{} --resume", train(90_001)), &["epochs was 90000, is 90001"]);
    fs::write(&checkpoint, "no tensors").unwrap();
    fail(1, &format!("{} --resume", train(90_000)), &["v.checkpoint.safetensors"]);
    fs::remove_file(&checkpoint).unwrap();
    succeed(&train(1));
}

#[test]
fn what_cannot_be_trained_or_evaluated_says_why() {
    let folder = folder();
    let data = pictures(folder.path());
    let out = folder.path().join("v.safetensors");
    let train = |options: &str, code: i32, words: &[&str]| {
        let out = out.display();
        fail(code, &format!("train victim --data {data} --device cpu --out {out} {options}"), words);
    };
    train("--arch nothing", 2, &["unknown architecture"]);
    train("--batch 9", 2, &["--batch", "1 to 8"]);
    train("--batch 4 --epochs 0", 2, &["--epochs"]);
    train("--batch 4 --learning-rate -1", 2, &["--learning-rate", "-1"]);
    train("--batch 4 --momentum 1", 2, &["--momentum"]);
    train("--batch 4 --limit 0", 2, &["--limit"]);
    train("--batch 4 --classes 1", 2, &["classes"]);
    train("--batch 1 --arch resnet18 --image-size 32", 2, &["batch norm", "2 or more"]);
    train("--batch 4 --mean 0 --std 1", 2, &["3"]);
    train("--batch 4 --test /nowhere", 1, &["/nowhere"]);
    train("--batch 4 --learning-rate 1e38", 1, &["diverges"]);
    fs::remove_file(folder.path().join("v.checkpoint.safetensors")).unwrap_or(());
    let other = folder.path().join("other");
    fs::create_dir_all(other.join("Bag")).unwrap();
    samples().picture(0).unwrap().write_png(&other.join("Bag/0.png")).unwrap();
    train(&format!("--batch 4 --test {}", other.display()), 2, &["--test", "classes", "Bag"]);
    fail(2, &format!("train victim --data {data} --batch 4 --out {data}"), &["is an input"]);

    let weights = fixture("lenet_zhu_weights");
    let evaluate = format!("evaluate --arch lenet-zhu --weights {weights} --device cpu --data");
    fail(1, &format!("{evaluate} /nowhere"), &["/nowhere"]);
    fail(2, &format!("{evaluate} {data} --logits {weights}"), &["is an input"]);
    fail(2, &format!("{evaluate} {data} --batch 0"), &["--batch"]);
    fail(1, &format!("evaluate --arch mlp --weights {weights} --data {data}"), &["lenet"]);
    assert!(!out.exists());
}
