//! Wrong options, pictures and folders: the exit code, and a message that says what was expected and found.

use std::fs;

use crate::support::*;

#[test]
fn wrong_options_are_misuse() {
    let out = folder();
    let dir = out.path().join("out");
    let run = |options: &str, words: &[&str]| {
        fail(2, &format!("run {options} --iterations 1 --force --out {}", dir.display()), words);
        assert!(!dir.exists(), "{options} made {}", dir.display());
    };
    run("--arch resnet0", &["unknown architecture 'resnet0'", "lenet-zhu"]);
    run("--arch convnet0", &["convnet0", "width"]);
    run("--arch convnetx", &["convnetx", "width"]);
    run("--preset igg", &["'igg' for '--preset", "ig, dlg, idlg"]);
    run("--device tpu", &["tpu", "auto"]);
    run("--batch 0", &["--batch", "0"]);
    run("--batches 0", &["--batches", "0"]);
    run("--batch 41", &["--batch 41", "41", "found 40"]);
    run("--trials 0", &["--trials", "0"]);
    run("--trials many", &["--trials", "many"]);
    run("--classes 2", &["label 2", "2 classes"]);
    run("--classes 0", &["classes", "0"]);
    run("--tv -1", &["--tv"]);
    run("--tv nan", &["--tv", "NaN"]);
    run("--mean 0,0,0", &["--std"]);
    run("--mean 0,0,0 --std 1,0,1", &["0"]);
    run("--mean 0,x,0 --std 1,1,1", &["x"]);
    run("--mean 0 --std 1", &["3"]);
    run("--preset dlg --sign hard", &["--sign", "L-BFGS"]);
    run("--preset decoder --start pattern", &["--start is for pixels", "decoder"]);
    run("--preset decoder --scales 2", &["--scales is for pixels", "decoder"]);
    run("--preset ig --decoder-output tanh", &["--decoder-output", "ig moves pixels"]);
    run("--preset ig --generator none.safetensors", &["--generator is for gias and gifd", "ig"]);
    run("--preset decoder --sought latent", &["--sought is for gias", "decoder"]);
    run("--preset gias --sought pixels", &["expected latent or latent-weights", "pixels"]);
    run("--preset gias --sought features", &["expected latent or latent-weights", "features"]);
    run("--preset gifd --sought latent", &["--sought is for gias", "gifd"]);
    run("--preset gias --radii 1", &["--radii is for gifd", "gias"]);
    run("--preset gifd --weights-rate 1e-3", &["--weights-rate is for gias", "gifd"]);
    run(
        "--preset gias --sought latent --weights-rate 1e-3",
        &["--weights-rate is for gias that moves weights"],
    );
    run("--preset gias --weights-rate -1", &["weights_rate", "a number > 0", "-1"]);
    run("--preset gifd --radii 1,-2", &["radii", "-2"]);
    run("--preset gifd --radii 1,x", &["--radii", "'x'"]);
    run("--preset decoder --generator-class open", &["--generator-class is for gias and gifd", "decoder"]);
    run("--preset gias --generator untrained --generator-class open", &["generator", "knows no classes"]);
    run(
        "--preset gias --generator builtin --generator-class fox",
        &["generator_class", "one of airplane", "fox"],
    );
    let absent = "run --preset gias --resize-generator --generator none.safetensors --generator-data faces";
    fail(1, &format!("{absent} --force --out {}", dir.display()), &["none.safetensors"]);
    fail(1, &format!("run --lpips none.safetensors --force --out {}", dir.display()), &["none.safetensors"]);
    assert!(!dir.exists());
    fail(2, &format!("run --iterations 0 --force --out {}", dir.display()), &["--iterations", "0"]);
}

#[test]
fn wrong_labels_are_misuse() {
    let Captured { folder, picture, gradient, weights } = captured();
    let out = folder.path().join("new.safetensors").display().to_string();
    for (labels, words) in [
        ("10", ["0 to 9", "10"]),
        ("1,2", ["expected 1", "found 2"]),
        ("cat", ["3,5", "'cat'"]),
        ("", ["3,5", "''"]),
    ] {
        let options = format!("capture --arch lenet-zhu --images {picture} --labels={labels} --out {out}");
        fail(2, &options, &words);
        let options = format!(
            "invert --arch lenet-zhu --weights {weights} --gradient {gradient} --labels={labels} --force --out {out}"
        );
        fail(2, &options, &words);
    }
    assert!(!folder.path().join("new.safetensors").exists());
}

#[test]
fn a_gradient_must_fit_the_options() {
    let captured = captured();
    let Captured { folder, gradient, weights, .. } = &captured;
    let out = folder.path().join("out");
    let dir = out.display();
    let common = format!("--weights {weights} --gradient {gradient} --out {dir}");
    fail(2, &format!("invert --arch convnet8 {common}"), &[gradient, "lenet-zhu", "convnet8"]);
    fail(2, &format!("invert --arch lenet-zhu --batch 3 {common}"), &["--batch", "expected 1", "found 3"]);
    let bare = format!("--weights {weights} --gradient {} --out {dir}", captured.claiming(None));
    fail(2, &format!("invert --arch lenet-zhu {bare}"), &["batch size", "--batch or --labels"]);
    fail(2, &format!("invert --arch lenet-zhu --batch 0 {bare}"), &["--batch", "found 0"]);
    let swapped = format!("--weights {gradient} --gradient {weights} --out {dir}");
    fail(1, &format!("invert --arch lenet-zhu {swapped}"), &[weights, "gia-gpu weights", "gia-gpu gradient"]);
    let same = format!("--weights {gradient} --gradient {gradient} --out {dir}");
    fail(2, &format!("invert --arch lenet-zhu {same}"), &["same file", gradient]);
    assert!(!out.exists());
}

