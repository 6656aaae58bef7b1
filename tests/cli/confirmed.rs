//! Studies of names that pull: a setting is selected and confirmed, comparisons side by side, and what models draw.

use std::fs;

use gia_gpu::tensor_file::TensorFile;
use serde_json::Value;

use crate::{support::*, train::pictures};

fn json(arguments: &str) -> Value {
    serde_json::from_str(&succeed(arguments)).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

#[test]
fn the_setting_that_is_selected_is_tried_on_new_batches_beside_other_names() {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let (path, out) = (scene.path().display(), scene.path().join("found"));
    let study = format!(
        "study guidance --clip {path}/clip --templates plain --judge builtin --device cpu --batch-sizes 2 --batches 2 \
         --iterations 8 --guide-weights 0.5 --guide-views none,2 --parameterisations pixels,pyramid --guide-schedule constant \
         --select-by judge --out {}",
        out.display()
    );
    let found = json(&format!("{study} --confirm 3 --json"));
    let arms = list(&found["rows"]);
    // Two parameterisations with two numbers of views: each without names once, and with both kinds of names.
    let of = |phase: &str| arms.iter().filter(|row| row["arm"]["phase"] == phase).count();
    assert_eq!(of("selection"), 2 + 2 * 2 * 2);
    let selected = &list(&found["selected"])[0]["setting"];
    let pyramid = selected["parameterisation"] == "pyramid";
    assert_eq!(of("confirmation"), 3 + usize::from(pyramid));
    let metrics: Vec<&str> =
        list(&found["confirmed"]).iter().map(|c| c["metric"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["ssim", "fmse", "judge"], "no weights of LPIPS, no LPIPS");
    for confirmed in list(&found["confirmed"]) {
        let p = confirmed["p_true_names"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&p) && confirmed["improves"].is_boolean());
        assert_eq!(confirmed["over_pixels"].is_object(), pyramid);
    }
    assert_eq!((&found["judge"], list(&found["notes"]).len()), (&"builtin".into(), 0));
    let shown = files(&out).into_keys().filter(|p| p.to_string_lossy().starts_with("pictures-B2-")).count();
    assert_eq!(shown, 3 + usize::from(pyramid));
    let csv = fs::read_to_string(out.join("guidance.csv")).unwrap();
    assert!(csv.contains(",confirmation,") && csv.contains(",pyramid,"), "{csv}");

    // What is there is not computed again, and other batches are another study.
    let text = succeed(&format!("{study} --confirm 3"));
    assert!(text.contains("true names add most with") && text.contains("p after Holm"), "{text}");
    fail(2, &format!("{study} --confirm 4"), &["batches"]);
    let fresh = study.replace("/found", "/fresh");
    fail(2, &fresh.replace("none,2", "0"), &["--guide-views", "none or 1 to 64", "'0'"]);
    fail(2, &fresh.replace("none,2", "65"), &["--guide-views", "'65'"]);
    fail(2, &fresh.replace("pixels,pyramid", "wavelet"), &["--parameterisations", "pyramid", "'wavelet'"]);
    fail(2, &fresh.replace("--judge builtin", ""), &["--select-by judge", "--judge"]);
    fail(2, &fresh.replace("by judge", "by lpips"), &["--select-by lpips", "--lpips"]);
    fail(2, &format!("{fresh} --pullers builtin --defence blur:1"), &["--defence"]);
    assert!(!scene.path().join("fresh").exists());
    let same = fresh.replace("--judge builtin", &format!("--judge {path}/clip")).replace("none,2", "none");
    let same = json(&format!("{same} --pullers builtin --json"));
    assert_eq!(list(&same["models"]).len(), 2);
    assert!(list(&same["notes"])[0].as_str().unwrap().contains("--judge is the model that pulls"));
}

#[test]
fn names_can_be_the_classes_of_a_generator() {
    let scene = folder();
    let (data, path) = (pictures(scene.path()), scene.path().display().to_string());
    succeed(&format!(
        "train generator --data {data} --batch 4 --width 2 --epochs 1 --device cpu --conditional --out {path}/g.safetensors"
    ));
    // An epoch leaves it all but grey, whatever the class.
    let file = scene.path().join("g.safetensors");
    let mut read = TensorFile::read(&file).unwrap();
    let weights = read.tensors.values_mut().filter(|tensor| tensor.shape.len() == 4);
    weights.for_each(|tensor| tensor.data.iter_mut().for_each(|w| *w *= 20.0));
    TensorFile::write(&file, &read.tensors, &read.metadata).unwrap();
    small_clip(&scene.path().join("clip"));
    let study = format!(
        "study guidance --data {data} --arch lenet-zhu --clip {path}/clip --templates plain --device cpu --batch-sizes 2 \
         --batches 2 --iterations 6 --out {path}/found"
    );
    let own = format!("{study} --preset gias --generator {path}/g.safetensors");
    let found = json(&format!("{own} --parameterisations latent,latent-weights --confirm 2 --json"));
    let arm = |row: &Value| {
        let of = |key: &str| row["arm"][key].as_str().unwrap().to_string();
        [of("parameterisation"), of("towards"), of("phase")]
    };
    let arms: Vec<[String; 3]> = list(&found["rows"]).iter().map(arm).collect();
    let chosen = list(&found["selected"])[0]["setting"]["parameterisation"].as_str().unwrap().to_string();
    let mut expected = vec![];
    for (moved, phase) in
        [("latent", "selection"), ("latent-weights", "selection"), (&*chosen, "confirmation")]
    {
        if phase == "confirmation" {
            expected.push(["pixels", "nothing", phase]);
        }
        expected.extend(["nothing", "true-names", "other-names"].map(|towards| [moved, towards, phase]));
    }
    assert_eq!(arms, expected);
    let reached = |row: &Value| row["objective"]["mean"].as_f64().unwrap();
    let rows = list(&found["rows"]);
    assert!(reached(&rows[0]) != reached(&rows[1]) && reached(&rows[1]) != reached(&rows[2]));
    assert!(rows.iter().all(|row| row["arm"]["weight"].is_null() && row["arm"]["views"].is_null()));
    // Nothing pulls, so that the model which names is a witness.
    assert!(list(&found["notes"]).is_empty() && found["judge"].is_string(), "{}", found["notes"]);
    let metrics = list(&found["confirmed"]).iter().map(|c| c["metric"].as_str().unwrap());
    assert_eq!(metrics.collect::<Vec<_>>(), ["ssim", "fmse", "judge"]);

    let fresh = own.replace("/found", "/fresh");
    fail(
        2,
        &format!("{fresh} --parameterisations pixels"),
        &["--parameterisations pixels", "gias moves latent-weights"],
    );
    let without = study.replace("/found", "/fresh");
    fail(
        2,
        &format!("{without} --parameterisations latent"),
        &["--parameterisations latent", "knows class0"],
    );
    assert!(!scene.path().join("fresh").exists());
}

#[test]
fn comparisons_stand_side_by_side_on_the_same_batches() {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let (data, path) = (pictures(scene.path()), scene.path().display().to_string());
    succeed(&format!(
        "train generator --data {data} --batch 4 --width 2 --epochs 1 --device cpu --conditional --out {path}/g.safetensors"
    ));
    let study = format!(
        "study hypotheses --data {data} --public {data} --arch lenet-zhu --clip {path}/clip --templates plain --judge {path}/clip \
         --device cpu --batches 3 --iterations 4 --guide-weight 0.1 --generator {path}/g.safetensors --calibrate-features 20 \
         --out {path}/found"
    );
    let all = format!("{study} --compare constant,conditional,features,free");
    let found = json(&format!("{all} --json"));
    let comparisons = list(&found["comparisons"]);
    let names: Vec<&str> = comparisons.iter().map(|c| c["comparison"].as_str().unwrap()).collect();
    assert_eq!(names, ["constant", "conditional", "features", "free"]);
    assert_eq!((&found["batches"], &found["chance_first"]), (&3.into(), &0.5.into()));
    for compared in comparisons {
        for batch in list(&compared["batches"]) {
            assert_eq!(list(batch).iter().filter(|h| h["is_true"] == true).count(), 1);
        }
        assert_eq!(compared["calibration"].is_object(), compared["comparison"] == "features");
        let readers = list(&compared["readers"]);
        let pulled = ["constant", "free"].contains(&compared["comparison"].as_str().unwrap());
        assert_eq!((readers.len(), &readers[0]["pulled"]), (2, &pulled.into()));
    }
    let together: Vec<&str> = list(&found["together"]).iter().map(|t| t["by"].as_str().unwrap()).collect();
    for by in ["matching by latents", "naming without guidance", "all that constrain, with naming"] {
        assert!(together.contains(&by), "{together:?}");
    }
    let journal = fs::read(scene.path().join("found/journal.jsonl")).unwrap();
    let text = succeed(&all);
    assert!(text.contains("likelihood of features, calibrated") && text.contains("chance"), "{text}");
    assert_eq!(
        fs::read(scene.path().join("found/journal.jsonl")).unwrap(),
        journal,
        "nothing is computed again"
    );

    let fresh = study.replace("/found", "/fresh");
    fail(2, &format!("{fresh} --compare constant,guess"), &["--compare", "conditional", "'guess'"]);
    fail(2, &format!("{fresh} --compare free,free"), &["--compare", "stands twice"]);
    let without = fresh.replace(&format!("--generator {path}/g.safetensors"), "");
    fail(2, &format!("{without} --compare conditional"), &["--compare conditional", "airplane", "class0"]);
    let untrained = format!("{without} --compare conditional --generator untrained");
    fail(2, &untrained, &["--compare conditional", "--generator builtin (3×32×32) or FILE"]);
    let without = fresh.replace(&format!("--public {data}"), "");
    fail(2, &format!("{without} --compare features"), &["--compare features", "--public DIR"]);
    fail(2, &format!("{without} --compare free --calibrate 4"), &["--calibrate", "--public DIR"]);
    assert!(!scene.path().join("fresh").exists());
}

#[test]
fn models_draw_words_and_read_each_others() {
    let scene = folder();
    let path = scene.path().display().to_string();
    succeed(&format!(
        "train clip --arch resnet9-2 --embedding 8 --data own={} --batch 4 --epochs 1 --device cpu --out {path}/m.safetensors",
        pictures(scene.path())
    ));
    let study = format!(
        "study pulls --models builtin --words cat,dog --iterations 3 --device cpu --out {path}/found"
    );
    let found = json(&format!("{study} --guide-views 2 --parameterisation pyramid --json"));
    let readings = list(&found["readings"]);
    assert_eq!((readings.len(), list(&readings[0]["probabilities"]).len()), (1, 2));
    assert!(scene.path().join("found/pulls.png").exists());
    let again = json(&format!("{study} --guide-views 2 --parameterisation pyramid --json"));
    assert_eq!(again["readings"], found["readings"], "the same seed, the same pictures");
    let two = study.replace("builtin", &format!("{path}/m.safetensors,{path}/m.safetensors"));
    let text = succeed(&two.replace("cat,dog", "class0,class1"));
    assert_eq!(text.matches(" of 2").count(), 4, "{text}");
    // Names that pull for long are read by who pulled.
    let long = json(&format!("{} --json", study.replace("--iterations 3", "--iterations 40")));
    assert_eq!(list(&long["readings"])[0]["right"], 2, "{long}");

    fail(2, &two, &["--words", "\"cat\""]);
    fail(2, &study.replace("cat,dog", "cat,cat"), &["--words", "cat"]);
    fail(2, &format!("{study} --guide-views 0"), &["--guide-views", "'0'"]);
    fail(2, &format!("{study} --learning-rate 0"), &["--learning-rate", "> 0"]);
    fail(2, &format!("{study} --tv -1"), &["--tv", "≥ 0"]);
}
