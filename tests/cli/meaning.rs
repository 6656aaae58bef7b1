//! `gia-gpu run` from gradients to words, with a small random CLIP: what it says is arbitrary, how it is reckoned is not.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::*;

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn numbers(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn indices_are_named_by_the_mean_of_their_pictures_with_every_control_beside() {
    let out = folder();
    let clip = out.path().join("clip");
    small_clip(&clip);
    let dir = out.path().join("found");
    let text = succeed(&format!(
        "run --batch 3 --batches 4 --iterations 4 --clip {} --templates plain --device cpu --force --out {}",
        clip.display(),
        dir.display()
    ));
    let report = report(&dir);
    let semantic = &report["semantic"];
    let names = semantic["names"].as_array().unwrap();
    assert_eq!(names.len(), 10);

    // Every index keeps its class, wherever it went.
    let order = numbers(&report["class_order"]);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..10).collect::<Vec<_>>());
    assert_ne!(sorted, order);
    let samples = gia_gpu::data::samples();
    let (mut sums, mut counts) = (vec![vec![0.0; 10]; 10], [0; 10]);
    for (number, batch) in report["batches"].as_array().unwrap().iter().enumerate() {
        for (i, &index) in numbers(&batch["true_labels"]).iter().enumerate() {
            assert_eq!(order[index], samples.label(number * 3 + i).unwrap());
            assert_eq!(batch["class_names"][i], Value::from(samples.class_names[order[index]].clone()));
        }
        let named = &semantic["batches"][number];
        assert_eq!(named["indices"], batch["labels"]);
        for (row, index) in rows(&named["similarity"]).iter().zip(numbers(&named["indices"])) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            sums[index].iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
            counts[index] += 1;
        }
    }
    let aggregated = semantic["aggregated"].as_array().unwrap();
    assert_eq!(aggregated.len(), counts.iter().filter(|&&n| n > 0).count());
    for label in aggregated {
        let index = label["index"].as_u64().unwrap() as usize;
        assert_eq!(label["reconstructions"], counts[index]);
        let row: Vec<f64> = serde_json::from_value(label["similarity"].clone()).unwrap();
        for (p, sum) in row.iter().zip(&sums[index]) {
            assert!((p - sum / f64::from(counts[index])).abs() < 1e-12);
        }
        let best = (0..10).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        assert_eq!(label["name"], names[best]);
        assert_eq!(label["truth"], Value::from(samples.class_names[order[index]].clone()));
        assert_eq!(label["right"], Value::from(label["truth"] == label["name"]));
    }
    let accuracy = &semantic["accuracy"];
    assert_eq!(accuracy["random"], 0.1);
    for control in ["reconstructions", "originals", "noise", "shuffled", "flat_grey", "unrelated"] {
        for assignment in ["greedy", "one_to_one"] {
            let score = &accuracy[control][assignment];
            assert_eq!(score["per_batch"]["count"], 4, "{control} {assignment}");
            assert!(score["aggregated"]["interval_95"][1].as_f64().unwrap() <= 1.0);
        }
    }
    for words in
        ["true name", "all 4 batches together", "originals", "shuffled", "noise", "flat grey", "random name"]
    {
        assert!(text.contains(words), "no '{words}' in\n{text}");
    }
    let verdict = report["verdict"]["sentence"].as_str().unwrap();
    assert!(text.contains(verdict) && verdict.contains("these 4 updates"), "{verdict}");
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(page.contains("What the labels mean") && page.contains("Threat model"));
}

#[test]
fn without_options_the_embedded_pictures_are_named_by_the_built_in_model() {
    let out = folder();
    let dir = out.path().join("found");
    let text =
        succeed(&format!("run --batches 10 --iterations 1200 --device cpu --force --out {}", dir.display()));
    let semantic = &report(&dir)["semantic"];
    let share = |of: &str| semantic["accuracy"][of]["greedy"]["aggregated"]["share"].as_f64().unwrap();
    assert!(share("originals") >= 0.6, "{text}");
    assert!(share("reconstructions") > semantic["accuracy"]["random"].as_f64().unwrap(), "{text}");
    assert!(!text.contains("left out"), "{text}");
}

