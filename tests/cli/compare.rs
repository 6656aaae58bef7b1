//! `gia-gpu guide --compare`: what hypotheses are compared by, what their leads are held against, and who reads.

use std::fs;

use serde_json::Value;

use crate::{support::*, train::pictures};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

/// A folder with `clip/`, and arguments that are common to all; the report goes to `found/`.
fn scene() -> (tempfile::TempDir, String) {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let path = scene.path().display();
    let common = format!(
        "guide --clip {path}/clip --templates plain --device cpu --iterations 6 --force --out {path}/found"
    );
    (scene, common)
}

const TWO: &str = "--batch 2 --batches 2 --batch-labels distinct --distractors 1 --one-to-one";

#[test]
fn while_names_pull_to_the_end_matching_and_pull_are_compared_together() {
    let (scene, guide) = scene();
    let text = succeed(&format!("{guide} {TWO} --guide-weight 0.1 --restarts 2 --judge builtin"));
    let report = report(&scene.path().join("found"));
    assert_eq!(
        (&report["comparison"], &report["attack"]["guidance"]["schedule"]),
        (&"constant".into(), &"constant".into())
    );
    for batch in list(&report["batches"]) {
        let hypotheses = list(&batch["hypotheses"]);
        assert_eq!(hypotheses.len(), 6);
        let mut before = f64::NEG_INFINITY;
        for hypothesis in hypotheses {
            let (loss, matching) = (number(&hypothesis["loss"]), number(&hypothesis["matching"]));
            // Two pictures, each pulled at by 0.1·(1 − cosine).
            assert!(loss > matching && loss < matching + 0.4, "{hypothesis}");
            assert!(before <= loss);
            before = loss;
            assert!(hypothesis["calibrated"].is_null() && hypothesis["posterior"].is_null());
        }
        let shares: f64 = hypotheses.iter().map(|h| number(&h["with_naming"])).sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert!(batch["p_value"].is_null() && batch["claimed"].is_null());
    }
    let orders: Vec<&str> =
        list(&report["tally"]["orders"]).iter().map(|order| order["by"].as_str().unwrap()).collect();
    assert_eq!(
        orders,
        ["matching and pull", "matching at that optimum", "with naming", "naming without guidance"]
    );
    // Two readers, of which one pulled.
    let readers = list(&report["readers"]);
    assert_eq!(
        (readers.len(), &readers[0]["pulled"], &readers[1]["pulled"]),
        (2, &true.into(), &false.into())
    );
    assert!(readers[1]["believed"]["mean"].is_number() && list(&readers[1]["names"]).len() == 2);
    assert!(list(&report["notes"]).is_empty());
    assert!(
        text.contains("did not pull") && text.contains("compared by constant (matching and pull)"),
        "{text}"
    );
    let page = fs::read_to_string(scene.path().join("found/report.html")).unwrap();
    assert!(page.contains("Who reads the pictures") && page.contains("Ways to compare"));
}

#[test]
fn a_model_that_reads_what_it_pulled_for_is_said_to() {
    let (scene, guide) = scene();
    let path = scene.path().display().to_string();
    let text = succeed(&format!("{guide} --names Bag,Shirt,Sandal,Pullover"));
    assert!(text.contains("only one that reads") && text.contains("--judge"), "{text}");
    let text = succeed(&format!("{guide} --names Bag,Shirt,Sandal,Pullover --judge {path}/clip"));
    assert!(text.contains("--judge is the model that pulls"), "{text}");
    assert_eq!(list(&report(&scene.path().join("found"))["notes"]).len(), 1);
    fail(2, &format!("{guide} --judge builtin --names florp,dog"), &["--judge", "\"florp\""]);
    fail(1, &format!("{guide} --judge {path}/none"), &["none"]);

    let run = guide.replace("guide ", "run --batches 2 --class-order data-set ");
    let text = succeed(&format!("{run} --guide oracle --judge builtin"));
    assert!(text.contains("read by builtin, which did not pull"), "{text}");
    let judged = report(&scene.path().join("found"));
    assert_eq!(judged["judge"]["model"], "builtin");
    assert!(judged["judge"]["accuracy"]["originals"].is_object() && judged["guidance"]["note"].is_null());
    let page = fs::read_to_string(scene.path().join("found/report.html")).unwrap();
    assert!(page.contains("Who reads the pictures") && page.contains("did not pull"));
    let text = succeed(&format!("{run} --guide oracle"));
    assert!(text.contains("only one that reads"), "{text}");
    assert!(report(&scene.path().join("found"))["guidance"]["note"].is_string());
    fail(2, &format!("{run} --judge builtin"), &["--judge", "give --guide"]);
}

