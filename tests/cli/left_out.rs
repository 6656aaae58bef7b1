//! Batches whose gradient is exactly 0 are left out and listed by every command that attacks many, and what is counted is
//! of the others alone.

use std::{fs, path::Path};

use gia_gpu::tensor_file::TensorFile;
use serde_json::{Value, json};

use crate::support::*;

/// A capture, and weights that are so sure of class 3 that a picture of it leaves a gradient of 0. The samples' classes are
/// 2, 3, 4, …
fn sure() -> (Captured, String) {
    let captured = captured();
    let mut tensors = TensorFile::read(Path::new(&captured.weights)).unwrap().tensors;
    tensors.get_mut("fc.0.bias").unwrap().data[3] = 1e4;
    let path = captured.folder.path().join("sure.safetensors");
    TensorFile::write(&path, &tensors, &Default::default()).unwrap();
    let weights = format!("--arch lenet-zhu --weights {} --device cpu", path.display());
    (captured, weights)
}

fn numbers(skipped: &Value) -> Vec<u64> {
    skipped.as_array().unwrap().iter().map(|s| s["batch"].as_u64().unwrap()).collect()
}

#[test]
fn guide_ranks_the_hypotheses_of_the_others() {
    let (captured, weights) = sure();
    let out = captured.folder.path().join("guided");
    let common = format!("--iterations 2 --force --out {}", out.display());
    let text = succeed(&format!("guide {weights} --batches 3 --names Bag,Coat,Dress,Shirt {common}"));
    assert!(text.contains("batch 1 is left out: the gradient is 0"), "{text}");
    let found = report(&out);
    assert_eq!(numbers(&found["skipped"]), [1]);
    let pictures: Vec<&Value> =
        found["batches"].as_array().unwrap().iter().map(|batch| &batch["pictures"]).collect();
    assert_eq!(pictures, [&json!([0]), &json!([2])]);

    // The same of files.
    let gradient = TensorFile::read(Path::new(&captured.gradient)).unwrap();
    let mut tensors = gradient.tensors;
    tensors.values_mut().for_each(|tensor| tensor.data.fill(0.0));
    let zero = captured.folder.path().join("zero.safetensors");
    TensorFile::write(&zero, &tensors, &Default::default()).unwrap();
    let given = format!(
        "guide --arch lenet-zhu --weights {} --batch 1 --names Bag,Coat --device cpu {common}",
        captured.weights
    );
    succeed(&format!("{given} --gradient {} {}", zero.display(), captured.gradient));
    let found = report(&out);
    assert_eq!((numbers(&found["skipped"]), &found["data"]), (vec![1], &captured.gradient.as_str().into()));
    fail(1, &format!("{given} --gradient {}", zero.display()), &["the gradient is 0 in every element"]);
}

#[test]
fn studies_count_the_others_alone() {
    let (captured, weights) = sure();
    let out = captured.folder.path().join("study");
    let text = succeed(&format!("study labels {weights} --batch 1 --batches 30"));
    assert!(text.contains("is left out: the gradient is 0"), "{text}");
    let found: Value =
        serde_json::from_str(&succeed(&format!("study labels {weights} --batch 1 --batches 30 --json")))
            .unwrap();
    let skipped = numbers(&found["skipped"]).len();
    assert!((1..15).contains(&skipped), "{skipped}");
    assert_eq!(found["rows"][0]["irec"]["count"], 30 - skipped);

    let defences = format!("study defences {weights} --batches 3 --iterations 1 --defence clip:1 --json");
    let found: Value = serde_json::from_str(&succeed(&defences)).unwrap();
    assert_eq!(numbers(&found["skipped"]), [1]);
    assert_eq!(found["rows"][1]["adaptive"]["ssim"]["count"], 2);

    let guidance = format!(
        "study guidance {weights} --batch-sizes 1 --batches 10 --guide-weights 0.01 --iterations 1 --out {}",
        out.display()
    );
    let text = succeed(&guidance);
    assert!(text.contains("is left out: the gradient is 0"), "{text}");
    let table = fs::read_to_string(out.join("guidance.csv")).unwrap();
    // Ten batches of ten classes, three arms: one of each is missing.
    assert_eq!(table.lines().count(), 1 + 3 * 9, "{table}");
}

#[test]
fn studies_map_the_classes_of_a_folder() {
    let data = folder();
    for (i, class) in ["dog", "cat"].into_iter().enumerate() {
        let class = data.path().join(class);
        fs::create_dir_all(&class).unwrap();
        gia_gpu::data::samples().picture(i).unwrap().write_png(&class.join("0.png")).unwrap();
    }
    let names = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck";
    let data = format!("--data {} --class-names {names} --device cpu", data.path().display());
    let labels = format!("study labels {data} --arch lenet-zhu --batch 1 --batches 8 --json");
    let found: Value = serde_json::from_str(&succeed(&labels)).unwrap();
    assert_eq!((&found["classes"], &found["batches"]), (&10.into(), &8.into()));
    fail(2, &format!("study labels --class-names {names}"), &["--data"]);
    let out = folder();
    succeed(&format!(
        "study guidance {data} --batch-sizes 1 --batches 2 --batch-labels any --guide-weights 0.01 --iterations 1 \
         --out {}",
        out.path().display()
    ));
    let wrong = data.replace("cat,", "wolf,");
    fail(1, &format!("study guidance {wrong} --out {}", out.path().display()), &["class 'cat'"]);
}
