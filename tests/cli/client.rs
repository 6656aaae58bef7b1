//! The user's own client: what its files, folders and training are taken for, and what is said of that.

use std::{fs, path::Path};

use gia_gpu::tensor_file::{Tensor, TensorFile};
use serde_json::{Value, json};

use crate::support::*;

const CIFAR10: &str = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck";

/// The tensors of a file, changed, in a file beside it that says nothing else.
fn rewritten(captured: &Captured, name: &str, change: impl Fn(&str, Tensor) -> (String, Tensor)) -> String {
    let file = TensorFile::read(Path::new(&captured.gradient)).unwrap();
    let tensors = file.tensors.into_iter().map(|(name, tensor)| change(&name, tensor)).collect();
    let path = captured.folder.path().join(name);
    TensorFile::write(&path, &tensors, &Default::default()).unwrap();
    path.display().to_string()
}

fn times(factor: f32, tensor: Tensor) -> Tensor {
    Tensor { data: tensor.data.iter().map(|v| v * factor).collect(), ..tensor }
}

/// A short attack on a gradient file: its report, and what was said on standard error.
fn inverted(captured: &Captured, gradient: &str, options: &str) -> (Value, String) {
    let out = captured.folder.path().join("found");
    let output = run(&format!(
        "invert --arch lenet-zhu --weights {} --gradient {gradient} --iterations 2 --device cpu --json --force --out {} {options}",
        captured.weights,
        out.display()
    ));
    assert!(output.status.success(), "{}", stderr(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), stderr(&output))
}

#[test]
fn local_training_goes_from_capture_to_the_attack_through_the_file() {
    let captured = captured();
    let update = captured.folder.path().join("update.safetensors").display().to_string();
    succeed(&format!(
        "capture --weights {} --arch lenet-zhu --images {} --labels 2 --device cpu --out {update} --local-steps 2 \
         --local-lr 0.1 --local-optimiser momentum:0.9 --weight-decay 0.001 --loss smoothing:0.1",
        captured.weights, captured.picture
    ));
    let (report, _) = inverted(&captured, &update, "");
    assert_eq!(
        report["protocol"]["local"],
        json!({
            "steps": 2, "batch": 1, "learning_rate": 0.1, "optimiser": "momentum:0.9", "weight_decay": 0.001
        })
    );
    assert_eq!(report["protocol"]["loss"], "smoothing:0.1");
    fail(2, "run --local-optimiser lion --local-lr 0.1", &["--local-optimiser", "momentum:M", "lion"]);
    fail(2, "run --local-optimiser adam", &["--local-optimiser", "--local-lr"]);
    fail(2, "run --loss focal", &["--loss", "smoothing:S", "focal"]);
    fail(2, "run --weight-decay -1 --local-lr 0.1", &["--weight-decay"]);
}

#[test]
fn class_weights_come_from_a_file() {
    let captured = captured();
    let weights = captured.folder.path().join("weights.txt");
    fs::write(&weights, "1 1 3\n1 1 1 1 1 1 1\n").unwrap();
    let dir = captured.folder.path().join("run").display().to_string();
    let run = |loss: &str| {
        format!("run --iterations 1 --no-names --device cpu --json --loss {loss} --force --out {dir}")
    };
    let report: Value =
        serde_json::from_str(&succeed(&run(&format!("weights:{}", weights.display())))).unwrap();
    assert_eq!(report["protocol"]["loss"], "weights:1,1,3,1,1,1,1,1,1,1");
    fs::write(&weights, "1 two").unwrap();
    fail(1, &run(&format!("weights:{}", weights.display())), &["weights.txt", "two"]);
    fail(2, &run("weights:1,2"), &["expected 10 class weights", "found 2"]);
}

