//! What public pictures with names tell, with a gradient and without one.

use std::{fs, path::Path};

use gia_gpu::data::samples;
use serde_json::Value;

use crate::support::*;

/// Embedded pictures, a folder a class, `each` of every class from the `first` on.
fn class_folders(path: &Path, first: usize, each: usize) {
    let samples = samples();
    let mut counts = vec![0; samples.class_names.len()];
    for i in 0..samples.len() {
        let label = samples.label(i).unwrap();
        counts[label] += 1;
        if (first + 1..=first + each).contains(&counts[label]) {
            let folder = path.join(&samples.class_names[label]);
            fs::create_dir_all(&folder).unwrap();
            samples.picture(i).unwrap().write_png(&folder.join(format!("{i:02}.png"))).unwrap();
        }
    }
}

fn grants(report: &Value) -> Vec<String> {
    let all = report["threat_model"]["grants"].as_array().unwrap();
    all.iter().map(|grant| grant.as_str().unwrap().to_string()).collect()
}

#[test]
fn public_pictures_name_labels_by_features_and_by_the_model_alone() {
    let out = folder();
    let path = |name: &str| out.path().join(name).display().to_string();
    let common = "run --batch 2 --batches 4 --iterations 3 --device cpu";
    let text = succeed(&format!("{common} --force --out {}", path("default")));
    assert!(text.contains("model alone") && text.contains("features and reconstructions"), "{text}");
    let report = report(Path::new(&path("default")));
    let semantic = &report["semantic"];
    assert_eq!(semantic["public"], "32 pictures of fashion-mnist samples");
    for row in ["model_alone", "features", "both"] {
        let score = &semantic["accuracy"][row]["greedy"];
        assert!(score["per_batch"]["mean"].is_f64() && score["aggregated"]["of"].is_u64(), "{row}: {score}");
    }
    assert!(semantic["by_features"].as_array().unwrap().iter().all(|index| index["name"].is_string()));
    assert!(grants(&report).contains(&"public-data".into()));
    assert!(fs::read_to_string(path("default/report.html")).unwrap().contains("model alone"));

    // The clients have others.
    class_folders(&out.path().join("public"), 2, 2);
    let text = succeed(&format!("{common} --public {} --out {} --json", path("public"), path("given")));
    let given: Value = serde_json::from_str(&text).unwrap();
    // A folder "T-shirt/top" is one in another: its two pictures are of no name.
    assert_eq!(given["semantic"]["public"], "18 pictures of public");
}

#[test]
fn public_pictures_must_be_granted_and_have_the_names() {
    let out = folder();
    let path = |name: &str| out.path().join(name).display().to_string();
    class_folders(&out.path().join("public"), 0, 1);
    fs::write(
        path("narrow.toml"),
        "name = \"narrow\"\ngrants = [\"weights\", \"update\", \"batch-size\", \"data-statistics\"]\n",
    )
    .unwrap();
    let common =
        format!("run --batch 1 --batches 2 --iterations 2 --device cpu --force --out {}", path("out"));
    fail(
        2,
        &format!("{common} --threat-model {} --public {}", path("narrow.toml"), path("public")),
        &["does not grant public-data", "--public"],
    );
    // By default what is not granted is left out.
    let text = succeed(&format!("{common} --threat-model {} --json", path("narrow.toml")));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert!(
        report["semantic"]["public"].is_null() && report["semantic"]["accuracy"]["model_alone"].is_null()
    );
    for model in ["server", "insider"] {
        let text = succeed(&format!("{common} --threat-model {model} --json"));
        let report: Value = serde_json::from_str(&text).unwrap();
        assert!(report["semantic"]["public"].is_string(), "{model}");
    }
    fail(
        2,
        &format!("{common} --names dog,cat --public {}", path("public")),
        &["--public", "candidate names", "dog, cat"],
    );
    // All that there are belong to the clients.
    let all = format!("run --batch 10 --batches 4 --iterations 1 --device cpu --force --out {}", path("out"));
    fail(2, &format!("{all} --public {}", path("public")), &["--public", "are a client's"]);
}

#[test]
fn a_sweep_has_the_same_rows() {
    let out = folder();
    class_folders(&out.path().join("public"), 3, 1);
    let swept = out.path().join("sweep");
    succeed(&format!(
        "sweep --victim lenet-zhu --batch-sizes 2 --batches 4 --iterations 2 --aggregate 2 --public {} --out {} --device cpu",
        out.path().join("public").display(),
        swept.display()
    ));
    let table = fs::read_to_string(swept.join("results.csv")).unwrap();
    let (header, row) = table.split_once('\n').unwrap();
    for source in ["features", "features_and_reconstructions", "model_alone"] {
        let column = header.split(',').position(|c| c.contains(source) && c.contains("greedy")).unwrap();
        let value: f64 = row.split(',').nth(column).unwrap().trim().parse().unwrap();
        assert!((0.0..=1.0).contains(&value), "{source}: {value}");
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
fn a_trained_public_model_gives_all_its_names_away_alone() {
    let (Some(data), Some(weights)) = (std::env::var_os("GIA_DATA"), std::env::var_os("GIA_WEIGHTS")) else {
        return eprintln!("skipped: GIA_DATA and GIA_WEIGHTS name no folders");
    };
    let data = Path::new(&data).join("cifar10-first4000.bin");
    let weights = Path::new(&weights).join("resnet20_cifar10.safetensors");
    let out = folder();
    let text = succeed(&format!(
        "run --arch resnet20 --weights {} --data {data} --public {data} --batch 8 --batches 3 --iterations 1 --assignment \
         one-to-one --device cpu --json --out {}",
        weights.display(),
        out.path().display(),
        data = data.display(),
    ));
    let report: Value = serde_json::from_str(&text).unwrap();
    let alone = &report["semantic"]["accuracy"]["model_alone"]["one_to_one"]["aggregated"];
    assert_eq!((&alone["right"], &alone["share"]), (&alone["of"], &1.0.into()), "{alone}");
    // What the model gives away alone is not credited to the gradient.
    let findings = report["verdict"]["findings"].as_array().unwrap();
    let names = findings.iter().find(|finding| finding["what"] == "names").unwrap();
    assert_eq!(names["floor"], 1.0);
    assert_ne!(names["answer"], "leaks", "{names}");
}