#[test]
fn unreadable_pictures_are_named() {
    let out = folder();
    let write = |name: &str, bytes: &[u8]| {
        let path = out.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let elsewhere = folder();
    let gradient = elsewhere.path().join("g.safetensors");
    let capture = |picture: &str, words: &[&str]| {
        let options = format!(
            "capture --arch lenet-zhu --images {picture} --labels 1 --device cpu --out {}",
            gradient.display()
        );
        fail(1, &options, words);
        assert!(!gradient.exists());
    };
    for (name, bytes) in
        [("empty.png", &b""[..]), ("text.png", b"hello"), ("cut.png", b"\x89PNG\r\n\x1a\n\0\0")]
    {
        capture(&write(name, bytes), &[name]);
    }
    capture(&out.path().display().to_string(), &[]);
    capture("/nowhere/x.png", &["/nowhere/x.png"]);
}

#[test]
fn unreadable_data_is_named() {
    let out = folder();
    let empty = out.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let cut = out.path().join("data_batch_1.bin");
    fs::write(&cut, [0; 100]).unwrap();
    for path in [&empty, &cut, &out.path().join("missing")] {
        let path = path.display().to_string();
        fail(1, &format!("run --data {path} --force --out {}/o", out.path().display()), &[&path]);
    }
}

#[test]
fn metrics_names_folders_that_do_not_fit() {
    let out = folder();
    let [a, b] = ["a", "b"].map(|name| out.path().join(name));
    fs::create_dir(&a).unwrap();
    let (x, y) = (a.display(), b.display());
    fail(1, &format!("metrics --reference {x} --reconstruction {y}"), &["a"]);
    fs::create_dir(&b).unwrap();
    let samples = gia_gpu::data::samples();
    samples.picture(0).unwrap().write_png(&a.join("0.png")).unwrap();
    samples.picture(0).unwrap().write_png(&b.join("0.png")).unwrap();
    samples.picture(1).unwrap().write_png(&b.join("1.png")).unwrap();
    fail(1, &format!("metrics --reference {x} --reconstruction {y}"), &["expected 1", "found 2"]);
}

#[test]
fn an_output_that_cannot_be_written_fails_before_any_computing() {
    let out = folder();
    let file = out.path().join("file");
    fs::write(&file, "in the way").unwrap();
    for dir in [file.clone(), file.join("below")] {
        let dir = dir.display().to_string();
        fail(1, &format!("run --iterations 10000000 --device cpu --force --out {dir}"), &[&dir]);
    }
    let Captured { picture, .. } = &captured();
    let target = file.join("g.safetensors").display().to_string();
    let capture = format!("capture --arch lenet-zhu --images {picture} --labels 1 --device cpu");
    fail(1, &format!("{capture} --out {target}"), &[&target]);
    fail(2, &format!("{capture} --out /tmp/same --save-weights /tmp/same"), &["same file"]);
}

#[test]
fn config_files_are_checked() {
    let out = folder();
    let config = out.path().join("c.toml");
    let path = config.display().to_string();
    let check = |text: &str, code: i32, words: &[&str]| {
        fs::write(&config, text).unwrap();
        fail(code, &format!("run --config {path} --force --out {}/o", out.path().display()), words);
    };
    check("iteratons = 3", 2, &[&path, "unknown option 'iteratons'", "iterations"]);
    check("iterations = \"three\"", 2, &[&path, "iterations", "three"]);
    check("iterations = { a = 1 }", 2, &[&path, "iterations", "table"]);
    check("tv = false", 2, &[&path, "'tv'", "number", "boolean false"]);
    check("json = 1", 2, &[&path, "'json'", "true or false", "integer 1"]);
    check("iterations = = 3", 1, &[&path, "not TOML"]);
    fail(1, "run --config /nowhere.toml", &["/nowhere.toml"]);
}

#[test]
fn without_an_adapter_the_gpu_device_says_which_driver_to_install() {
    let output = program()
        .args(["run", "--device", "gpu", "--iterations", "1", "--force", "--out"])
        .arg(folder().path().join("out"))
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .env("VK_ICD_FILENAMES", "/nowhere.json")
        .output()
        .unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("mesa-vulkan-drivers"), "{}", stderr(&output));
    }
}

#[test]
fn a_plan_larger_than_memory_is_refused_with_its_size() {
    let captured = captured();
    let Captured { folder, weights, .. } = &captured;
    let dir = folder.path().join("o");
    for (device, words) in [("cpu", ["largest is buffer", "free memory"]), ("gpu", ["buffer", "bytes"])] {
        let gradient = captured.claiming(Some(400_000));
        let claim = format!("--weights {weights} --gradient {gradient} --preset dlg");
        let options =
            format!("invert --arch lenet-zhu {claim} --device {device} --force --out {}", dir.display());
        fail(1, &options, &["needs", "bytes"]);
        fail(1, &options, &words);
        assert!(!dir.exists());
    }
}
