//! Commands, flags and files as documented.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::*;

#[test]
fn run_writes_report_pictures_and_grid() {
    let out = folder();
    let dir = out.path().display();
    let text =
        succeed(&format!("run --batch 2 --batches 2 --iterations 30 --device cpu --force --out {dir}"));
    assert!(text.contains("PSNR") && text.contains("flat grey") && !text.contains('\u{1b}'), "{text}");
    let names: Vec<String> = files(out.path()).keys().map(|p| p.display().to_string()).collect();
    let mut expected: Vec<String> = (0..4)
        .flat_map(|i| ["original", "reconstruction"].map(|kind| format!("images/{kind}_{i:02}.png")))
        .chain(["grid.png", "reconstruction.safetensors", "report.html", "report.json"].map(String::from))
        .collect();
    expected.sort();
    assert_eq!(names, expected);

    let report = report(out.path());
    for field in [
        "version",
        "seed",
        "device",
        "threat_model",
        "attack",
        "architecture",
        "normalisation",
        "timing",
        "metrics",
        "floors",
        "batches",
        "command",
    ] {
        assert!(!report[field].is_null(), "report.json has no {field}");
    }
    assert!(report["timing"]["milliseconds_per_iteration_and_trial"].as_f64().unwrap() > 0.0);
    for figure in ["psnr", "ssim", "mse"] {
        for pairing in ["aligned", "one_to_one", "best_reference"] {
            assert_eq!(report["metrics"][figure][pairing]["count"], 4);
            assert!(report["floors"]["flat_grey"][figure][pairing]["mean"].is_f64());
            assert_eq!(
                report["batches"][1]["metrics"][figure]["per_image"][pairing].as_array().unwrap().len(),
                2
            );
        }
    }
    // One entry an iteration and one for the last evaluation, as [iteration, objective].
    let history = report["batches"][0]["restarts"][0]["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[30][0]), (31, &Value::from(30)));
    assert!(history[30][1].as_f64().unwrap() < history[0][1].as_f64().unwrap());
    // At a batch of two the labels are restored, and the report says how, and how well.
    assert_eq!(report["threat_model"]["labels"], "ilrg");
    assert!(report["labels"]["irec"].as_f64().unwrap() >= 0.5);
}

#[test]
fn json_on_standard_output_is_the_report_and_nothing_else() {
    let out = folder();
    let text =
        succeed(&format!("run --iterations 5 --json --device cpu --force --out {}", out.path().display()));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), report(out.path()));
}

#[test]
fn piped_output_has_no_progress_bar() {
    let out = folder();
    let output = run(&format!("run --iterations 300 --device cpu --force --out {}", out.path().display()));
    assert!(output.status.success());
    assert_eq!(notes(&output), stderr(&output));
}

#[test]
fn captured_gradient_is_inverted_to_its_label_and_a_likeness() {
    let captured = captured();
    let found = captured.folder.path().join("found");
    let Captured { gradient, weights, .. } = &captured;
    let dir = found.display();
    succeed(&format!(
        "invert --arch lenet-zhu --weights {weights} --gradient {gradient} --preset ig --iterations 600 \
         --trials 2 --seed 1 --device cpu --force --out {dir}"
    ));
    let report = report(&found);
    assert_eq!(report["batches"][0]["labels"], serde_json::json!([2]));
    assert_eq!(report["batches"][0]["label_source"], "ilrg");
    assert_eq!(report["batches"][0]["restarts"].as_array().unwrap().len(), 2);

    let originals = captured.folder.path().join("originals");
    fs::create_dir(&originals).unwrap();
    fs::copy(&captured.picture, originals.join("a.png")).unwrap();
    let text =
        succeed(&format!("metrics --reference {} --reconstruction {dir}/images --json", originals.display()));
    let metrics: Value = serde_json::from_str(&text).unwrap();
    for figure in ["psnr", "ssim", "mse"] {
        for pairing in ["aligned", "one_to_one", "best_reference"] {
            assert!(metrics[figure][pairing].is_f64(), "{figure}.{pairing} in {text}");
        }
    }
    assert_eq!(metrics["assignment_mse"], serde_json::json!([0]));
    assert_eq!(metrics["assignment_ssim"], serde_json::json!([0]));
    assert!(metrics["ssim"]["aligned"].as_f64() > metrics["flat_grey"]["ssim"]["aligned"].as_f64());
}

#[test]
fn gradient_file_carries_parameter_names_and_metadata() {
    let captured = captured();
    let file = gia_gpu::tensor_file::TensorFile::read(Path::new(&captured.gradient)).unwrap();
    let names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
    let layers = ["body.0", "body.2", "body.4", "fc.0"];
    let expected: Vec<String> =
        layers.iter().flat_map(|l| ["bias", "weight"].map(|p| format!("{l}.{p}"))).collect();
    assert_eq!(names, expected);
    for (key, value) in [
        ("architecture", "lenet-zhu"),
        ("batch_size", "1"),
        ("image_shape", "3,32,32"),
        ("mean", "0.4914,0.4822,0.4465"),
        ("std", "0.247,0.2435,0.2616"),
        ("loss", "mean cross entropy"),
    ] {
        assert_eq!(file.metadata[key], value, "{key}");
    }
}

