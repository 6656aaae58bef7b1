//! `gia-gpu labels`: counts from files that hold a last layer and nothing else.

use std::{collections::BTreeMap, path::Path};

use gia_gpu::tensor_file::{GradientFile, GradientInfo, Tensor, TensorFile};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

const CLASSES: usize = 10;
const FEATURES: usize = 6;

/// A linear layer `fc`, and its gradient for a batch with these labels.
struct Layer {
    folder: TempDir,
    weights: String,
    gradient: String,
}

impl Layer {
    fn new(labels: &[usize]) -> Layer {
        let wave = |i: usize, size: f32| size * (1.7 * i as f32 + 0.3).sin();
        let weight: Vec<f32> = (0..CLASSES * FEATURES).map(|i| wave(i, 0.1)).collect();
        let bias: Vec<f32> = (0..CLASSES).map(|i| wave(i + 7, 0.05)).collect();
        let (mut weight_gradient, mut bias_gradient) = (vec![0.0; weight.len()], vec![0.0; CLASSES]);
        for (sample, &label) in labels.iter().enumerate() {
            let x: Vec<f32> = (0..FEATURES).map(|i| 1.0 + wave(i + 11 * label + sample, 0.5)).collect();
            let logit = |c: usize| {
                let row = &weight[c * FEATURES..][..FEATURES];
                bias[c] + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>()
            };
            let sum: f32 = (0..CLASSES).map(|c| logit(c).exp()).sum();
            for c in 0..CLASSES {
                let one_hot = if c == label { 1.0 } else { 0.0 };
                let g = (logit(c).exp() / sum - one_hot) / labels.len() as f32;
                bias_gradient[c] += g;
                weight_gradient[c * FEATURES..][..FEATURES].iter_mut().zip(&x).for_each(|(w, x)| *w += g * x);
            }
        }
        let folder = folder();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let layer = Layer { weights: path("w.safetensors"), gradient: path("g.safetensors"), folder };
        write(&layer.weights, weight, bias);
        write(&layer.gradient, weight_gradient, bias_gradient);
        layer
    }

    /// The command with these options, both files named.
    fn labels(&self, options: &str) -> String {
        format!("labels --weights {} --gradient {} {options}", self.weights, self.gradient)
    }

    fn json(&self, options: &str) -> Value {
        serde_json::from_str(&succeed(&self.labels(&format!("{options} --json")))).unwrap()
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
        let mut tensors = TensorFile::read(Path::new(path)).unwrap().tensors;
        change(&mut tensors);
        TensorFile::write(Path::new(path), &tensors, &BTreeMap::new()).unwrap();
    }
}

fn write(path: &str, weight: Vec<f32>, bias: Vec<f32>) {
    let tensors = [
        ("fc.weight".to_string(), Tensor { shape: vec![CLASSES, FEATURES], data: weight }),
        ("fc.bias".to_string(), Tensor { shape: vec![CLASSES], data: bias }),
    ];
    TensorFile::write(Path::new(path), &tensors.into(), &BTreeMap::new()).unwrap();
}

const LAST: &str = "--last-layer fc.weight,fc.bias";

fn counts(of: &[usize]) -> Value {
    let mut counts = [0; CLASSES];
    of.iter().for_each(|&label| counts[label] += 1);
    serde_json::json!(counts)
}

#[test]
fn two_tensors_are_enough() {
    let layer = Layer::new(&[3, 5, 5, 8]);
    let found = layer.json(&format!("{LAST} --batch 4"));
    assert_eq!(found["method"], "ilrg");
    assert_eq!(found["counts"], counts(&[3, 5, 5, 8]));
    assert_eq!(found["real"].as_array().unwrap().len(), CLASSES);
    assert_eq!(found["warnings"], serde_json::json!([]));
    assert!(found["confidence"].as_f64().unwrap() > 0.8, "{found}");
    assert!(found.get("irec").is_none());
}

