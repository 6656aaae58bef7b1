//! Clients of unequal sizes, and updates of one client over rounds.

use std::{fs, path::Path};

use gia_gpu::{
    data::samples,
    tensor_file::{GradientFile, TensorFile},
};
use serde_json::{Value, json};

use crate::support::*;

/// Sample pictures as files, and their labels.
fn pictures(folder: &Path, which: std::ops::Range<usize>) -> (String, String) {
    let samples = samples();
    let files: Vec<String> = which
        .clone()
        .map(|i| {
            let path = folder.join(format!("picture-{i}.png"));
            samples.picture(i).unwrap().write_png(&path).unwrap();
            path.display().to_string()
        })
        .collect();
    let labels: Vec<String> = which.map(|i| samples.labels()[i].to_string()).collect();
    (files.join(" "), labels.join(","))
}

#[test]
fn unequal_clients_go_from_capture_to_the_attack_weighted_by_their_pictures() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (weights, update) = (path("w.safetensors"), path("u.safetensors"));
    let (files, labels) = pictures(folder.path(), 0..8);
    let common = "--arch lenet-zhu --seed 5 --local-lr 0.1 --device cpu";
    succeed(&format!(
        "capture {common} --images {files} --labels {labels} --clients 3,5 --local-epochs 1 --local-batch 2 \
         --out {update} --save-weights {weights}"
    ));
    // The same by hand: each client alone, and the mean weighted by pictures.
    let alone = [0..3, 3..8].map(|which| {
        let (files, labels) = pictures(folder.path(), which);
        let out = path("alone.safetensors");
        succeed(&format!(
            "capture {common} --images {files} --labels {labels} --local-epochs 1 --local-batch 2 --out {out}"
        ));
        TensorFile::read(Path::new(&out)).unwrap().tensors
    });
    let together = GradientFile::read(Path::new(&update)).unwrap();
    for (name, tensor) in &together.file.tensors {
        for (i, value) in tensor.data.iter().enumerate() {
            let expected = (3.0 * alone[0][name].data[i] + 5.0 * alone[1][name].data[i]) / 8.0;
            assert!(
                (value - expected).abs() < 1e-6 + 1e-4 * expected.abs(),
                "{name}[{i}]: {value} for {expected}"
            );
        }
    }
    assert_eq!(together.info.clients.as_deref(), Some("3,5"));
    let out = path("found");
    let found = succeed(&format!(
        "invert --arch lenet-zhu --weights {weights} --gradient {update} --iterations 1 --device cpu --json --force --out {out}"
    ));
    let report: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(report["protocol"]["clients"], json!([3, 5]));
    assert_eq!(report["protocol"]["local"]["epochs"], 1);
    assert_eq!(report["batch"], 8);
}

#[test]
fn the_sizes_of_clients_say_the_batch_and_must_fit_it() {
    let out = folder();
    let dir = out.path().display();
    let common = format!("--no-names --iterations 1 --device cpu --force --out {dir}");
    succeed(&format!("run --clients 1,2 --batches 2 {common}"));
    let found = report(out.path());
    assert_eq!((&found["batch"], &found["protocol"]["clients"]), (&3.into(), &json!([1, 2])));
    fail(
        2,
        &format!("run --clients 3,5,8 --batch 4 {common}"),
        &["--clients 3,5,8", "expected 16", "found 4"],
    );
    fail(2, &format!("run --clients 3,0 {common}"), &["--clients", "3,5,8", "'3,0'"]);
    fail(2, &format!("run --clients 3,x {common}"), &["--clients", "'3,x'"]);
    fail(2, "sweep --clients 3,5", &["--clients 3,5", "expected 8"]);
}

/// Updates of one client in three rounds, from the weights of each round: the second and the tenth on the same picture.
fn rounds(folder: &Path) -> Vec<(String, String)> {
    let mut files = vec![];
    for (round, which) in [(2, 0..1), (10, 0..1), (1, 1..2)] {
        let (images, labels) = pictures(folder, which);
        let [weights, update] = ["weights", "update"]
            .map(|what| folder.join(format!("{what}-{round}.safetensors")).display().to_string());
        succeed(&format!(
            "capture --arch lenet-zhu --seed {round} --images {images} --labels {labels} --device cpu --out {update} \
             --save-weights {weights}"
        ));
        files.push((weights, update));
    }
    files
}

#[test]
fn each_round_has_weights_of_its_own_and_a_row_in_the_report() {
    let folder = folder();
    let files = rounds(folder.path());
    let of = |which: fn(&(String, String)) -> &String| {
        files.iter().map(|pair| which(pair).as_str()).collect::<Vec<_>>().join(" ")
    };
    let (weights, updates) = (of(|pair| &pair.0), of(|pair| &pair.1));
    let out = folder.path().join("found");
    let common = format!(
        "--names Bag,Shirt,Sandal,Coat --iterations 300 --device cpu --force --out {}",
        out.display()
    );
    let output = run(&format!("run --round-weights {weights} --gradient {updates} {common}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let found = report(&out);
    let rounds = found["rounds"].as_array().unwrap();
    let names: Vec<&str> = rounds.iter().map(|round| round["file"].as_str().unwrap()).collect();
    let expected = [1, 2, 10].map(|round| folder.path().join(format!("update-{round}.safetensors")));
    assert_eq!(names, expected.each_ref().map(|path| path.to_str().unwrap()));
    let labels = samples().labels()[..2].to_vec();
    assert_eq!(rounds[0]["classes"], json!([labels[1]]));
    assert_eq!((&rounds[1]["new_classes"], &rounds[2]["new_classes"]), (&json!([labels[0]]), &json!([])));
    assert_eq!(rounds[2]["classes_so_far"], 2);
    // The tenth round sends the picture of the second again.
    let like = |i: usize| rounds[i]["like_earlier"].as_f64().unwrap();
    assert!(rounds[0]["like_earlier"].is_null() && like(2) > like(1), "{rounds:?}");
    assert!(rounds.iter().all(|round| round["residual"].is_number() && round["certainty"].is_number()));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("over 3 rounds: 2 of 10 classes shown"), "{text}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Leakage over rounds") && page.contains("What the rounds add up to"));

    fail(
        2,
        &format!("run --round-weights {} --gradient {updates} {common}", files[0].0),
        &["--round-weights", "expected 3", "found 1"],
    );
    // One victim for all rounds is not the one of any but its own.
    let other = format!("run --weights {} --gradient {} {} {common}", files[0].0, files[0].1, files[1].1);
    fail(2, &other, &["do not belong to one aggregation"]);
}

#[test]
fn files_of_one_victim_are_taken_in_natural_order() {
    let captured = captured();
    let out = captured.folder.path().join("found");
    let copies = [10, 2, 1].map(|i| captured.folder.path().join(format!("g{i}.safetensors")));
    for copy in &copies {
        fs::copy(&captured.gradient, copy).unwrap();
    }
    let given: Vec<String> = copies.iter().map(|path| path.display().to_string()).collect();
    let output = run(&format!(
        "run --arch lenet-zhu --weights {} --gradient {} --iterations 1 --no-names --device cpu --force --out {}",
        captured.weights,
        given.join(" "),
        out.display()
    ));
    assert!(notes(&output).contains("natural order"), "{}", stderr(&output));
    assert_eq!(report(&out)["data"], format!("{}, {}, {}", given[2], given[1], given[0]));
}
