//! `--model`: a network of the user's own, wherever an architecture can be named.

use std::{fs, path::Path};

use gia_gpu::{
    data::samples,
    tensor_file::{GradientFile, TensorFile},
};

use crate::support::*;

pub(crate) fn network(name: &str) -> String {
    format!("{}/tests/fixtures/graphs/{name}.pt2", env!("CARGO_MANIFEST_DIR"))
}

/// The first `count` pictures of the samples, as files.
pub(crate) fn pictures(folder: &Path, count: usize) -> Vec<String> {
    let path = |i: usize| {
        let path = folder.join(format!("{i}.png"));
        samples().picture(i).unwrap().write_png(&path).unwrap();
        path.display().to_string()
    };
    (0..count).map(path).collect()
}

/// A folder of ten classes.
fn data(folder: &Path) -> String {
    for i in 0..20 {
        let class = folder.join("data").join(format!("class{}", i % 10));
        fs::create_dir_all(&class).unwrap();
        samples().picture(i).unwrap().write_png(&class.join(format!("{i}.png"))).unwrap();
    }
    folder.join("data").display().to_string()
}

/// Captures the gradient of one picture and saves the weights.
pub(crate) fn capture(name: &str, folder: &Path, more: &str) -> (String, String) {
    let path = |file: &str| folder.join(file).display().to_string();
    let (gradient, weights) = (path("g.safetensors"), path("w.safetensors"));
    succeed(&format!(
        "capture --model {} --images {} --labels 3 --out {gradient} --save-weights {weights} {more}",
        network(name),
        pictures(folder, 1)[0]
    ));
    (gradient, weights)
}

#[test]
fn a_gradient_carries_the_names_of_the_networks_own_parameters() {
    let folder = folder();
    let (gradient, weights) = capture("custom", folder.path(), "");
    let file = GradientFile::read(Path::new(&gradient)).unwrap();
    let names: Vec<&str> = file.file.tensors.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "fc.weight",
            "first.bias",
            "first.weight",
            "flat.bias",
            "flat.weight",
            "group.bias",
            "group.weight",
            "instance.bias",
            "instance.weight",
            "second.weight"
        ]
    );
    assert_eq!(file.info.architecture.as_deref(), Some("custom.pt2"));
    assert_eq!(file.info.image_shape, Some([3, 15, 16]));
    let weights = TensorFile::read(Path::new(&weights)).unwrap();
    assert!(weights.tensors.contains_key("flat.running_var"));
}

#[test]
fn the_last_layer_is_found_whatever_it_is_called_and_wherever_it_is_declared() {
    // `fc`, without a bias, stands first in `custom`; the label rules that need a bias say so.
    let folder = folder();
    let (gradient, _) = capture("custom", folder.path(), "");
    let model = network("custom");
    let found =
        succeed(&format!("labels --model {model} --gradient {gradient} --method idlg --truth 3 --json"));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["counts"].as_array().unwrap().len(), 10);
    fail(
        1,
        &format!("labels --model {model} --gradient {gradient} --method bias-corrected"),
        &["no bias was named beside 'fc.weight'"],
    );

    let (gradient, _) = capture("quickstart", folder.path(), "");
    let found =
        succeed(&format!("labels --model {} --gradient {gradient} --truth 3 --json", network("quickstart")));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["counts"][3], 1);
}

#[test]
fn an_attack_needs_no_weights_beside_the_networks_file() {
    let folder = folder();
    let (gradient, weights) = capture("quickstart", folder.path(), "");
    let model = network("quickstart");
    let out = |name: &str| folder.path().join(name);
    let attack = |more: &str, out: &Path| {
        succeed(&format!(
            "invert --model {model} {more} --gradient {gradient} --iterations 30 --force --out {}",
            out.display()
        ))
    };
    attack("", &out("own"));
    attack(&format!("--weights {weights}"), &out("given"));
    let picture = |name: &str| fs::read(out(name).join("grid.png")).unwrap();
    assert_eq!(picture("own"), picture("given"), "the weights are the same");
    let report = report(&out("own"));
    assert!(report.to_string().contains("quickstart.pt2"), "{report}");
}

#[test]
fn a_gradient_of_local_training_in_train_mode_is_attacked_too() {
    let folder = folder();
    let training = "--mode train --local-steps 2 --local-lr 0.01";
    let path = folder.path().join("g.safetensors").display().to_string();
    let model = network("resnet");
    succeed(&format!(
        "capture --model {model} --images {} --labels 3,5 --out {path} {training}",
        pictures(folder.path(), 2).join(" ")
    ));
    let out = folder.path().join("found");
    succeed(&format!(
        "invert --model {model} --gradient {path} --iterations 3 --trials 2 --force --out {}",
        out.display()
    ));
}