#[test]
fn a_table_is_printed() {
    let layer = Layer::new(&[3, 5, 5, 8]);
    let text = succeed(&layer.labels(&format!("{LAST} --batch 4 --truth 8,5,3,5 --method yin")));
    assert!(text.starts_with("yin: 4 labels in 4 of 10 classes\n"), "{text}");
    assert!(text.contains("LeAcc 0.900, LnAcc 0.800, IRec 0.750"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("warning: yin assumes")), "{text}");
}

#[test]
fn all_methods_are_a_list() {
    let layer = Layer::new(&[3, 5, 8]);
    let found = layer.json(&format!("{LAST} --batch 3 --method all --truth 3,5,8"));
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|e| e["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["ilrg", "idlg", "sign", "yin", "bias-corrected"]);
    for entry in found.as_array().unwrap() {
        assert_eq!(entry["counts"], counts(&[3, 5, 8]), "{entry}");
        for metric in ["le_acc", "ln_acc", "irec"] {
            assert_eq!(entry[metric], 1.0, "{entry}");
        }
    }
}

#[test]
fn a_layer_without_a_bias_leaves_two_methods() {
    let layer = Layer::new(&[3]);
    for path in [&layer.weights, &layer.gradient] {
        layer.change(path, |t| drop(t.remove("fc.bias")));
    }
    let options = "--last-layer fc.weight --batch 1";
    for method in ["ilrg", "sign", "bias-corrected"] {
        let words = [&layer.gradient, "bias", "fc.weight", method];
        fail(1, &layer.labels(&format!("{options} --method {method}")), &words);
    }
    let found = layer.json(&format!("{options} --method all"));
    for entry in found.as_array().unwrap() {
        let runs = ["idlg", "yin"].contains(&entry["method"].as_str().unwrap());
        assert_eq!(entry["counts"], counts(if runs { &[3] } else { &[] }), "{entry}");
        assert!(entry["warnings"][0].as_str().unwrap().contains("bias"), "{entry}");
    }
}

#[test]
fn weights_are_only_for_those_who_need_them() {
    let layer = Layer::new(&[3]);
    let labels = format!("labels --gradient {} {LAST} --batch 1 --method", layer.gradient);
    for method in ["idlg", "sign", "yin", "bias-corrected"] {
        assert!(succeed(&format!("{labels} {method}")).contains("      3       1"), "{method}");
    }
    for method in ["ilrg", "all"] {
        fail(2, &format!("{labels} {method}"), &["--weights"]);
    }
}

#[test]
fn an_update_is_converted() {
    let layer = Layer::new(&[3, 5, 5, 8]);
    layer.change(&layer.gradient, |tensors| {
        tensors.values_mut().flat_map(|t| &mut t.data).for_each(|v| *v *= -0.05 * 2.0);
    });
    let found = layer.json(&format!("{LAST} --batch 4 --local-lr 0.05 --local-steps 2"));
    assert_eq!(found["counts"], counts(&[3, 5, 5, 8]));
    assert!(found["warnings"][0].as_str().unwrap().contains("2 local steps"), "{found}");
    let missed = layer.json(&format!("{LAST} --batch 4"));
    assert!(missed["warnings"].to_string().contains("sign is reversed"), "{missed}");
}

#[test]
fn an_architecture_names_its_last_layer() {
    let captured = captured();
    let Captured { gradient, weights, .. } = &captured;
    let found = succeed(&format!(
        "labels --arch lenet-zhu --weights {weights} --gradient {gradient} --method all --json"
    ));
    for entry in serde_json::from_str::<Vec<Value>>(&found).unwrap() {
        assert_eq!(entry["counts"], counts(&[2]), "{entry}");
    }
    let named =
        format!("labels --weights {weights} --gradient {gradient} --last-layer fc.0.weight,fc.0.bias");
    assert!(succeed(&format!("{named} --truth 2")).contains("IRec 1.000"));
    fail(2, &format!("{named} --arch convnet8"), &["lenet-zhu", "convnet8"]);
    fail(2, &format!("{named} --arch resnet0"), &["resnet0"]);
}

#[test]
fn wrong_options_are_misuse() {
    let layer = Layer::new(&[3, 5]);
    let run = |options: &str, words: &[&str]| fail(2, &layer.labels(options), words);
    run("--batch 2", &["--last-layer"]);
    run(LAST, &["batch size", "--batch"]);
    run(&format!("{LAST} --batch 0"), &["--batch", "0"]);
    run(&format!("{LAST} --batch 2 --method guess"), &["guess", "bias-corrected"]);
    for names in ["fc.weight,", ",fc.bias", "a,b,c", "fc.weight,fc.weight"] {
        run(&format!("--last-layer {names} --batch 2"), &["--last-layer", "fc.weight,fc.bias", names]);
    }
    run(&format!("{LAST} --batch 2 --truth 3"), &["--truth", "expected 2", "found 1"]);
    run(&format!("{LAST} --batch 2 --truth 3,10"), &["--truth", "0 to 9", "10"]);
    run(&format!("{LAST} --batch 2 --local-lr 0"), &["--local-lr", "0"]);
    run(&format!("{LAST} --batch 2 --local-lr nan"), &["--local-lr"]);
    run(&format!("{LAST} --batch 2 --local-lr 1 --local-steps 0"), &["--local-steps", "0"]);
    run(&format!("{LAST} --batch 2 --local-steps 2"), &["--local-lr"]);
    let same = format!("labels --weights {0} --gradient {0} {LAST} --batch 2", layer.gradient);
    fail(2, &same, &["same file", &layer.gradient]);
    let tensors = TensorFile::read(Path::new(&layer.gradient)).unwrap().tensors;
    let info = GradientInfo { batch_size: Some(2), ..GradientInfo::default() };
    GradientFile::write(Path::new(&layer.gradient), &tensors, &info).unwrap();
    run(&format!("{LAST} --batch 3"), &["--batch", "expected 2", "found 3"]);
    assert_eq!(layer.json(LAST)["counts"], counts(&[3, 5]));
    assert_eq!(files(layer.folder.path()).len(), 2);
}

/// A change to a file's tensors.
type Change = fn(&mut BTreeMap<String, Tensor>);

#[test]
fn tensors_that_do_not_fit_are_named() {
    let cases: [(Change, &[&str]); 5] = [
        (|t| drop(t.remove("fc.bias")), &["fc.bias", "missing"]),
        (|t| drop(t.remove("fc.weight")), &["fc.weight", "missing"]),
        (|t| t.get_mut("fc.weight").unwrap().data[7] = f32::NAN, &["fc.weight", "element 7", "NaN"]),
        (|t| t.get_mut("fc.bias").unwrap().data[2] = f32::INFINITY, &["fc.bias", "element 2", "inf"]),
        (|t| t.insert("fc.bias".into(), vector(9)).map_or((), drop), &["fc.bias", "[10]", "[9]"]),
    ];
    for (change, words) in cases {
        for in_weights in [true, false] {
            let layer = Layer::new(&[3, 5]);
            let path = if in_weights { &layer.weights } else { &layer.gradient };
            layer.change(path, change);
            let words: Vec<&str> = words.iter().copied().chain([path.as_str()]).collect();
            fail(1, &layer.labels(&format!("{LAST} --batch 2")), &words);
        }
    }
    let layer = Layer::new(&[3, 5]);
    layer.change(&layer.gradient, |t| drop(t.insert("fc.weight".into(), vector(60))));
    fail(1, &layer.labels(&format!("{LAST} --batch 2")), &[&layer.gradient, "fc.weight", "(K, d)", "[60]"]);
    let zeros = Layer::new(&[3, 5]);
    zeros.change(&zeros.gradient, |t| t.values_mut().for_each(|t| t.data.fill(0.0)));
    fail(
        1,
        &zeros.labels(&format!("{LAST} --batch 2")),
        &[&zeros.gradient, "fc.weight", "0 in every element"],
    );
}

fn vector(length: usize) -> Tensor {
    Tensor { shape: vec![length], data: vec![0.5; length] }
}