#[test]
fn the_order_of_classes_changes_nothing_but_the_indices() {
    let out = folder();
    let at = |order: &str| {
        let dir = out.path().join(order);
        succeed(&format!(
            "run --no-names --batch 2 --labels given --iterations 1 --class-order {order} --device cpu --force --out {}",
            dir.display()
        ));
        report(&dir)
    };
    let (shuffled, kept) = (at("shuffled"), at("data-set"));
    assert!(shuffled["semantic"].is_null());
    assert_eq!(numbers(&kept["class_order"]), (0..10).collect::<Vec<_>>());
    let [a, b] = [&shuffled, &kept].map(|r| &r["batches"][0]);
    assert_eq!(a["class_names"], b["class_names"]);
    assert_ne!(a["true_labels"], b["true_labels"]);
    let first = |batch: &Value| batch["restarts"][0]["history"][0][1].as_f64().unwrap();
    assert!((first(a) - first(b)).abs() < 1e-5 * first(a), "{} {}", first(a), first(b));
}

#[test]
fn given_gradients_are_named_together_and_nothing_claims_to_be_right() {
    let captured = captured();
    let Captured { folder, gradient, weights, .. } = &captured;
    let path = |name: &str| folder.path().join(name).display().to_string();
    small_clip(Path::new(&path("clip")));
    gia_gpu::data::samples().picture(10).unwrap().write_png(Path::new(&path("b.png"))).unwrap();
    succeed(&format!(
        "capture --arch lenet-zhu --weights {weights} --images {} --labels 2 --device cpu --out {}",
        path("b.png"),
        path("b.safetensors")
    ));
    let run = format!(
        "run --gradient {gradient} {} --weights {weights} --iterations 3 --clip {} --device cpu",
        path("b.safetensors"),
        path("clip")
    );
    let text =
        succeed(&format!("{run} --names dog,cat,ship --aggregation objective --force --out {}", path("out")));
    assert!(text.contains("not known") && text.contains("The pictures read as: label 2 is"), "{text}");
    let report = report(Path::new(&path("out")));
    let semantic = &report["semantic"];
    assert_eq!(semantic["aggregated"][0]["index"], 2);
    assert_eq!(semantic["aggregated"][0]["reconstructions"], 2);
    assert!(semantic["aggregated"][0]["truth"].is_null() && semantic["accuracy"].is_null());
    assert!(report["class_order"].is_null() && report["batches"][1]["true_labels"].is_null());
    let objectives: Vec<f64> =
        (0..2).map(|i| report["batches"][i]["restarts"][0]["objective"].as_f64().unwrap()).collect();
    let weights: Vec<f64> = serde_json::from_value(semantic["batch_weights"].clone()).unwrap();
    assert!(
        (weights[1] / weights[0] - objectives[0] / objectives[1]).abs() < 1e-6,
        "{weights:?} {objectives:?}"
    );
    // The same options in a file.
    let config = path("c.toml");
    let list = format!("gradient = [\"{gradient}\", \"{}\"]", path("b.safetensors"));
    let rest =
        format!("weights = \"{}\"\nno-names = true\niterations = 3\ndevice = \"cpu\"\n", captured.weights);
    fs::write(&config, format!("{list}\n{rest}")).unwrap();
    succeed(&format!("run --config {config} --force --out {}", path("again")));
    let again = crate::support::report(Path::new(&path("again")));
    assert_eq!(again["batches"], report["batches"]);

    let fails = |options: &str, words: &[&str]| {
        fail(2, &format!("{run} {options} --force --out {}", path("no")), words)
    };
    fails("", &["--clip needs candidate names"]);
    fails("--names dog,cat --labels given", &["--labels given", "invert"]);
    fails("--names dog,cat --defence sign", &["--gradient", "--defence"]);
    assert!(!Path::new(&path("no")).exists());
}