#[test]
fn features_are_compared_without_an_attack_and_leads_are_calibrated() {
    let (scene, guide) = scene();
    let text = succeed(&format!("{guide} --compare features --batches 6"));
    let report = report(&scene.path().join("found"));
    assert!(report["timing"].is_null() && report["attack"]["guidance"].is_null());
    assert!(list(&report["threat_model"]["grants"]).contains(&"public-data".into()));
    let record = &report["calibration"];
    assert_eq!((&record["unrelated"], &record["related"]), (&200.into(), &200.into()));
    let rate = number(&record["observed_rate"]);
    assert!((0.0..0.15).contains(&rate), "{rate}");
    assert!(record["threshold"].is_number() && record["names"].as_object().unwrap().len() == 10);
    for batch in list(&report["batches"]) {
        let hypotheses = list(&batch["hypotheses"]);
        let of = |key: &str| hypotheses.iter().map(|h| number(&h[key])).collect::<Vec<f64>>();
        assert!((of("posterior").iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(of("calibrated").windows(2).all(|pair| pair[0] >= pair[1]), "{:?}", of("calibrated"));
        let p = number(&batch["p_value"]);
        assert!(p > 0.0 && p <= 1.0);
        assert_eq!(batch["claimed"], Value::from(p <= 0.05));
    }
    let bins: u64 =
        list(&report["reliability"]["bins"]).iter().map(|bin| bin["hypotheses"].as_u64().unwrap()).sum();
    assert_eq!(bins, 60);
    assert!(text.contains("at 5 % false positives"), "{text}");
    let page = fs::read_to_string(scene.path().join("found/report.html")).unwrap();
    assert!(page.contains("Reliability of the posterior") && page.contains("What a lead is worth"));
    // The same options, the same figures.
    let again = succeed(&format!("{guide} --compare features --batches 6 --json"));
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["calibration"], &again["tally"]), (record, &report["tally"]));

    let blind = scene.path().join("blind.toml");
    let grants = "\"weights\", \"update\", \"batch-size\", \"data-statistics\"";
    fs::write(&blind, format!("name = \"blind\"\ngrants = [{grants}]\n")).unwrap();
    let blind = format!("--threat-model {}", blind.display());
    fail(2, &format!("{guide} --compare features {blind}"), &["--compare features", "grants public-data"]);
    fail(2, &format!("{guide} --compare features --names dog,cat"), &["--compare features", "--public DIR"]);
    fail(2, &format!("{guide} --compare features --guide-weight 1"), &["--guide-weight", "has no pull"]);
    fail(2, &format!("{guide} --calibrate 0"), &["--calibrate", "1..=100000"]);
    fail(2, &format!("{guide} --calibrate 8 --names dog,cat"), &["--calibrate", "--public DIR"]);
    fail(2, &format!("{guide} --public {}", scene.path().display()), &["--public is for"]);
    fail(2, &format!("{guide} --compare guess"), &["--compare", "constant", "'guess'"]);
    fail(2, &format!("{guide} --guide-schedule step"), &["--compare constant", "step:0.75"]);
    fail(2, &format!("{guide} --compare free --guide-schedule constant"), &["--compare free", "stays"]);
}

#[test]
fn attacks_under_hypotheses_are_calibrated_too() {
    let (scene, guide) = scene();
    for compare in ["constant", "free"] {
        succeed(&format!("{guide} --compare {compare} --calibrate 6 --guide-weight 0.1 {TWO}"));
        let report = report(&scene.path().join("found"));
        let record = &report["calibration"];
        assert_eq!(record["unrelated"], 6, "{record}");
        assert!(record["threshold"].is_null() && record["observed_rate"].is_null(), "too few");
        assert!(number(&report["batches"][0]["p_value"]) >= 1.0 / 7.0 - 1e-12);
        assert_eq!(report["batches"][0]["claimed"], false);
        let orders = list(&report["tally"]["orders"]);
        assert!(orders.iter().any(|order| order["by"] == "calibrated"));
    }
}

#[test]
fn a_class_conditional_generator_says_what_it_can_make_of_each_name() {
    let (scene, guide) = scene();
    let (data, path) = (pictures(scene.path()), scene.path().display().to_string());
    let train = |name: &str, rest: &str| {
        succeed(&format!(
            "train generator --data {data} --batch 4 --width 2 --epochs 1 --device cpu --out {path}/{name}.safetensors {rest}"
        ));
    };
    train("own", "--conditional");
    train("plain", "");
    let conditional = format!("{guide} --data {data} --arch lenet-zhu --compare conditional");
    let text = succeed(&format!("{conditional} --generator {path}/own.safetensors --batches 2 --restarts 2"));
    assert!(text.contains("compared by conditional (matching by latents)"), "{text}");
    let found = report(&scene.path().join("found"));
    assert_eq!(
        (&found["attack"]["sought"], &found["attack"]["generator_class"]),
        (&"latent".into(), &"open".into())
    );
    assert!(list(&found["threat_model"]["grants"]).contains(&"generative-prior".into()));
    for batch in list(&found["batches"]) {
        let losses: Vec<f64> = list(&batch["hypotheses"]).iter().map(|h| number(&h["loss"])).collect();
        assert!(losses.len() >= 2 && losses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(losses[0] < losses[losses.len() - 1], "classes make a difference: {losses:?}");
        assert_eq!(list(&batch["hypotheses"][0]["restarts"]).len(), 2);
    }
    fail(
        2,
        &format!("{conditional} --generator untrained"),
        &["--compare conditional", "--generator builtin"],
    );
    fail(
        2,
        &format!("{conditional} --generator {path}/plain.safetensors"),
        &["--compare conditional", "no classes"],
    );
    fail(
        2,
        &format!("{conditional} --generator {path}/own.safetensors --names dog,florp"),
        &["--compare conditional", "the generator knows"],
    );
    let named = format!("{conditional} --generator {path}/own.safetensors --generator-class dog");
    fail(2, &named, &["--compare conditional", "each hypothesis says the classes"]);
    fail(2, &format!("{conditional} --preset ig"), &["--compare conditional", "latents of a generator"]);
    fail(
        2,
        &format!("{conditional} --generator {path}/own.safetensors --guide-views 2"),
        &["--guide-views", "has no pull"],
    );
    fail(
        2,
        &format!("{conditional} --generator {path}/own.safetensors --threat-model server"),
        &["does not grant generative-prior"],
    );
}
