//! `gia-gpu bench`: what it prints and writes, and how it is misused. Nothing here looks at a time.

use std::{collections::BTreeMap, fs, path::Path};

use gia_gpu::tensor_file::{Tensor, TensorFile};
use serde_json::Value;

use crate::support::*;

const LENET: &str = "bench --device cpu --arch lenet-zhu";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn json_holds_the_documented_fields() {
    let text = succeed(&format!(
        "{LENET} --only peaks,attack,training --batch 2 --trials 3 --seconds 1e-3 --threads 2 --json"
    ));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&report["device"]["kind"], &report["threads"]), (&"cpu".into(), &2.into()));
    assert!(
        number(&report["peaks"]["flops_per_second"]) > 0.0
            && number(&report["peaks"]["bytes_per_second"]) > 0.0
    );
    assert_eq!(report["kernels"].as_array().unwrap().len(), 0);
    assert_eq!(report["peak_memory_bytes"].is_null(), !cfg!(target_os = "linux"));

    let iterations = report["iterations"].as_array().unwrap();
    let works: Vec<(&str, u64, u64)> = iterations
        .iter()
        .map(|i| (i["work"].as_str().unwrap(), i["batch"].as_u64().unwrap(), i["trials"].as_u64().unwrap()))
        .collect();
    assert_eq!(works, [("attack", 2, 3), ("training", 2, 1)]);
    for iteration in iterations {
        assert_eq!((&iteration["architecture"], &iteration["image"][1]), (&"lenet-zhu".into(), &32.into()));
        let seconds = &iteration["seconds"];
        let order =
            ["lowest", "lower_quartile", "median", "upper_quartile", "highest"].map(|q| number(&seconds[q]));
        assert!(order.is_sorted() && order[0] > 0.0, "{seconds}");
        let trials = number(&iteration["trials"]);
        assert_eq!(number(&iteration["seconds_per_trial"]), number(&seconds["median"]) / trials);
        assert!(number(&iteration["plan_seconds"]) > 0.0);
    }
    let totals = &iterations[0]["totals"];
    assert!(number(&totals["flops"]) > 0.0 && number(&totals["memory"]) > 0.0, "{totals}");
}

/// Of an attack in stages, the last one's iterations.
#[test]
fn attacks_that_match_gradients_by_adam_are_measured_side_by_side() {
    let options = "--only attack --batch 2 --seconds 1e-3 --json";
    let text = succeed(&format!("{LENET} {options} --preset ig,decoder,gias,gifd"));
    let report: Value = serde_json::from_str(&text).unwrap();
    let iterations = report["iterations"].as_array().unwrap();
    let presets: Vec<&str> = iterations.iter().map(|i| i["preset"].as_str().unwrap()).collect();
    assert_eq!(presets, ["ig", "decoder", "gias", "gifd"]);
    let flops: Vec<f64> = iterations.iter().map(|i| number(&i["totals"]["flops"])).collect();
    assert!(flops[1] > flops[0] && flops[2] > flops[0], "a generator costs more than none: {flops:?}");
    fail(2, &format!("{LENET} {options} --preset dlg"), &["--preset dlg", "by Adam"]);
    fail(2, &format!("{LENET} {options} --preset spear"), &["--preset spear", "by Adam"]);
}