#[test]
fn run_sweep_train_evaluate_guide_and_plan_take_it() {
    let folder = folder();
    let (model, out) = (network("quickstart"), folder.path().display());
    succeed(&format!("run --model {model} --batches 2 --iterations 3 --force --out {out}/run"));
    succeed(&format!("guide --model {model} --beam 2 --iterations 3 --force --out {out}/guide"));
    succeed(&format!(
        "sweep --victim {model} --victim lenet-zhu --batch-sizes 1 --batches 2 --iterations 3 --out {out}/sweep"
    ));
    succeed(&format!("sweep --model {model} --batch-sizes 1 --batches 2 --iterations 3 --out {out}/sweep2"));
    let plan = succeed(&format!("plan --model {} --batch 2 --trials 2", network("vit")));
    assert!(plan.contains("softmax") || plan.contains("map_reduce"), "{plan}");
    let data = data(folder.path());
    succeed(&format!(
        "train victim --model {model} --data {data} --epochs 1 --batch 4 --out {out}/trained.safetensors"
    ));
    let evaluated =
        |weights: &str| succeed(&format!("evaluate --model {model} {weights} --data {data} --json"));
    let trained = evaluated(&format!("--weights {out}/trained.safetensors"));
    assert_ne!(evaluated(""), trained, "training changed the weights");
}

#[test]
fn what_contradicts_the_file_is_misuse() {
    let model = network("quickstart");
    fail(2, &format!("plan --model {model} --arch mlp"), &["--model", "--arch"]);
    fail(2, &format!("plan --model {model} --stem cifar"), &["--stem"]);
    fail(
        2,
        &format!("plan --model {model} --classes 7"),
        &["--classes: expected 10", "quickstart.pt2", "found 7"],
    );
    fail(2, &format!("plan --model {model} --image-size 64"), &["--image-size", "expected 32", "found 64"]);

    let folder = folder();
    let (gradient, weights) = capture("quickstart", folder.path(), "");
    let out = folder.path().join("found").display().to_string();
    let other = network("custom");
    fail(
        2,
        &format!("invert --model {other} --gradient {gradient} --force --out {out}"),
        &["[3, 32, 32]", "custom.pt2"],
    );
    fail(
        2,
        &format!("invert --weights {weights} --gradient {gradient} --force --out {out}"),
        &["quickstart.pt2", "--model"],
    );
    fail(1, &format!("plan --model {weights}"), &["w.safetensors", "expected a .pt2 file"]);
    fail(1, "plan --model nowhere.pt2", &["nowhere.pt2", "cannot be read"]);
    let vgg = network("vgg_bn");
    fail(
        1,
        &format!("evaluate --model {vgg} --weights {weights} --data {}", data(folder.path())),
        &["features.0.weight"],
    );
}

#[test]
fn a_vits_one_picture_is_computed_from_its_patches() {
    let folder = folder();
    let path = |file: &str| folder.path().join(file).display().to_string();
    let (gradient, weights) = (path("g.safetensors"), path("w.safetensors"));
    let picture = &pictures(folder.path(), 1)[0];
    succeed(&format!(
        "capture --arch vit_tiny --seed 3 --images {picture} --labels 7 --out {gradient} --save-weights {weights}"
    ));
    for preset in ["--preset april", ""] {
        let out = folder.path().join("found");
        let invert = format!(
            "invert --weights {weights} --gradient {gradient} {preset} --force --out {}",
            out.display()
        );
        let said = succeed(&invert);
        assert!(said.contains("rank 64 of 64, condition"), "{said}");
        let report = report(&out).to_string();
        assert!(report.contains("rank 64 of 64"), "{report}");
    }
    // No vision transformer, and two pictures.
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = capture("quickstart", elsewhere.path(), "");
    let model = network("quickstart");
    let out = path("no");
    fail(
        2,
        &format!("invert --model {model} --gradient {other} --preset april --force --out {out}"),
        &["no learned position embedding"],
    );
    let two = pictures(folder.path(), 2).join(" ");
    succeed(&format!(
        "capture --arch vit_tiny --weights {weights} --images {two} --labels 7,1 --out {gradient}"
    ));
    fail(
        2,
        &format!("invert --weights {weights} --gradient {gradient} --preset april --force --out {out}"),
        &["a batch of 2"],
    );
}

/// Its weights are a pickle, which is not read; saved as safetensors they are the newest's.
#[test]
fn of_a_file_of_torch_2_6_the_weights_come_from_another_file() {
    let folder = folder();
    let (expected, weights) = capture("quickstart", folder.path(), "");
    let path = |file: &str| folder.path().join(file).display().to_string();
    let (model, picture, out) = (network("versions/quickstart_2_6"), path("0.png"), path("old.safetensors"));
    let capture = format!("capture --model {model} --images {picture} --labels 3 --out {out}");
    fail(1, &capture, &["quickstart_2_6.pt2", "before 2.8", "pickle", "--weights"]);
    succeed(&format!("{capture} --weights {weights}"));
    let read = |file: &str| GradientFile::read(Path::new(file)).unwrap().file.tensors;
    assert_eq!(read(&out), read(&expected));
}
