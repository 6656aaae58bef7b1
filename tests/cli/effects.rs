//! What options change is what the report, the plan or the file says of them.

use std::fs;

use serde_json::{Value, json};

use crate::support::*;

/// The report of a short attack on one embedded picture, or as many as the options say.
fn attacked(options: &str) -> Value {
    let out = folder();
    let common = "--iterations 2 --no-names --device cpu --json";
    let text = succeed(&format!("run {common} {options} --force --out {}", out.path().display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_change_of_the_attack_is_in_its_configuration() {
    let report = attacked(
        "--batches 1 --trials 2 --objective l1 --layers last:4 --layer-weights rising --start pattern --scales 4,2 \
         --tv 0.5 --tv-isotropic --tv-opponents --image-norm 1e-3 --group-consistency 0.1 --learning-rate 0.2 \
         --sign none --schedule constant --warm-up 1 --langevin 0.01 --restore-labels yin",
    );
    let attack = &report["attack"];
    for (field, value) in [
        ("objective", json!("l1")),
        ("layers", json!("last:4")),
        ("layer_weights", json!("rising")),
        ("start", json!("pattern")),
        ("scales", json!([4, 2])),
        ("total_variation", json!(0.5)),
        ("isotropic", json!(true)),
        ("colour_opponents", json!(true)),
        ("image_norm", json!(1e-3)),
        ("group_consistency", json!(0.1)),
        ("labels", json!("yin")),
    ] {
        assert_eq!(attack[field], value, "{field}");
    }
    let adam = json!({
        "kind": "adam", "learning_rate": 0.2, "sign": "none", "schedule": "constant", "warm_up": 1, "langevin": 0.01
    });
    assert_eq!(attack["optimiser"], adam);
    assert_eq!(report["restarts"], 2);
}

#[test]
fn clients_and_epochs_of_local_training_are_in_the_protocol() {
    let report = attacked(
        "--arch mlp --hidden 8 --batches 1 --batch 4 --clients 2 --local-epochs 2 --local-batch 1 --local-lr 0.1",
    );
    assert_eq!(report["protocol"]["clients"], 2);
    // Two pictures a client, one a step.
    assert_eq!(
        report["protocol"]["local"],
        json!({
            "steps": 4, "epochs": 2, "batch": 1, "learning_rate": 0.1, "optimiser": "sgd", "weight_decay": 0.0
        })
    );
    fail(2, "run --batch 3 --clients 2", &["--clients", "3 pictures do not divide among 2"]);
}

#[test]
fn the_network_is_as_the_options_say() {
    let report =
        attacked("--arch convnet8 --batches 1 --norm group:4 --activation tanh --channels 1 --image-size 16");
    assert_eq!(report["architecture_options"], "activation=tanh norm=group:4");
    assert_eq!(report["normalisation"]["mean"].as_array().unwrap().len(), 1);
    fail(2, "plan --arch mlp --activation relu6", &["--activation", "relu6", "leaky-relu"]);
}

#[test]
fn every_change_of_the_training_is_in_its_recipe() {
    let folder = folder();
    let out = folder.path().join("w.safetensors");
    for (i, class) in ["a", "a", "b", "b"].into_iter().enumerate() {
        let class = folder.path().join("data").join(class);
        fs::create_dir_all(&class).unwrap();
        gia_gpu::data::samples().picture(i).unwrap().write_png(&class.join(format!("{i}.png"))).unwrap();
    }
    let trained = |options: &str| -> Value {
        let common =
            "train victim --arch mlp --hidden 4 --image-size 8 --epochs 1 --batch 2 --device cpu --json";
        let data = folder.path().join("data");
        let text = succeed(&format!("{common} {options} --data {} --out {}", data.display(), out.display()));
        serde_json::from_str::<Value>(&text).unwrap()["recipe"].clone()
    };
    let recipe = trained(
        "--optimiser adamw --beta1 0.8 --beta2 0.99 --learning-rate 0.001 --weight-decay 0.01 --label-smoothing 0.1 \
         --no-augment --degraded 0.5",
    );
    let expected = json!({ "name": "adamw", "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-8 });
    assert_eq!(recipe["optimiser"], expected);
    assert_eq!((&recipe["weight_decay"], &recipe["label_smoothing"]), (&json!(0.01), &json!(0.1)));
    assert_eq!((&recipe["augment"], &recipe["degraded"]), (&json!(false), &json!(0.5)));
    let recipe = trained("--momentum 0.5 --nesterov");
    assert_eq!(recipe["optimiser"], json!({ "name": "sgd", "momentum": 0.5, "nesterov": true }));
}
