//! `train clip`, and what can be done with its file: `name`, `study names`.

use std::{fs, path::Path};

use gia_gpu::{data::samples, tensor_file::TensorFile};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

/// `bags/` and `shoes/`: the samples of classes 8 and 2, and of 5, 7 and 8 again under another case.
fn scene() -> TempDir {
    let (scene, data) = (folder(), samples());
    for (set, class, label) in
        [("bags", "Bag", 8), ("bags", "Pull_over", 2), ("shoes", "Sandal", 5), ("shoes", "bag", 8)]
    {
        let folder = scene.path().join(set).join(class);
        fs::create_dir_all(&folder).unwrap();
        for (i, _) in data.labels().iter().enumerate().filter(|(_, found)| **found == label) {
            data.picture(i).unwrap().write_png(&folder.join(format!("{i}.png"))).unwrap();
        }
    }
    scene
}

fn train(scene: &Path, rest: &str) -> String {
    let path = scene.display();
    format!(
        "train clip --arch resnet9-2 --embedding 8 --data bags={path}/bags --data shoes={path}/shoes --batch 4 \
         --epochs 6 --learning-rate 0.05 --device cpu --out {path}/m.safetensors {rest}"
    )
}

#[test]
fn a_trained_tower_names_pictures_of_its_own_data_sets() {
    let scene = scene();
    let path = scene.path().display();
    let text = succeed(&train(scene.path(), &format!("--test shoes={path}/shoes --share bags=0.5")));
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(text.contains("against 3 names"), "{text}");
    let file = TensorFile::read(&scene.path().join("m.safetensors")).unwrap();
    let about: Value = serde_json::from_str(&file.metadata["about"]).unwrap();
    assert_eq!(about["concepts"], serde_json::json!(["Bag", "Pull over", "Sandal"]));
    assert_eq!(about["sets"][1], serde_json::json!({"name": "shoes", "concepts": [2, 0]}));
    assert_eq!(about["training"]["epochs"].as_array().unwrap().len(), 6);
    assert!(!scene.path().join("m.checkpoint.safetensors").exists());

    let picture = files(scene.path()).into_keys().find(|p| p.starts_with("bags/Bag")).unwrap();
    let picture = scene.path().join(picture);
    let name = format!("name --clip {path}/m.safetensors --device cpu {} --labels", picture.display());
    let found: Value = serde_json::from_str(&succeed(&format!("{name} sandal,BAG --json"))).unwrap();
    let sum: f64 = found["probabilities"][0].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    fail(2, &format!("{name} bag,sandals"), &["\"sandals\"", "3 names", "Sandal", "--clip PATH"]);

    let study = format!("study names --clip {path}/m.safetensors --data a={path}/bags --data b={path}/shoes");
    let found: Value = serde_json::from_str(&succeed(&format!("{study} --device cpu --json"))).unwrap();
    assert_eq!((&found["names"], found["rows"].as_array().unwrap().len()), (&3.into(), 16));
    assert_eq!(found["rows"][0]["pictures"], 8);
    for row in found["rows"].as_array().unwrap() {
        let [own, all] = ["top1", "top1_among_all"].map(|key| row[key].as_f64().unwrap());
        assert!((0.0..=1.0).contains(&own) && all <= own, "{row}");
    }
    let table = succeed(&format!("{study} --device cpu --limit 2"));
    assert!(table.contains("| a (2) | blur 1 px | 2 |"), "{table}");
    let table = succeed(&format!("{study} --device cpu --degraded 3"));
    assert!(
        table.contains("| a (2) | as they are | 8 |") && table.contains("| a (2) | blur 1 px | 3 |"),
        "{table}"
    );
    assert!(!succeed(&format!("{study} --device cpu --degraded 0")).contains("blur"));
}

#[test]
fn a_training_of_a_tower_goes_on_from_its_checkpoint_and_refuses_another() {
    let scene = scene();
    let once = train(scene.path(), "");
    succeed(&once);
    let expected = fs::read(scene.path().join("m.safetensors")).unwrap();
    // A checkpoint of the end is what a training leaves that is killed before its last word.
    fail(2, &train(scene.path(), "--resume"), &["--resume", "no checkpoint"]);
    let mut child = program();
    let child = child.args(once.replace("--epochs 6", "--epochs 400").split_whitespace());
    let mut child = child.stdout(std::process::Stdio::null()).spawn().unwrap();
    let checkpoint = scene.path().join("m.checkpoint.safetensors");
    while !checkpoint.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fail(2, &train(scene.path(), ""), &["--resume", "delete it"]);
    fail(2, &train(scene.path(), "--resume"), &["epochs was 400, is 6"]);
    fs::remove_file(&checkpoint).unwrap();
    succeed(&once);
    assert!(fs::read(scene.path().join("m.safetensors")).unwrap() == expected, "no times are in the file");
}

