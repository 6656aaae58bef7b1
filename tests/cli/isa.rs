//! `--isa` and `GIA_GPU_ISA`: what they take and refuse, what is said of them, and that they do not change the results.

use std::{collections::BTreeMap, path::Path, process::Output};

use gia_gpu::{
    device::cpu::Isa,
    tensor_file::{Tensor, TensorFile},
};
use serde_json::Value;

use crate::support::*;

const VARIABLE: &str = "GIA_GPU_ISA";
const LENET: &str = "bench --device cpu --arch lenet-zhu";

fn names() -> Vec<&'static str> {
    Isa::available().into_iter().map(Isa::name).collect()
}

/// One that this kind of processor may have, and this one has not.
fn missing() -> Option<&'static str> {
    Isa::NAMES.iter().copied().find(|name| !names().contains(name))
}

fn with_variable(value: &str, arguments: &str) -> Output {
    program().env(VARIABLE, value).args(arguments.split_whitespace()).output().unwrap()
}

/// Runs with the variable, and expects exit code 2, these words on standard error and nothing on standard output.
fn refused_variable(value: &str, arguments: &str, words: &[&str]) {
    let output = with_variable(value, arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{VARIABLE}={value} {arguments}\n{message}");
    assert!(output.stdout.is_empty() && !message.contains("panicked"), "{message}");
    for word in [VARIABLE].iter().chain(words) {
        assert!(message.contains(word), "{VARIABLE}={value} {arguments}: no '{word}' in\n{message}");
    }
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `bench --check` at this level.
fn check(folder: &Path, isa: &str, options: &str) -> BTreeMap<String, Tensor> {
    let out = folder.join(format!("{isa}.safetensors"));
    succeed(&format!("{LENET} --batch 2 --seed 3 --isa {isa} {options} --check {}", out.display()));
    TensorFile::read(&out).unwrap().tensors
}

#[test]
fn every_command_with_a_device_takes_it() {
    for command in [
        "run",
        "capture",
        "invert",
        "guide",
        "train victim",
        "train clip",
        "train generator",
        "evaluate",
        "study labels",
        "study defences",
        "study guidance",
        "study hypotheses",
        "study pulls",
        "study names",
        "sweep",
        "name",
        "plan",
        "bench",
    ] {
        let text = succeed(&format!("{command} --help"));
        assert!(text.contains("--device <") && text.contains("--isa <") && text.contains(VARIABLE), "{text}");
        let known = [&["auto"], Isa::NAMES].concat();
        for name in known {
            assert!(text.contains(&format!("- {name}")), "{command}: no {name} in\n{text}");
        }
        let values = text.split("--isa <").nth(1).unwrap().split("\n      --").next().unwrap();
        assert_eq!(values.contains("- all:"), command == "bench", "{text}");
    }
}

#[test]
fn unknown_and_missing_ones_are_misuse() {
    let known = [&["auto"], Isa::NAMES].concat().join(", ");
    fail(2, &format!("{LENET} --isa mmx"), &["--isa", "'mmx'", &known]);
    fail(2, "run --isa all --device cpu", &["--isa", "'all'", &known]);
    refused_variable("mmx", LENET, &["found 'mmx'", &known]);
    refused_variable("mmx", "devices", &["found 'mmx'", &known]);
    if let Some(missing) = missing() {
        let (no, has) =
            (format!("this processor has no {missing}"), format!("it has {}", names().join(", ")));
        fail(2, &format!("{LENET} --isa {missing}"), &["--isa", &no, &has]);
        fail(2, &format!("sweep --isa {missing} --device cpu --out nowhere"), &["--isa", &no, &has]);
        refused_variable(missing, LENET, &[&no, &has]);
    }
}

#[test]
fn it_is_for_the_cpu_device() {
    for isa in ["scalar", "all"] {
        let words = [&format!("--isa {isa} is for the CPU device") as &str, "--device gpu"];
        fail(2, &format!("bench --device gpu --arch mlp --isa {isa}"), &words);
    }
    fail(2, "plan --arch mlp --isa scalar", &["--time"]);
    let one = "--isa all is for peaks, kernels and iterations";
    fail(2, &format!("{LENET} --isa all --check out.safetensors"), &[one]);
    fail(2, "bench --device cpu --isa all --scaling", &[one]);
}

#[test]
fn devices_says_which_the_processor_has_and_which_is_used() {
    // Empty is as good as not set.
    let listed = json(&with_variable("", "devices --json"));
    assert_eq!(listed[0]["isas"], serde_json::json!(names()));
    assert_eq!(listed[0]["isa"], names()[0]);
    for gpu in listed.as_array().unwrap().iter().skip(1) {
        assert!(gpu["isa"].is_null() && gpu["isas"].is_null(), "{gpu}");
    }
    let told = format!("has {}, uses {}", names().join(", "), names()[0]);
    let text = String::from_utf8(with_variable("", "devices").stdout).unwrap();
    assert!(text.lines().next().unwrap().ends_with(&told), "{text}");
    assert_eq!(json(&with_variable("scalar", "devices --json"))[0]["isa"], "scalar");
}

#[test]
fn reports_say_which_was_used_and_the_option_wins_over_the_variable() {
    let out = folder();
    let dir = out.path().display();
    let run = format!("run --iterations 2 --batches 1 --no-names --device cpu --json --force --out {dir}");
    let used = |output: Output| json(&output)["device"]["isa"].clone();
    assert_eq!(used(with_variable("scalar", &run)), "scalar");
    assert_eq!(used(with_variable("scalar", &format!("{run} --isa auto"))), names()[0]);
    assert_eq!(used(with_variable("auto", &format!("{run} --isa scalar"))), "scalar");
    assert_eq!(report(out.path())["device"]["isa"], "scalar");
    let page = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(page.contains("(native, scalar)"), "the page names it");
}

#[test]
fn every_instruction_set_gives_nearly_the_same_and_those_that_fuse_give_the_same_bits() {
    let folder = folder();
    let found: Vec<_> =
        Isa::available().into_iter().map(|isa| (isa, check(folder.path(), isa.name(), ""))).collect();
    let (widest, expected) = &found[0];
    for (isa, tensors) in &found[1..] {
        for name in ["total", "objective", "gradient"] {
            let (found, expected) = (&tensors[name].data, &expected[name].data);
            if isa.fuses() && widest.fuses() {
                assert_eq!(found, expected, "{isa} and {widest}: {name}");
            }
            let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
            let error = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
            let size = norm(&mut expected.iter().copied());
            assert!(error <= 1e-4 * size, "{isa} and {widest}: {name} differs by {error:e} of {size:e}");
        }
    }
    // The narrowest has no bits that depend on threads either.
    let scalar = &found.last().unwrap().1;
    assert_eq!(check(folder.path(), "scalar", "--threads 1")["gradient"].data, scalar["gradient"].data);
}

#[test]
fn bench_has_a_column_for_each() {
    let options = format!("{LENET} --only peaks,attack --seconds 1e-3 --threads 1 --isa all");
    let text = succeed(&options);
    let heads = names();
    let columns = |line: &str| line.split_whitespace().collect::<Vec<_>>() == heads;
    assert_eq!(text.lines().filter(|line| columns(line)).count(), 2, "{text}");
    for words in ["multiply-adds in f32, GFLOP/s", "triad, GB/s", "lenet-zhu B=1 T=1", &heads.join(" | ")] {
        assert!(text.contains(words), "no '{words}' in\n{text}");
    }
    let reports: Value = serde_json::from_str(&succeed(&format!("{options} --json"))).unwrap();
    let reports = reports.as_array().unwrap();
    let used: Vec<&str> = reports.iter().map(|r| r["device"]["isa"].as_str().unwrap()).collect();
    assert_eq!(used, heads);
    for report in reports {
        assert!(report["peaks"]["flops_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(report["iterations"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_sweep_goes_on_with_its_own_alone() {
    let scene = folder();
    let sweep = |options: &str| {
        let small =
            "--no-names --arch mlp --hidden 16 --batches 1 --iterations 3 --batch-sizes 1 --device cpu";
        format!("sweep {small} {options} --out {}", scene.path().join("out").display())
    };
    succeed(&sweep("--isa scalar"));
    let output = with_variable("scalar", &sweep(""));
    assert!(stderr(&output).contains("1 of 1 cells were finished before"), "{}", stderr(&output));
    if names().len() > 1 {
        fail(2, &sweep("--isa auto"), &["--device was cpu", ", scalar)", names()[0]]);
    }
    let timings = std::fs::read_to_string(scene.path().join("out/timings.csv")).unwrap();
    assert!(timings.lines().next().unwrap().ends_with(",device") && timings.contains(", scalar)"));
}