#[test]
fn a_reversed_update_is_refused_unless_the_file_is_trusted() {
    let captured = captured();
    let reversed = rewritten(&captured, "reversed.safetensors", |name, t| (name.into(), times(-1.0, t)));
    let invert = format!(
        "invert --arch lenet-zhu --weights {} --gradient {reversed} --batch 1 --iterations 1 --device cpu --force --out {}",
        captured.weights,
        captured.folder.path().join("refused").display()
    );
    fail(1, &invert, &[&reversed, "the sign is reversed", "labels 2", "--trust-file"]);
    let (report, said) = inverted(&captured, &reversed, "--batch 1 --trust-file");
    let doubt = report["batches"][0]["doubts"][0].as_str().unwrap();
    assert!(doubt.contains("-1.000 times a mean gradient"), "{doubt}");
    assert!(said.contains(&format!("warning: {reversed}: {doubt}")), "{said}");
    // As what it is: one step of rate 1.
    let (report, said) = inverted(&captured, &reversed, "--batch 1 --local-lr 1");
    assert!(report["batches"][0]["doubts"].as_array().unwrap().is_empty(), "{said}");
    assert_eq!(report["batches"][0]["labels"], json!([2]));
    fail(2, "run --trust-file", &["--gradient"]);
}

#[test]
fn a_sum_is_warned_about_and_attacked() {
    let captured = captured();
    let sum = rewritten(&captured, "sum.safetensors", |name, t| (name.into(), times(3.0, t)));
    let (report, said) = inverted(&captured, &sum, "--batch 1");
    assert!(said.contains("3.000 times a mean gradient"), "{said}");
    assert_eq!(report["batches"][0]["labels"], json!([2]));
}

#[test]
fn wrappers_names_are_taken_off_and_said() {
    let captured = captured();
    let wrapped =
        rewritten(&captured, "wrapped.safetensors", |name, t| (format!("_orig_mod.module.{name}"), t));
    let (report, said) = inverted(&captured, &wrapped, "--batch 1");
    assert!(said.contains("prefix '_orig_mod.module.'"), "{said}");
    assert_eq!(report["batches"][0]["labels"], json!([2]));
}

#[test]
fn the_normalisation_is_said_on_every_run() {
    let out = folder();
    let dir = out.path().display();
    let run = |options: &str| {
        let output =
            run(&format!("run --iterations 1 --no-names --device cpu --force --out {dir} {options}"));
        assert!(output.status.success(), "{}", stderr(&output));
        (report(out.path())["normalisation"].clone(), stderr(&output))
    };
    let (found, said) = run("--normalisation half");
    assert_eq!(found["mean"], json!([0.5, 0.5, 0.5]));
    assert!(said.contains("normalisation: half, mean [0.5, 0.5, 0.5]") && said.contains("(given)"), "{said}");
    let (_, said) = run("");
    assert!(said.contains("normalisation: cifar10") && said.contains("assumed"), "{said}");
    fail(2, "run --normalisation half --mean 0,0,0 --std 1,1,1", &["--normalisation"]);
    fail(2, "run --normalisation cifar", &["--normalisation", "cifar10, imagenet, half", "cifar"]);
    // What a gradient file says is taken.
    let captured = captured();
    let (_, said) = inverted(&captured, &captured.gradient, "");
    assert!(said.contains("as the file says"), "{said}");
}

#[test]
fn folders_of_some_classes_need_the_names_of_all() {
    let data = folder();
    for (i, class) in ["cat", "dog"].into_iter().enumerate() {
        let class = data.path().join(class);
        fs::create_dir_all(&class).unwrap();
        gia_gpu::data::samples().picture(i).unwrap().write_png(&class.join("0.png")).unwrap();
    }
    let out = folder();
    let run = format!(
        "run --data {} --classes 10 --batches 2 --iterations 1 --no-names --class-order data-set --device cpu --force --out {}",
        data.path().display(),
        out.path().display()
    );
    fail(2, &run, &["10 class folders", "2 (cat, dog)", "--class-names"]);
    succeed(&format!("{run} --class-names {CIFAR10}"));
    let report = report(out.path());
    assert_eq!(report["batches"][0]["true_labels"], json!([3]));
    assert_eq!(report["batches"][1]["true_labels"], json!([5]));
    let names = data.path().join("names.txt");
    fs::write(&names, CIFAR10.replace(',', "\n")).unwrap();
    succeed(&format!("{run} --class-names {}", names.display()));
    fail(1, &format!("{run} --class-names a,b,c,d,e,f,g,h,i,j"), &["class 'cat'", "a, b, c"]);
}

