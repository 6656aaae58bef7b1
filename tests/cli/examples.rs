//! Names by example: a few pictures of each in place of text.

use std::{fs, path::Path};

use gia_gpu::data::samples;
use serde_json::Value;

use crate::support::*;

/// Embedded pictures of these classes, a folder a name, those of number `from` on of each.
fn examples(path: &Path, classes: &[usize], from: usize) {
    let samples = samples();
    let mut counts = vec![0; samples.class_names.len()];
    for i in 0..samples.len() {
        let label = samples.label(i).unwrap();
        counts[label] += 1;
        if classes.contains(&label) && counts[label] > from {
            let folder = path.join(samples.class_names[label].replace(' ', "_"));
            fs::create_dir_all(&folder).unwrap();
            samples.picture(i).unwrap().write_png(&folder.join(format!("{i:02}.png"))).unwrap();
        }
    }
}

/// Trouser, pullover, dress, sandal, bag.
const CLASSES: [usize; 5] = [1, 2, 3, 5, 8];

#[test]
fn run_learns_names_from_pictures_that_no_client_has() {
    let out = folder();
    let path = |name: &str| out.path().join(name).display().to_string();
    examples(&out.path().join("known"), &CLASSES, 0);
    let common = format!(
        "run --batch 1 --batches 10 --iterations 3 --device cpu --names-from {} --json --force --out {}",
        path("known"),
        path("out")
    );
    for (more, model) in [("", "builtin"), (" --clip victim", "the victim's own features")] {
        let output = run(&format!("{common}{more}"));
        assert!(output.status.success(), "{}", stderr(&output));
        let notes = notes(&output);
        let said = notes.find("names by example: of ").expect("the accuracy is said");
        assert!(notes.contains("pictures of") && notes.contains("are a client's"), "{notes}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let semantic = &report["semantic"];
        assert_eq!(semantic["names"], serde_json::json!(["Bag", "Dress", "Pullover", "Sandal", "Trouser"]));
        assert!(semantic["model"].as_str().unwrap().contains(model), "{}", semantic["model"]);
        let found = &semantic["examples"];
        let count = |key: &str| found[key].as_u64().unwrap();
        // 20 less one of each class, which the ten clients have.
        assert_eq!((count("pictures"), count("names"), &found["chance"]), (15, 5, &0.2.into()));
        assert!(notes[said..].contains(&format!("{} are named right", count("right"))), "{notes}");
        let interval = found["interval_95"].as_array().unwrap();
        let at_chance = interval[0].as_f64().unwrap() <= 0.2;
        assert_eq!(found["is_at_chance"], at_chance);
        let named = report["verdict"]["findings"].as_array().unwrap().iter().any(|f| f["what"] == "names");
        assert_eq!(named, !at_chance, "a verdict by names needs more than chance");
        let grants = report["threat_model"]["grants"].as_array().unwrap();
        assert!(grants.contains(&"public-data".into()), "{grants:?}");
        if model == "builtin" {
            assert!(!at_chance && count("right") >= 9, "{found}");
        }
    }
}

#[test]
fn invert_and_name_learn_them_too() {
    let client = captured();
    let path = |name: &str| client.folder.path().join(name).display().to_string();
    examples(Path::new(&path("known")), &CLASSES, 0);
    let text = succeed(&format!(
        "invert --arch lenet-zhu --weights {} --gradient {} --iterations 3 --device cpu --names-from {} --out {}",
        client.weights,
        client.gradient,
        path("known"),
        path("out")
    ));
    assert!(text.contains("label") && text.contains("probability"), "{text}");
    let report = report(Path::new(&path("out")));
    assert_eq!(report["semantic"]["examples"]["pictures"], 20);
    assert_eq!(report["semantic"]["aggregated"].as_array().unwrap().len(), 1);
    let page = fs::read_to_string(path("out/report.html")).unwrap();
    assert!(page.contains("Names by example: of 20 pictures of 5 names"), "the page says it, too");

    let output = run(&format!(
        "name --names-from {} {} --device cpu --json",
        path("known"),
        path("known/Sandal") + "/" + &first_of(&path("known/Sandal"))
    ));
    assert!(stderr(&output).starts_with("note: names by example"), "{}", stderr(&output));
    let named: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row: Vec<f64> = serde_json::from_value(named["probabilities"][0].clone()).unwrap();
    assert_eq!(named["labels"][3], "Sandal");
    assert!(row.iter().all(|&p| p <= row[3]), "{named}");
    assert_eq!(named["examples"]["names"], 5);
    for (arguments, words) in [
        (
            format!(
                "invert --clip builtin --weights {0} --gradient {1} --out {2}",
                client.weights,
                client.gradient,
                path("out")
            ),
            "--names-from",
        ),
        (format!("name --clip victim --names-from {} {}", path("known"), client.picture), "no victim"),
        (format!("name --clip victim --labels dog,cat {}", client.picture), "--names-from"),
        (
            format!("run --names-from {} --names dog,cat --out {}", path("known"), path("out")),
            "expected one of them",
        ),
    ] {
        fail(2, &format!("{arguments} --device cpu"), &[words]);
    }
}

fn first_of(folder: &str) -> String {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names[0].to_string_lossy().into_owned()
}

#[test]
fn examples_that_teach_nothing_are_refused() {
    let out = folder();
    let picture = out.path().join("picture.png");
    samples().picture(0).unwrap().write_png(&picture).unwrap();
    let with = |name: &str, folders: &[(&str, usize)]| -> String {
        let path = out.path().join(name);
        fs::create_dir(&path).unwrap();
        for (folder, count) in folders {
            fs::create_dir(path.join(folder)).unwrap();
            for i in 0..*count {
                let to = path.join(folder).join(format!("{i}.png"));
                samples().picture(i).unwrap().write_png(&to).unwrap();
            }
        }
        format!("name --names-from {} {} --device cpu", path.display(), picture.display())
    };
    fail(2, &with("one", &[("cat", 1), ("dog", 3)]), &["--names-from", "two pictures of each", "1 of 'cat'"]);
    fail(2, &with("none", &[("cat", 0), ("dog", 3)]), &["--names-from", "0 of 'cat'"]);
    fail(2, &with("class", &[("cat", 3)]), &["--names-from", "two names", "one, 'cat'"]);
    fail(
        2,
        &with("twice", &[("egyptian_cat", 2), ("Egyptian cat", 2)]),
        &["different names", "'egyptian_cat'"],
    );
    fail(1, &with("empty", &[]), &["empty", "an empty folder"]);
    fail(1, &format!("name --names-from {0}/nowhere {0}/picture.png", out.path().display()), &["nowhere"]);
    let broken = with("broken", &[("cat", 2), ("dog", 2)]);
    fs::write(out.path().join("broken/dog/1.png"), "no picture").unwrap();
    fail(1, &broken, &["--names-from", "dog/1.png"]);
    let same = with("same", &[("cat", 2), ("dog", 2)]);
    for name in ["cat/0", "cat/1", "dog/0", "dog/1"] {
        fs::copy(&picture, out.path().join(format!("same/{name}.png"))).unwrap();
    }
    fail(2, &same, &["--names-from", "the same features for all names"]);
}

#[test]
fn a_verdict_by_names_stays_away_at_chance() {
    let out = folder();
    let path = |name: &str| out.path().join(name).display().to_string();
    // Two pictures of two names: not even four of four are more than chance.
    for (name, which) in [("Trouser", [0, 1]), ("Dress", [2, 3])] {
        fs::create_dir_all(out.path().join("known").join(name)).unwrap();
        for i in which {
            let file = out.path().join("known").join(name).join(format!("{i}.png"));
            samples().picture(39 - i).unwrap().write_png(&file).unwrap();
        }
    }
    let text = succeed(&format!(
        "run --batch 1 --batches 2 --iterations 2 --device cpu --names-from {} --json --out {}",
        path("known"),
        path("out")
    ));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["semantic"]["examples"]["is_at_chance"], true);
    let findings = report["verdict"]["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["what"] != "names"), "{findings:?}");
}
