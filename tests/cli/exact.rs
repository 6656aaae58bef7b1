//! Exact attacks as a user runs them.

use std::{collections::BTreeMap, fs, path::Path};

use gia_gpu::{
    data::{Picture, samples},
    tensor_file::TensorFile,
};
use serde_json::Value;

use crate::support::*;

/// Embedded pictures as files, the gradient of an untrained network over the first of them, and its weights.
struct Client {
    folder: tempfile::TempDir,
    weights: String,
    gradient: String,
}

const PICTURES: usize = 40;

impl Client {
    fn new(victim: &str, batch: usize, more: &str) -> Client {
        let folder = folder();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let samples = samples();
        fs::create_dir(path("pictures")).unwrap();
        for i in 0..PICTURES {
            samples.picture(i).unwrap().write_png(Path::new(&path(&format!("pictures/{i:02}.png")))).unwrap();
        }
        let (weights, gradient) = (path("weights.safetensors"), path("gradient.safetensors"));
        let images: Vec<String> = (0..batch).map(|i| path(&format!("pictures/{i:02}.png"))).collect();
        let labels: Vec<String> = (0..batch).map(|i| samples.label(i).unwrap().to_string()).collect();
        succeed(&format!(
            "capture {victim} --seed 1 --images {} --labels {} --out {gradient} --save-weights {weights} {more} --device cpu",
            images.join(" "),
            labels.join(",")
        ));
        Client { folder, weights, gradient }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn picture(&self, i: usize) -> String {
        self.path(&format!("pictures/{i:02}.png"))
    }

    /// A folder with some of the pictures.
    fn some(&self, name: &str, which: std::ops::Range<usize>) -> String {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        which.for_each(|i| {
            fs::copy(self.picture(i), format!("{path}/{i:02}.png")).unwrap();
        });
        path
    }
}

fn metrics(reference: &str, reconstruction: &str) -> Value {
    let text = succeed(&format!("metrics --reference {reference} --reconstruction {reconstruction} --json"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn spear_restores_a_batch_to_the_rounding_of_its_gradient() {
    let client = Client::new("--arch mlp --hidden 120,60", 5, "");
    let Client { weights, gradient, .. } = &client;
    let out = client.path("found");
    let text = succeed(&format!(
        "invert --preset spear --arch mlp --hidden 120,60 --weights {weights} --gradient {gradient} --batch 5 --device \
         cpu --force --out {out}"
    ));
    assert!(
        text.contains("residual of the recomputed gradient") && text.contains("exact: the inputs"),
        "{text}"
    );
    let report = report(Path::new(&out));
    let batch = &report["batches"][0];
    assert_eq!((&batch["exact"]["layer"], &batch["exact"]["rank"]), (&Value::from("1"), &Value::from(5)));
    assert!(batch["recomputed"]["residual"].as_f64().unwrap() < 1e-4, "{batch}");
    assert_eq!(batch["label_source"], "spear");

    let file = TensorFile::read(Path::new(&format!("{out}/reconstruction.safetensors"))).unwrap();
    assert_eq!(file.tensors["images"].shape, [5, 3, 32, 32]);
    // Padded with zeros to the network's size, as the client did.
    let originals = client.path("originals");
    fs::create_dir(&originals).unwrap();
    for i in 0..5 {
        let picture = Picture::read(Path::new(&client.picture(i))).unwrap().fitted([3, 32, 32]).unwrap();
        picture.write_png(Path::new(&format!("{originals}/{i}.png"))).unwrap();
    }
    let unrounded = metrics(&originals, &format!("{out}/reconstruction.safetensors"));
    assert!(unrounded["psnr"]["one_to_one"].as_f64().unwrap() > 100.0, "{unrounded}");
    assert_eq!(unrounded["pairs"].as_array().unwrap().len(), 5);
}

#[test]
fn nobody_says_the_batch_size_and_spear_counts() {
    let client = Client::new("--arch mlp --hidden 120,60", 4, "");
    let tensors = TensorFile::read(Path::new(&client.gradient)).unwrap().tensors;
    let gradient = client.path("alone.safetensors");
    TensorFile::write(Path::new(&gradient), &tensors, &BTreeMap::new()).unwrap();
    let out = client.path("found");
    let common = format!(
        "invert --arch mlp --hidden 120,60 --weights {} --gradient {gradient} --device cpu --out {out}",
        client.weights
    );
    let output = run(&format!("{common} --preset spear"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("4 pictures, by the rank of the gradient of '1'"),
        "{}",
        stderr(&output)
    );
    let report = report(Path::new(&out));
    assert_eq!(report["batches"][0]["labels"].as_array().unwrap().len(), 4);
    assert!(report["batches"][0]["recomputed"]["residual"].as_f64().unwrap() < 1e-4);
    fail(2, &common, &["does not say its batch size", "--batch"]);
}

#[test]
fn auto_takes_what_is_exact_and_says_what_it_passed_over() {
    let client = Client::new("--arch mlp --hidden 100", 3, "");
    let Client { weights, gradient, .. } = &client;
    let out = client.path("auto");
    succeed(&format!(
        "invert --arch mlp --hidden 100 --weights {weights} --gradient {gradient} --device cpu --force --out {out}"
    ));
    let exact = report(Path::new(&out));
    assert_eq!(exact["attack"]["preset"], "auto");
    assert!(exact["batches"][0]["reason"].as_str().unwrap().starts_with("spear: '1' takes the pictures"));

    let client = Client::new("--arch mlp --hidden 100 --activation tanh", 1, "");
    let Client { weights, gradient, .. } = &client;
    let out = client.path("auto");
    succeed(&format!(
        "invert --arch mlp --hidden 100 --activation tanh --weights {weights} --gradient {gradient} --iterations 3 \
         --device cpu --force --out {out}"
    ));
    let matched = report(Path::new(&out));
    let batch = &matched["batches"][0];
    assert_eq!(batch["label_source"], "exact");
    let reason = batch["reason"].as_str().unwrap();
    assert!(
        reason.contains("exact label") && reason.contains("no linear layer that is followed by ReLU"),
        "{reason}"
    );
    assert!(batch["exact"].is_null() && batch["recomputed"]["residual"].is_f64());
}

#[test]
fn pictures_of_a_hidden_layer_are_found_for_its_exact_features() {
    let client = Client::new("--arch lenet5", 2, "");
    let Client { weights, gradient, .. } = &client;
    let out = client.path("found");
    succeed(&format!(
        "invert --preset spear --arch lenet5 --weights {weights} --gradient {gradient} --iterations 60 --trials 2 \
         --device cpu --force --out {out}"
    ));
    let report = report(Path::new(&out));
    let batch = &report["batches"][0];
    assert_eq!(
        (&batch["exact"]["layer"], &batch["exact"]["pictures"]),
        (&Value::from("fc1"), &Value::from(false))
    );
    assert!(batch["exact"]["head_residual"].as_f64().unwrap() < 1e-4);
    let history = batch["restarts"][1]["history"].as_array().unwrap();
    let objective = |at: usize| history[at][1].as_f64().unwrap();
    assert!(objective(history.len() - 1) < 0.5 * objective(0), "{history:?}");
}

#[test]
fn what_spear_cannot_do_is_misuse() {
    let client = Client::new("--arch mlp --hidden 40", 3, "--local-steps 2 --local-lr 0.1");
    let Client { weights, gradient, .. } = &client;
    let out = client.path("found");
    let spear = |gradient: &str, options: &str, words: &[&str]| {
        fail(
            2,
            &format!(
                "invert --preset spear --weights {weights} --gradient {gradient} {options} --device cpu --force --out {out}"
            ),
            words,
        );
    };
    spear(gradient, "", &["SPEAR needs the gradient of one step", "2 local steps"]);
    let smooth = Client::new("--arch mlp --hidden 40 --activation silu", 3, "");
    fail(
        2,
        &format!(
            "invert --preset spear --weights {} --gradient {} --device cpu --force --out {out}",
            smooth.weights, smooth.gradient
        ),
        &["no linear layer that is followed by ReLU"],
    );
    spear(gradient, "--budget 0", &["--budget", "found 0"]);
    fail(2, "plan --arch convnet4 --preset ig --budget 5", &["--budget is spear's, preset ig is none"]);
}

fn contained(arguments: &str) -> Value {
    serde_json::from_str(&succeed(&format!("contains {arguments} --device cpu --json"))).unwrap()
}

#[test]
fn members_are_told_from_strangers_with_the_rate_of_false_alarms() {
    let client = Client::new("--arch lenet-zhu", 3, "");
    let Client { weights, gradient, .. } = &client;
    let outsiders = client.some("outsiders", 10..40);
    let plot = client.path("plot.svg");
    let common = format!("--arch lenet-zhu --weights {weights} --gradient {gradient} --batch 3");
    let (member, stranger) = (client.picture(1), client.picture(4));
    let found = contained(&format!(
        "{common} --outsiders {outsiders} --alpha 0.065 --plot {plot} {stranger} {member}"
    ));
    assert_eq!((&found["layer"], &found["batch"], &found["rank"]), (&"fc.0".into(), &3.into(), &3.into()));
    assert_eq!(found["outsiders"], 30);
    let candidates = found["candidates"].as_array().unwrap();
    assert_eq!(candidates[0]["picture"], stranger);
    assert_eq!(candidates[1]["picture"], member);
    assert_eq!(candidates[1]["false_alarm_rate"], 0.0);
    assert_eq!(candidates[1]["member"], true);
    assert_eq!(candidates[0]["member"], false);
    assert!((candidates[1]["p_value"].as_f64().unwrap() - 1.0 / 31.0).abs() < 1e-12);
    assert!(candidates[1]["distance"].as_f64().unwrap() < 1e-3);
    assert!(fs::read_to_string(plot).unwrap().contains("outsiders"));

    // Nobody says who is a stranger: distances alone. A folder is ranked.
    let alone = contained(&format!("{common} --images {}", client.path("pictures")));
    let candidates = alone["candidates"].as_array().unwrap();
    assert_eq!(
        (candidates.len(), &candidates[0]["member"], &alone["outsiders"]),
        (PICTURES, &Value::Null, &0.into())
    );
    let distance = |i: usize| candidates[i]["distance"].as_f64().unwrap();
    assert!((0..3).all(|i| (3..PICTURES).all(|j| distance(i) < distance(j))));
    let table = succeed(&format!("contains {common} --images {} --device cpu", client.path("pictures")));
    assert!(table.lines().nth(2).unwrap().contains("/pictures/"), "{table}");
}

#[test]
fn what_membership_cannot_tell_is_misuse() {
    let client = Client::new("--arch lenet-zhu", 10, "");
    let Client { weights, gradient, .. } = &client;
    let picture = client.picture(0);
    let common = format!("contains --weights {weights} --gradient {gradient} --device cpu {picture}");
    fail(2, &common, &["expected a batch below 10", "10×768", "found 10"]);
    let small = Client::new("--arch mlp --hidden 40", 2, "");
    let common =
        format!("contains --weights {} --gradient {} --device cpu {picture}", small.weights, small.gradient);
    let one = small.some("one", 5..6);
    fail(2, &format!("{common} --outsiders {one}"), &["--outsiders", "found 1"]);
    fail(2, &format!("{common} --alpha 1"), &["--alpha", "between 0 and 1"]);
    fail(2, &format!("{common} --layer conv"), &["'conv' is no linear layer of the victim; it has: 1, 3"]);
    fail(2, &format!("{common} --batch 3"), &["--batch: expected 2", "found 3"]);
    let steps = Client::new("--arch mlp --hidden 40", 2, "--local-steps 3 --local-lr 0.1");
    fail(
        2,
        &format!("contains --weights {} --gradient {} {picture}", steps.weights, steps.gradient),
        &["3 local steps", "no one span"],
    );
}
