//! Threat models, defences and local training on the command line.

use std::fs;

use serde_json::Value;

use super::support::{fail, folder, report, succeed};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_threat_model_refuses_what_it_does_not_grant() {
    let out = folder();
    let run = format!("run --iterations 2 --device cpu --force --out {}", out.path().join("o").display());
    fail(2, &format!("{run} --labels given --threat-model server"), &["'server'", "does not grant labels"]);
    fail(
        2,
        &format!("{run} --defence sign --adaptive --threat-model server"),
        &["does not grant defence", "adaptive eavesdropper"],
    );
    fail(2, &format!("{run} --threat-model wizard"), &["server", "insider", "'wizard'"]);
    let file = out.path().join("blind.toml");
    fs::write(&file, "name = \"blind\"\ngrants = [\"update\", \"weights\", \"data-statistics\"]\n").unwrap();
    let blind = format!("{run} --threat-model {}", file.display());
    fail(2, &blind, &["'blind'", "does not grant batch-size", "it grants: update, weights, data-statistics"]);
    fs::write(&file, "name = \"odd\"\ngrants = [\"everything\"]\n").unwrap();
    fail(2, &blind, &["blind.toml", "everything"]);
    assert!(!out.path().join("o").exists());

    let told = succeed(&format!("{run} --labels given --threat-model insider"));
    assert!(told.contains("eavesdropper (insider) knows: weights, update"), "{told}");
    let report = report(&out.path().join("o"));
    assert_eq!(report["threat_model"]["name"], "insider");
    assert_eq!(report["threat_model"]["labels"], "given");
    assert_eq!(report["threat_model"]["observes"], "gradient");
}

#[test]
fn a_defended_run_records_its_defence_and_a_weak_one_changes_little() {
    let out = folder();
    let run = |more: &str| {
        succeed(&format!("run --iterations 40 --device cpu --force --out {} {more}", out.path().display()));
        report(out.path())
    };
    let psnr = |report: &Value| report["metrics"]["psnr"]["one_to_one"]["mean"].as_f64().unwrap();
    let plain = run("");
    let strong = run("--defence dp-sgd:1:1");
    assert_eq!(strong["defences"]["client"][0], "dp-sgd:1:1");
    assert!((strong["defences"]["epsilon"].as_f64().unwrap() - 4.38).abs() < 0.01, "{}", strong["defences"]);
    assert!(psnr(&strong) < psnr(&plain), "{} {}", psnr(&strong), psnr(&plain));
    let adaptive = run("--defence top-k:0.3,clip:1 --adaptive");
    assert_eq!(adaptive["defences"]["adaptive_eavesdropper"], true);
    fail(2, "run --iterations 2 --defence noise:-1", &["--defence", "strengths above 0"]);
    fail(2, "run --iterations 2 --defence fog:1", &["--defence", "soteria:SHARE", "fog:1"]);
    fail(2, "run --iterations 2 --adaptive", &["--adaptive", "--defence"]);
    fail(2, "run --iterations 2 --defence dp-sgd:1:1 --local-lr 0.1", &["dp-sgd", "one step"]);
}

#[test]
fn the_update_of_one_step_tells_the_labels_of_its_gradient_and_four_steps_are_attacked_too() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pictures: Vec<String> = (0..4)
        .map(|i| {
            let picture = path(&format!("{i}.png"));
            gia_gpu::data::samples().picture(i).unwrap().write_png(picture.as_ref()).unwrap();
            picture
        })
        .collect();
    let capture = |out: &str, more: &str| {
        succeed(&format!(
            "capture --arch resnet20 --images {} --labels 3,3,3,8 --device cpu --out {} {more}",
            pictures.join(" "),
            path(out)
        ))
    };
    let weights = path("w.safetensors");
    capture("g.safetensors", &format!("--save-weights {weights}"));
    capture("u.safetensors", "--local-lr 0.01");
    capture("u4.safetensors", "--local-lr 0.01 --local-steps 4 --local-batch 2 --mode train --send-buffers");
    let labels = |file: &str| {
        let text = succeed(&format!("labels --weights {weights} --gradient {} --json", path(file)));
        json(&text)
    };
    let (gradient, update) = (labels("g.safetensors"), labels("u.safetensors"));
    assert_eq!(gradient["counts"], update["counts"]);
    assert_eq!(gradient["counts"][3], 3);
    assert_eq!(gradient["counts"][8], 1);
    let four = labels("u4.safetensors");
    assert!(four["warnings"].to_string().contains("of 4 local steps"), "{four}");

    let out = path("found");
    let invert = format!(
        "invert --weights {weights} --gradient {} --labels 3,3,3,8 --iterations 30 --device cpu --force --out {out}",
        path("u4.safetensors")
    );
    let prior = "--bn-prior 0.001 --bn-target batch";
    let unlabelled = invert.replace("--labels 3,3,3,8 ", "");
    fail(2, &format!("{unlabelled} {prior} --threat-model server"), &["does not grant batch-statistics"]);
    succeed(&format!("{invert} {prior}"));
    let report = report(out.as_ref());
    assert_eq!(report["threat_model"]["observes"], "update");
    assert_eq!(report["threat_model"]["batch_norm_statistics"], "batch");
    assert_eq!(report["threat_model"]["local_training"]["steps"], 4);
    let history = report["batches"][0]["restarts"][0]["history"].as_array().unwrap();
    let at = |i: usize| history[i][1].as_f64().unwrap();
    assert!(at(30) < 0.9 * at(0), "{} {}", at(0), at(30));
}

#[test]
fn studies_print_every_row_with_its_controls() {
    let study =
        succeed("study labels --arch mlp --hidden 16 --classes 20 --batch 6 --batches 5 --device cpu --json");
    let study = json(&study);
    let rows = study["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|r| r["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["ilrg", "idlg", "sign", "yin", "bias-corrected", "random"]);
    assert_eq!(rows[0]["ln_acc"]["mean"], 1.0);
    assert!(rows[5]["irec"]["mean"].as_f64().unwrap() < 0.7);
    let table =
        succeed("study defences --iterations 20 --device cpu --defence noise:1 --defence sign,noise:0.1");
    for row in ["none", "noise:1 ", "sign,noise:0.1", "flat grey picture", "noise picture", "adaptive"] {
        assert!(table.contains(row), "no '{row}' in\n{table}");
    }
}