#[test]
fn a_config_file_holds_the_same_options_and_the_command_line_wins() {
    let out = folder();
    let (a, b, config) = (out.path().join("a"), out.path().join("b"), out.path().join("c.toml"));
    fs::write(&config, "preset = \"auto\"\niterations = 900\ntrials = 2\nseed = 3\ndevice = \"cpu\"\n")
        .unwrap();
    succeed(&format!("run --config {} --iterations 20 --force --out {}", config.display(), a.display()));
    succeed(&format!("run --iterations 20 --trials 2 --seed 3 --device cpu --force --out {}", b.display()));
    let (a, b) = (report(&a), report(&b));
    assert_eq!(a["attack"]["iterations"], 20);
    assert_eq!((&a["batches"], &a["seed"]), (&b["batches"], &b["seed"]));
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in ["run", "config", "capture", "invert", "metrics", "devices", "plan"] {
        let text = succeed(&format!("{command} --help"));
        assert!(text.contains("Example") && text.contains(&format!("gia-gpu {command}")), "{text}");
    }
}

#[test]
fn devices_lists_the_processor_and_every_adapter() {
    let devices: Value = serde_json::from_str(&succeed("devices --json")).unwrap();
    assert_eq!(devices[0]["kind"], "cpu");
    assert!(
        devices.as_array().unwrap().iter().skip(1).all(|d| d["kind"] == "gpu" && d["software"].is_boolean())
    );
}

#[test]
fn plan_prints_steps_and_totals() {
    let text = succeed("plan --arch convnet4 --preset ig --batch 2 --trials 3");
    assert!(text.contains("conv2d_grad_weight") && text.contains("T=3 B=2"), "{text}");
    assert!(text.lines().last().unwrap().contains("unfused pointwise chains: 0"), "{text}");
}

#[test]
fn plan_prints_a_step_of_training() {
    for device in ["cpu", "gpu"] {
        let text = succeed(&format!("plan --arch convnet4 --batch 3 --training --time 2 --device {device}"));
        assert!(text.contains("conv2d_grad_weight") && text.contains("T=1 B=3"), "{text}");
        assert!(text.contains("unfused pointwise chains: 0"), "{text}");
        let (sums, steps): (Vec<&str>, Vec<&str>) =
            text.lines().filter(|line| line.contains(" µs ")).partition(|line| line.contains("GFLOP/s"));
        let of_kind =
            |line: &&str| line.split(" steps ").next()?.split_whitespace().last()?.parse::<usize>().ok();
        let (timed, steps): (usize, usize) = (steps.len(), sums.iter().filter_map(of_kind).sum());
        assert!(steps > 0 && timed == steps, "{timed} {steps} {text}");
    }
}

#[test]
fn weights_saved_by_pytorch_give_its_loss() {
    let out = folder();
    let picture = out.path().join("p.png");
    gia_gpu::data::samples().picture(3).unwrap().write_png(&picture).unwrap();
    for (architecture, weights) in [("lenet-zhu", "lenet_zhu_weights"), ("convnet4", "convnet_weights")] {
        let gradient = out.path().join(format!("{architecture}.safetensors"));
        let text = succeed(&format!(
            "capture --arch {architecture} --weights {} --images {} --labels 5 --device cpu --out {}",
            fixture(weights),
            picture.display(),
            gradient.display()
        ));
        assert!(text.contains("loss") && gradient.exists(), "{text}");
    }
}

#[test]
fn gpu_device_does_what_the_cpu_device_does() {
    let out = folder();
    let at = |device: &str| {
        let dir = out.path().join(device);
        succeed(&format!("run --iterations 10 --device {device} --force --out {}", dir.display()));
        report(&dir)
    };
    let (cpu, gpu) = (at("cpu"), at("gpu"));
    assert_eq!(gpu["device"]["kind"], "gpu");
    let first = |r: &Value| r["batches"][0]["restarts"][0]["history"][0][1].as_f64().unwrap();
    assert!((first(&cpu) - first(&gpu)).abs() < 1e-4 * first(&cpu), "{} {}", first(&cpu), first(&gpu));
}

#[test]
fn plan_writes_the_shaders_that_a_gpu_would_run() {
    let folder = folder();
    let shaders = folder.path().join("shaders");
    let arguments = format!("plan --arch convnet4 --preset ig --shaders {}", shaders.display());
    succeed(&arguments);
    let found = files(&shaders);
    let named = |start: &str| found.keys().any(|path| path.to_str().unwrap().starts_with(start));
    for start in ["map-1.wgsl", "conv2d-", "conv2d_grad_input-", "conv2d_grad_weight-"] {
        assert!(named(start), "no {start} among {:?}", found.keys());
    }
    for (path, text) in &found {
        let text = std::str::from_utf8(text).unwrap();
        naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "").unwrap();
    fail(1, &format!("plan --arch convnet4 --shaders {}", occupied.display()), &["cannot write", "occupied"]);
}