#[test]
fn scaling_has_every_point_of_three_axes_and_every_step_of_trials() {
    let out = folder();
    let options = "bench --device cpu --arch mlp --hidden 8 --scaling --seconds 1e-3 --json";
    let text = succeed(&format!("{options} --out {}", out.path().display()));
    let report: Value = serde_json::from_str(&text).unwrap();
    let axes = report["scaling"].as_array().unwrap();
    let values = |axis: &Value| -> Vec<u64> {
        axis["points"].as_array().unwrap().iter().map(|point| point["value"].as_u64().unwrap()).collect()
    };
    let names: Vec<&str> = axes.iter().map(|axis| axis["axis"].as_str().unwrap()).collect();
    assert_eq!(names, ["batch", "trials", "width"]);
    assert_eq!(values(&axes[0]), [1, 2, 4, 8, 16, 32, 64]);
    assert_eq!(values(&axes[1]), [1, 2, 4, 8, 16, 32, 64, 128, 256]);
    assert_eq!(values(&axes[2]), [4, 8, 16, 32, 64]);
    for axis in axes {
        let steps = axis["steps"].as_array().unwrap();
        let ends: Vec<[u64; 2]> =
            steps.iter().map(|step| ["from", "to"].map(|end| step[end].as_u64().unwrap())).collect();
        let expected = values(axis).windows(2).map(|pair| [pair[0], pair[1]]).collect();
        assert_eq!(ends, if axis["axis"] == "trials" { expected } else { vec![] });
        for step in steps {
            let [low, high] = [0, 1].map(|side| number(&step["interval_95"][side]));
            assert!((low..=high).contains(&number(&step["median"])) && step["rises"].is_boolean(), "{step}");
        }
        let picture = fs::read_to_string(out.path().join(format!("{}.svg", axis["axis"].as_str().unwrap())));
        assert!(picture.unwrap().contains("<svg"));
    }
    let table = fs::read_to_string(out.path().join("scaling.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 7 + 9 + 5);
}

#[test]
fn a_table_names_device_victim_batch_and_trials() {
    let text = succeed(&format!("{LENET} --batch 1,2 --seconds 1e-3 --threads 1"));
    for words in ["cpu ", ", 1 threads", "lenet-zhu B=1 T=1", "lenet-zhu B=2 T=1", "median"] {
        assert!(text.contains(words), "no '{words}' in\n{text}");
    }
    assert!(!text.contains("training"), "{text}");
}

#[test]
fn what_is_checked_does_not_depend_on_the_number_of_threads() {
    let folder = folder();
    let written = [1, 2].map(|threads| {
        let out = folder.path().join(format!("{threads}.safetensors"));
        succeed(&format!("{LENET} --batch 2 --seed 3 --threads {threads} --check {}", out.display()));
        fs::read(&out).unwrap()
    });
    assert_eq!(written[0], written[1]);
}

/// A file for `--input` at B=1, T=1, drawn by a rule, with a change.
fn input(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let Captured { weights, gradient, .. } = &captured();
    let mut tensors = BTreeMap::new();
    for (name, tensor) in TensorFile::read(Path::new(weights)).unwrap().tensors {
        tensors.insert(format!("victim.{name}"), tensor);
    }
    for (name, Tensor { shape, data }) in TensorFile::read(Path::new(gradient)).unwrap().tensors {
        tensors.insert(format!("target.{name}"), Tensor { shape: [&[1], &shape[..]].concat(), data });
    }
    let data = (0..3 * 32 * 32).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
    tensors.insert("x".into(), Tensor { shape: vec![1, 1, 3, 32, 32], data });
    tensors.insert("labels".into(), Tensor { shape: vec![1, 1], data: vec![2.0] });
    change(&mut tensors);
    TensorFile::write(path, &tensors, &BTreeMap::new()).unwrap();
}

#[test]
fn a_check_is_the_attacks_objective_and_its_gradient() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let check = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        input(&path("in.safetensors"), |tensors| change(tensors));
        let (from, to) = (path("in.safetensors"), path("out.safetensors"));
        succeed(&format!("{LENET} --input {} --check {}", from.display(), to.display()));
        TensorFile::read(&to).unwrap().tensors
    };
    let found = check(&|_| ());
    assert_eq!(found["gradient"].shape, [1, 1, 3, 32, 32]);
    assert_eq!((&found["objective"].shape, &found["total"].shape), (&vec![1], &vec![1]));
    assert_eq!(found["objective"].data, found["iteration.objective"].data);
    assert!(found["total"].data[0] > found["objective"].data[0], "total variation adds to the objective");

    // A step against the gradient lowers the objective by as much as the gradient says.
    let (gradient, step) =
        (&found["gradient"].data, 1e-2 / found["gradient"].data.iter().map(|g| g.abs()).sum::<f32>());
    let squares: f32 = gradient.iter().map(|g| g * g).sum();
    let before = found["total"].data[0];
    let after = check(&|tensors| {
        let x = &mut tensors.get_mut("x").unwrap().data;
        x.iter_mut().zip(gradient).for_each(|(x, g)| *x -= step / squares * g);
    })["total"]
        .data[0];
    assert!(((before - after) / step - 1.0).abs() < 0.1, "{before} → {after}, expected {step} less");
}

#[test]
fn input_files_that_do_not_fit_are_named() {
    let folder = folder();
    let path = folder.path().join("in.safetensors");
    let out = folder.path().join("out.safetensors");
    let options = format!("{LENET} --input {} --check {}", path.display(), out.display());
    type Change = fn(&mut BTreeMap<String, Tensor>);
    let changes: [(Change, &[&str]); 6] = [
        (|t| drop(t.remove("x")), &["'x' is missing"]),
        (|t| drop(t.remove("target.body.2.weight")), &["target.body.2.weight"]),
        (
            |t| t.get_mut("x").unwrap().shape = vec![1, 3, 32, 32],
            &["'x'", "[1, 3, 32, 32]", "[1, 1, 3, 32, 32]"],
        ),
        (|t| t.get_mut("labels").unwrap().data[0] = 10.0, &["labels", "0 to 9", "10"]),
        (|t| t.get_mut("labels").unwrap().data[0] = 0.5, &["labels", "0.5"]),
        (|t| t.get_mut("victim.fc.0.bias").unwrap().data[1] = f32::NAN, &["victim.fc.0.bias", "NaN"]),
    ];
    for (change, words) in changes {
        input(&path, change);
        fail(1, &options, &[&[path.to_str().unwrap()], words].concat());
        assert!(!out.exists());
    }
    fs::remove_file(&path).unwrap();
    fail(1, &options, &[path.to_str().unwrap()]);
    input(&path, |_| ());
    fail(2, &format!("{LENET} --input {0} --check {0}", path.display()), &["is an input"]);
    fail(1, &format!("{LENET} --check {}/no/such/out", folder.path().display()), &["no/such/out"]);
}

#[test]
fn options_that_make_no_sense_are_misuse() {
    for (options, words) in [
        ("--seconds 0", vec!["--seconds", "0"]),
        ("--seconds nan", vec!["--seconds"]),
        ("--threads 0", vec!["--threads", "0"]),
        ("--arch lenet-zhu --batch 0", vec!["--batch 0"]),
        ("--arch lenet-zhu --trials 0", vec!["--trials 0"]),
        ("--arch lenet-zhu --batch 70000", vec!["70000"]),
        ("--arch nonsense", vec!["nonsense"]),
        ("--arch lenet-zhu --stem cifar", vec!["stem"]),
        ("--stem cifar", vec!["--arch"]),
        ("--batch 4", vec!["--arch"]),
        ("--only nothing", vec!["nothing"]),
        ("--out somewhere", vec!["--scaling"]),
        ("--scaling --only attack", vec!["--only"]),
        ("--arch lenet-zhu --batch 1,2 --check out.safetensors", vec!["--check", "B=1", "B=2"]),
        ("--check out.safetensors", vec!["--arch"]),
    ] {
        fail(2, &format!("bench --device cpu {options}"), &words);
    }
}