/// Weights that are so sure of class 3 that a picture of it leaves a gradient of 0.
fn sure_of_class_3(captured: &Captured) -> String {
    let mut tensors = TensorFile::read(Path::new(&captured.weights)).unwrap().tensors;
    tensors.get_mut("fc.0.bias").unwrap().data[3] = 1e4;
    let path = captured.folder.path().join("sure.safetensors");
    TensorFile::write(&path, &tensors, &Default::default()).unwrap();
    path.display().to_string()
}

#[test]
fn a_batch_without_a_gradient_is_left_out_and_listed() {
    let captured = captured();
    let weights = sure_of_class_3(&captured);
    let out = captured.folder.path().join("run");
    let common = format!("--iterations 2 --no-names --device cpu --force --out {}", out.display());
    // The samples' classes are 2, 3, 4, …
    let text = succeed(&format!(
        "run --arch lenet-zhu --weights {weights} --batches 3 --class-order data-set {common}"
    ));
    assert!(text.contains("batch 1 is left out: the gradient is 0"), "{text}");
    let report = report(&out);
    assert_eq!(report["skipped"], json!([{ "batch": 1, "reason": report["skipped"][0]["reason"] }]));
    let pictures: Vec<&Value> =
        report["batches"].as_array().unwrap().iter().map(|b| &b["pictures"]).collect();
    assert_eq!(pictures, [&json!([0]), &json!([2])]);

    // The same of files.
    let zero = rewritten(&captured, "zero.safetensors", |name, t| (name.into(), times(0.0, t)));
    let run = format!("run --arch lenet-zhu --weights {} --batch 1 {common}", captured.weights);
    let text = succeed(&format!("{run} --gradient {zero} {}", captured.gradient));
    // In natural order, g comes before zero.
    assert!(text.contains("batch 1 is left out"), "{text}");
    let report = crate::support::report(&out);
    assert_eq!(report["batches"].as_array().unwrap().len(), 1);
    assert_eq!(report["data"], captured.gradient.as_str());
    fail(1, &format!("{run} --gradient {zero}"), &["the gradient is 0 in every element"]);

    // Without the gradient of the last layer's bias its weights' still says the label of one picture.
    let no_bias = rewritten(&captured, "no-bias.safetensors", |name, t| {
        let factor = if name == "fc.0.bias" { 0.0 } else { 1.0 };
        (name.into(), times(factor, t))
    });
    let text = succeed(&format!("{run} --gradient {no_bias}"));
    assert!(text.contains("restored by idlg"), "{text}");

    // And in a sweep, whose cell counts the others.
    let swept = captured.folder.path().join("sweep");
    let sweep = format!(
        "sweep --arch lenet-zhu --weights {weights} --batches 40 --batch-sizes 1 --iterations 1 --no-names --seeds 1 \
         --device cpu --out {}",
        swept.display()
    );
    succeed(&sweep);
    let journal = fs::read_to_string(swept.join("journal.jsonl")).unwrap();
    let cell: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(cell["record"]["cell"]["record"]["skipped"].as_array().unwrap().len(), 4, "{cell}");
    assert_eq!(cell["record"]["cell"]["record"]["batches"].as_array().unwrap().len(), 36);
}

#[test]
fn a_gradient_of_another_length_is_in_warning_and_verdict() {
    let captured = captured();
    let short = rewritten(&captured, "short.safetensors", |name, t| (name.into(), times(1e-6, t)));
    let (report, _) = inverted(&captured, &short, "--batch 1");
    let doubts = report["batches"][0]["doubts"].as_array().unwrap();
    assert!(doubts.iter().any(|d| d.as_str().unwrap().contains("--local-lr")), "{doubts:?}");
    let length = "has another length than the observed one";
    assert!(report["verdict"]["failed_tests"].to_string().contains(length), "{}", report["verdict"]);
    let (report, _) = inverted(&captured, &captured.gradient, "--batch 1");
    assert_eq!(report["batches"][0]["doubts"], json!([]));
    assert!(!report["verdict"].to_string().contains(length));
}