#[test]
fn gradients_of_different_victims_are_not_aggregated() {
    let captured = captured();
    let Captured { folder, picture, gradient, weights } = &captured;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let capture = |name: &str, more: &str| {
        succeed(&format!("capture --images {picture} --labels 2 --device cpu --out {} {more}", path(name)));
    };
    capture("seed.safetensors", "--arch lenet-zhu --seed 6");
    capture("arch.safetensors", "--arch convnet2");
    capture("update.safetensors", &format!("--arch lenet-zhu --weights {weights} --local-lr 0.1"));
    let check = |name: &str, words: &[&str]| {
        let other = path(name);
        let run =
            format!("run --gradient {gradient} {other} --weights {weights} --iterations 1 --device cpu");
        let words: Vec<&str> = words.iter().copied().chain([gradient.as_str(), &other]).collect();
        fail(2, &format!("{run} --out {}", path("out")), &words);
    };
    check("seed.safetensors", &["one aggregation", "fingerprint of the weights"]);
    check("arch.safetensors", &["one aggregation", "architecture", "lenet-zhu", "convnet2"]);
    check("update.safetensors", &["one aggregation", "kind", "gradient", "update"]);
    let alone = |command: &str| {
        let other = path("seed.safetensors");
        let files = format!("--gradient {other} --weights {weights} --out {}", path("out"));
        fail(2, &format!("{command} {files}"), &["another victim", &other, weights]);
    };
    alone("run");
    alone("invert");
    assert!(!Path::new(&path("out")).exists());
}

#[test]
fn names_that_cannot_serve_are_misuse_before_anything_is_computed() {
    let out = folder();
    let clip = out.path().join("clip");
    small_clip(&clip);
    let run = format!(
        "run --batch 3 --iterations 10000000 --device cpu --clip {} --force --out {}",
        clip.display(),
        out.path().join("o").display()
    );
    fail(
        2,
        &format!("{run} --names dog,cat --assignment one-to-one"),
        &["--assignment", "3 label indices", "found 2"],
    );
    fail(2, &format!("{run} --names dog,,cat"), &["--names", "label 2 is empty"]);
    fail(2, &format!("{run} --names dog,a-b-c-d-e-f"), &["--names", "11 tokens"]);
    fail(2, &format!("{run} --no-names"), &["--no-names", "--clip"]);
    fail(1, &run.replace("/clip ", "/none "), &["none", "cannot be read"]);
    let builtin = run.replace(&clip.display().to_string(), "builtin");
    fail(2, &format!("{builtin} --names dog,florbaz"), &["--names", "florbaz"]);
    assert!(!out.path().join("o").exists());
}

/// As on a disk without room: the system refuses every write beyond a few blocks.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let out = folder();
    let dir = out.path().join("found");
    let shell = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_gia-gpu");
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            shell,
            program,
            "run",
            "--no-names",
            "--iterations",
            "1",
            "--device",
            "cpu",
            "--force",
            "--out",
        ])
        .arg(&dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("found") && stderr(&output).contains("cannot be written"),
        "{}",
        stderr(&output)
    );
    assert!(!dir.exists(), "{:?}", files(&dir).keys());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = program().args(["config", "init"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("standard output cannot be written"), "{}", stderr(&output));
}

/// Pictures of a data set that is sorted by class are drawn from all of it where the user says so.
#[test]
fn pictures_are_the_first_or_drawn_by_seed() {
    let scene = folder();
    let run = |more: &str, out: &str| {
        let out = scene.path().join(out);
        let options =
            "run --batches 3 --batch 2 --iterations 2 --no-names --device cpu --class-order data-set";
        succeed(&format!("{options} {more} --force --out {}", out.display()));
        report(&out)["batches"].as_array().unwrap().iter().map(|b| b["pictures"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(run("", "first"), [[0, 1], [2, 3], [4, 5]].map(|b| serde_json::json!(b)));
    let drawn = run("--shuffle --seed 3", "drawn");
    let expected = gia_gpu::data::samples()
        .random_batches(2, 3, gia_gpu::data::BatchRule::Any, 3)
        .unwrap()
        .into_iter()
        .map(|batch| serde_json::json!(batch));
    assert_eq!(drawn, expected.collect::<Vec<_>>());
    // By class: the first of the folder are all of one.
    let samples = gia_gpu::data::samples();
    for class in ["bag", "coat"] {
        fs::create_dir_all(scene.path().join("sorted").join(class)).unwrap();
        for i in 0..3 {
            let picture = samples.picture(i).unwrap();
            let path = scene.path().join("sorted").join(class).join(format!("{i}.png"));
            picture.write_png(&path).unwrap();
        }
    }
    let sorted = format!("--data {}/sorted", scene.path().display());
    let options = "run --batches 3 --iterations 2 --no-names --device cpu";
    let note = |more: &str| {
        stderr(&crate::support::run(&format!(
            "{options} {sorted} {more} --force --out {}/x",
            scene.path().display()
        )))
    };
    assert!(note("").contains("all 3 pictures are of class bag"), "{}", note(""));
    assert!(!note("--shuffle").contains("are of class"));
}