#[test]
fn a_robust_training_of_half_the_pictures_says_so_in_its_file() {
    let scene = scene();
    let path = scene.path().display();
    let robust = format!("--robust l2:0.5 --half first --test shoes={path}/shoes");
    let text = succeed(&train(scene.path(), &robust));
    assert_eq!(text.matches(", robust ").count(), 6, "{text}");
    let about = |name: &str| -> Value {
        let file = TensorFile::read(&scene.path().join(name)).unwrap();
        serde_json::from_str(&file.metadata["about"]).unwrap()
    };
    let first = about("m.safetensors");
    assert_eq!(
        (&first["training"]["recipe"]["robust"], &first["training"]["half"]),
        (&"l2:0.5".into(), &"first".into())
    );
    assert_eq!(first["training"]["data"][0]["pictures"], 4);
    for epoch in first["training"]["epochs"].as_array().unwrap() {
        let [clean, robust] = ["test_accuracy", "robust_accuracy"].map(|key| epoch[key].as_f64().unwrap());
        assert!((0.0..=1.0).contains(&clean) && (0.0..=1.0).contains(&robust), "{epoch}");
    }
    // Its checkpoint is of this training alone, and a plain one says nothing of it.
    fs::rename(scene.path().join("m.safetensors"), scene.path().join("robust.safetensors")).unwrap();
    succeed(&train(scene.path(), "--half second"));
    let second = about("m.safetensors");
    assert!(second["training"]["recipe"]["robust"].is_null());
    assert_eq!(second["training"]["half"], "second");
    let read = |name: &str| fs::read(scene.path().join(name)).unwrap();
    assert!(read("m.safetensors") != read("robust.safetensors"));
    for wrong in ["l2:0", "l2:-0.5", "l2:nan", "linf:0.03", "0.5"] {
        fail(
            2,
            &train(scene.path(), &format!("--robust {wrong}")),
            &["--robust", "l2:EPS", &format!("'{wrong}'")],
        );
    }
    fail(2, &train(scene.path(), "--half third"), &["--half", "first", "'third'"]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let scene = scene();
    let path = scene.path().display().to_string();
    let check = |rest: &str, words: &[&str]| fail(2, &train(scene.path(), rest), words);
    check("--share hats=1", &["--share", "a name in --data", "hats=1"]);
    check("--share bags=0", &["--share", "above 0"]);
    check("--share bags", &["--share", "'='"]);
    check(&format!("--data bags={path}/shoes"), &["'bags' stands twice"]);
    check(&format!("--test hats={path}/bags"), &["--test", "bags, shoes", "hats"]);
    check(&format!("--test bags={path}/shoes"), &["--test", "Sandal"]);
    check("--degraded 2", &["--degraded", "0 to 1"]);
    check("--optimiser adamw --beta2 1", &["--beta2", "below 1"]);
    check("--image-size 4", &["sides from 8"]);
    assert_eq!(files(scene.path()).keys().filter(|p| p.starts_with("m")).count(), 0);
}

#[test]
fn files_of_a_bank_that_are_wrong_are_named() {
    let scene = scene();
    succeed(&train(scene.path(), ""));
    let path = scene.path().join("m.safetensors");
    let picture =
        files(scene.path()).into_keys().find(|p| p.extension().is_some_and(|e| e == "png")).unwrap();
    let picture = scene.path().join(picture).display().to_string();
    let check = |change: &dyn Fn(&mut TensorFile), words: &[&str]| {
        let mut file = TensorFile::read(&path).unwrap();
        change(&mut file);
        let wrong = scene.path().join("wrong.safetensors");
        TensorFile::write(&wrong, &file.tensors, &file.metadata).unwrap();
        fail(
            1,
            &format!("name --clip {} --labels bag,sandal {picture} --device cpu", wrong.display()),
            words,
        );
    };
    check(&|f| drop(f.tensors.remove("prep.conv.weight")), &["prep.conv.weight", "wrong.safetensors"]);
    check(&|f| drop(f.tensors.remove("bank.weight")), &["bank.weight", "two axes"]);
    check(&|f| f.tensors.get_mut("fc.bias").unwrap().data[0] = f32::NAN, &["fc.bias", "NaN"]);
    check(&|f| drop(f.metadata.insert("about".into(), "{}".into())), &["missing field"]);
    let about = |f: &mut TensorFile, from: &str, to: &str| {
        let changed = f.metadata["about"].replace(from, to);
        f.metadata.insert("about".into(), changed);
    };
    check(&|f| about(f, "resnet9-2", "resnet10"), &["architecture", "resnet10"]);
    check(&|f| about(f, "\"Bag\",", ""), &["concepts", "is 2, expected 3 names"]);
}
