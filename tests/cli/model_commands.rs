//! Commands beside attacks with a network of the user's own, and defences against attacks on it.

use std::{collections::BTreeMap, path::Path};

use gia_gpu::{
    nn::graph::Graph,
    tensor_file::{Tensor, TensorFile},
};
use serde_json::Value;

use crate::{
    model::{capture, network, pictures},
    support::*,
};

#[test]
fn bench_measures_it_and_compares_it_with_numbers_from_elsewhere() {
    let folder = folder();
    let (model, out) = (network("mobilenet_v2"), folder.path().display());
    let bench = format!("bench --device cpu --model {model}");
    let text = succeed(&format!("{bench} --only attack,training --batch 2 --seconds 1e-3 --json"));
    let found: Value = serde_json::from_str(&text).unwrap();
    let works: Vec<&Value> =
        found["iterations"].as_array().unwrap().iter().map(|iteration| &iteration["architecture"]).collect();
    assert_eq!(works, ["mobilenet_v2.pt2"; 2]);
    succeed(&format!("{bench} --only attack --batch 2 --check {out}/check.safetensors"));
    let check = TensorFile::read(&folder.path().join("check.safetensors")).unwrap();
    assert_eq!(check.tensors["gradient"].shape[..2], [1, 2]);
    // Numbers of the network's own names come back the same.
    let [x, labels] = ["x", "labels"].map(str::to_string);
    let graph = Graph::read(Path::new(&model)).unwrap();
    let mut tensors = BTreeMap::new();
    let [c, h, w] = graph.image;
    let tensor = |shape: Vec<usize>, data: Vec<f32>| Tensor { shape, data };
    let picture = (0..2 * c * h * w).map(|i| (i % 17) as f32 / 9.0 - 1.0).collect();
    tensors.insert(x, tensor(vec![1, 2, c, h, w], picture));
    tensors.insert(labels, tensor(vec![1, 2], vec![3.0, 1.0]));
    for own in &graph.tensors {
        tensors.insert(format!("victim.{}", own.name), tensor(own.shape.clone(), own.data.to_vec()));
        let target = own.data.iter().map(|v| v / 3.0).collect();
        tensors.insert(format!("target.{}", own.name), tensor([&[1], &own.shape[..]].concat(), target));
    }
    TensorFile::write(&folder.path().join("input.safetensors"), &tensors, &Default::default()).unwrap();
    let numbers = |name: &str| {
        succeed(&format!(
            "{bench} --only attack --batch 2 --input {out}/input.safetensors --check {out}/{name}"
        ));
        TensorFile::read(&folder.path().join(name)).unwrap().tensors["gradient"].data.clone()
    };
    let first = numbers("one.safetensors");
    assert!(first.iter().any(|&v| v != 0.0));
    assert_eq!(first, numbers("two.safetensors"));
}

#[test]
fn studies_take_it() {
    let folder = folder();
    let (model, out) = (network("quickstart"), folder.path().display());
    let text = succeed(&format!("study labels --model {model} --batch 6 --batches 3 --device cpu --json"));
    let found: Value = serde_json::from_str(&text).unwrap();
    assert!(found.to_string().contains("quickstart.pt2"), "{found}");
    let printed = succeed(&format!(
        "study defences --model {model} --iterations 3 --batches 2 --device cpu --defence sign,noise:0.1 --out {out}/defences"
    ));
    assert!(printed.contains("sign"), "{printed}");
}

#[test]
fn contains_looks_at_its_linear_layers() {
    let folder = folder();
    let (gradient, _) = capture("quickstart", folder.path(), "");
    let pictures = pictures(folder.path(), 3).join(" ");
    let text = succeed(&format!(
        "contains --model {} --gradient {gradient} --device cpu --json {pictures}",
        network("quickstart")
    ));
    let found: Value = serde_json::from_str(&text).unwrap();
    let rank = |i: usize| found["candidates"][i]["distance"].as_f64();
    assert!(rank(0) < rank(1) && rank(0) < rank(2), "{found}");
}

/// Soteria's scores want a derivative by the picture of every feature, and views of trial gradients every operation's.
#[test]
fn defences_are_applied_and_imitated() {
    let folder = folder();
    for (name, defence) in [
        ("quickstart", "soteria:0.5"),
        ("custom", "clip:1,top-k:0.3"),
        ("mobilenet_v3", "dp-sgd:1:0.1"),
        ("vit", "sign"),
    ] {
        let out = folder.path().join(name);
        succeed(&format!(
            "run --model {} --batches 1 --iterations 3 --defence {defence} --adaptive --device cpu --out {}",
            network(name),
            out.display()
        ));
        let report = report(&out).to_string();
        assert!(report.contains(defence.split([':', ',']).next().unwrap()), "{report}");
    }
}
