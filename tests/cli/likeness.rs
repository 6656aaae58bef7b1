//! How networks see reconstructions: the victim's features always, LPIPS where its weights are at hand.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::*;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("{value}")).iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn a_report_has_the_victims_features_and_the_place_of_the_true_picture() {
    let out = folder();
    let options = "--preset decoder --iterations 60 --batches 3 --batch 2 --no-names --device cpu";
    let text = succeed(&format!("run {options} --force --out {}", out.path().display()));
    assert!(text.contains("FMSE") && text.contains("among 6"), "{text}");
    let report = report(out.path());
    assert!(report["threat_model"]["generative_prior"].as_str().unwrap().contains("nobody trained"));
    let likeness = &report["likeness"];
    assert_eq!(likeness["identification_rank"]["pool"], 6);
    assert_eq!(likeness["identification_rank"]["chance"], 3.5);
    assert!(likeness["lpips"].is_null());
    let mut all = vec![];
    for batch in report["batches"].as_array().unwrap() {
        let fmse = numbers(&batch["fmse"]);
        assert!(fmse.len() == 2 && fmse.iter().all(|v| *v > 0.0), "{fmse:?}");
        let ranks = numbers(&batch["identification_rank"]["features"]);
        assert!(ranks.iter().all(|rank| (1.0..=6.0).contains(rank)), "{ranks:?}");
        all.extend(ranks);
    }
    let mean = all.iter().sum::<f64>() / 6.0;
    assert!((likeness["identification_rank"]["features"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
}

#[test]
fn metrics_has_a_victims_features_where_its_weights_are() {
    let Captured { folder, weights, .. } = captured();
    let out = folder.path().join("out");
    let options = "--preset ig --iterations 30 --batches 3 --no-names --device cpu";
    succeed(&format!("run --arch lenet-zhu --weights {weights} {options} --force --out {}", out.display()));
    let found = out.join("reconstruction.safetensors").display().to_string();
    let compared = format!("metrics --reference {found} --reconstruction {found}");
    let with = format!("{compared} --arch lenet-zhu --weights {weights}");
    let seen: Value = serde_json::from_str(&succeed(&format!("{with} --json"))).unwrap();
    assert_eq!(numbers(&seen["fmse"]), [0.0; 3]);
    assert_eq!(seen["identification_rank"]["pool"], 3);
    assert!(seen["identification_rank"]["lpips"].is_null() && seen["lpips"].is_null());
    assert_eq!(numbers(&seen["identification_rank"]["features"]), [1.0; 3]);
    assert!(numbers(&seen["fmse_flat_grey"]).iter().all(|v| *v > 0.0));
    assert!(succeed(&with).contains("FMSE"));
    fail(2, &format!("{compared} --arch lenet-zhu"), &["need --weights"]);
    fail(
        1,
        &format!("{compared} --weights {weights} --arch lenet-zhu --image-size 16"),
        &["fc.0.weight", "768"],
    );
    fail(1, &format!("{compared} --arch lenet-zhu --weights none.safetensors"), &["none.safetensors"]);
}

#[test]
fn lpips_stands_in_reports_and_in_metrics_where_its_weights_are() {
    let weights = std::env::var_os("GIA_WEIGHTS").map(|f| PathBuf::from(f).join("lpips_alexnet.safetensors"));
    let Some(weights) = weights.filter(|path| path.exists()) else {
        return eprintln!("skipped: GIA_WEIGHTS names no folder with lpips_alexnet.safetensors");
    };
    let (out, weights) = (folder(), weights.display().to_string());
    let options = "--preset ig --iterations 100 --batches 3 --no-names --device cpu";
    succeed(&format!("run {options} --lpips {weights} --force --out {}", out.path().display()));
    let own = report(out.path());
    let of_run: Vec<f64> =
        own["batches"].as_array().unwrap().iter().flat_map(|batch| numbers(&batch["lpips"])).collect();
    assert!(of_run.len() == 3 && of_run.iter().all(|v| (0.0..2.0).contains(v)), "{of_run:?}");
    assert!(own["likeness"]["identification_rank"]["lpips"]["mean"].as_f64().unwrap() >= 1.0);
    // The reconstructions before they were rounded, beside themselves.
    let same = out.path().join("reconstruction.safetensors").display().to_string();
    let text =
        succeed(&format!("metrics --reference {same} --reconstruction {same} --lpips {weights} --json"));
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(numbers(&found["lpips"]), [0.0; 3]);
    assert_eq!(numbers(&found["identification_rank"]["lpips"]), [1.0; 3]);
    assert!(numbers(&found["lpips_flat_grey"]).iter().all(|v| *v > 0.0));
    fail(
        1,
        &format!("metrics --reference {same} --reconstruction {same} --lpips {same}"),
        &["LPIPS", "tensor"],
    );
}
