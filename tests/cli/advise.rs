//! `--advise`: from a leak to a defence and its price; and the film of the reconstructions.

use std::fs;

use gia_gpu::data::samples;

use crate::support::*;

#[test]
fn a_leak_is_followed_by_defences_and_what_they_cost() {
    let out = folder();
    let text = succeed(&format!(
        "run --advise --advise-limit 39 --no-names --iterations 300 --batches 8 --out {}",
        out.path().display()
    ));
    assert!(text.contains("advice: --defence "), "{text}");
    let report = report(out.path());
    let advice = &report["advice"];
    assert_eq!(advice["target"][0], "pictures");
    let tried = advice["tried"].as_array().unwrap();
    assert_eq!((tried[0]["defence"].as_str(), tried[0]["protects"].as_bool()), (Some("none"), Some(false)));
    assert!((tried[0]["similarity"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let ssim = |row: &serde_json::Value| row["findings"][0]["estimate"].as_f64().unwrap();
    let protecting: Vec<_> = tried.iter().filter(|row| row["protects"] == true).collect();
    assert!(!protecting.is_empty(), "{advice}");
    for row in protecting {
        assert!(ssim(row) < ssim(&tried[0]) && row["similarity"].as_f64().unwrap() < 0.9, "{row}");
    }
    // From weak to strong, up to the first that protects.
    let noise: Vec<_> =
        tried.iter().filter(|r| r["defence"].as_str().unwrap().starts_with("noise")).collect();
    assert!(noise.windows(2).all(|w| w[0]["similarity"].as_f64() > w[1]["similarity"].as_f64()));
    assert!(noise[..noise.len() - 1].iter().all(|row| row["protects"] == false));

    let frontier = advice["frontier"].as_array().unwrap();
    assert!((1..=3).contains(&frontier.len()) && frontier[0]["protects"] == true, "{advice}");
    assert!(
        advice["sentence"].as_str().unwrap().contains(frontier[0]["defence"].as_str().unwrap())
            || frontier.len() > 1
    );
    for accuracy in frontier.iter().map(|cost| &cost["accuracy"]).chain([&advice["accuracy"]]) {
        let [low, high] = [0, 1].map(|end| accuracy["interval"][end].as_f64().unwrap());
        let share = accuracy["share"].as_f64().unwrap();
        assert!(low <= share && share <= high && low < high, "{accuracy}");
        assert_eq!(accuracy["pictures"].as_u64().unwrap() + accuracy["trained_on"].as_u64().unwrap(), 40);
    }
    // Forty pictures say nothing of what a defence costs, and that is said.
    assert!(advice["notes"].to_string().contains("too few"), "{}", advice["notes"]);
    let page = fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(page.contains("What would protect these clients"));
}

#[test]
fn nothing_is_advised_where_nothing_leaks() {
    let out = folder();
    // After two local steps no span tells who took part, and the attack fails.
    let local = "--batch 2 --local-steps 2 --local-batch 1 --local-lr 0.01";
    let options = format!("--advise --no-names --labels given --iterations 5 --batches 6 {local}");
    let text = succeed(&format!("run {options} --out {}", out.path().display()));
    assert!(text.contains("No leak was shown"), "{text}");
    let advice = &report(out.path())["advice"];
    assert!(
        advice["tried"].as_array().unwrap().is_empty() && advice["frontier"].as_array().unwrap().is_empty()
    );
}

#[test]
fn advice_wants_clients_without_a_defence() {
    for options in ["run --advise --defence noise:1", "run --advise --gradient g.safetensors --weights w"] {
        let output = program().args(options.split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options}");
        assert!(stderr(&output).contains("--advise"), "{}", stderr(&output));
    }
    let output = program().args(["run", "--advise-epochs", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_page_shows_how_pictures_came_about_and_a_gif_on_request() {
    let out = folder();
    let run = |more: &str| {
        succeed(&format!(
            "run --no-names --preset ig --iterations 64 --batches 2 {more} --force --out {}",
            out.path().display()
        ))
    };
    run("--gif");
    let page = fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(page.contains("How they came about"));
    for iteration in [0, 1, 2, 4, 8, 16, 32, 64] {
        assert!(page.contains(&format!("after {iteration}<")), "{iteration}");
    }
    let gif = fs::read(out.path().join("film.gif")).unwrap();
    assert!(gif.starts_with(b"GIF89a"));
    // A film beside another run's report would be a lie.
    run("");
    assert!(!out.path().join("film.gif").exists());
}

#[test]
fn training_behind_a_defence_says_what_it_promises() {
    let out = folder();
    let weights = out.path().join("v.safetensors");
    let (data, data_set) = (out.path().join("data"), samples());
    for class in ["a", "b"] {
        let folder = data.join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..8 {
            data_set.picture(i).unwrap().write_png(&folder.join(format!("{i}.png"))).unwrap();
        }
    }
    let train = |more: &str| {
        format!(
            "train victim --arch lenet-zhu --data {} --epochs 2 --batch 8 {more} --out {}",
            data.display(),
            weights.display()
        )
    };
    let text = succeed(&train("--defence dp-sgd:1:1 --client-batch 4"));
    assert!(text.contains("epsilon") && text.contains("4 rounds"), "{text}");
    let text = succeed(&train("--defence noise:0.01"));
    assert!(!text.contains("epsilon"), "{text}");
    for (more, words) in [
        ("--defence noise:0.01 --client-batch 3", "client-batch: expected a divisor of --batch 8, found 3"),
        ("--defence blur:1", "--defence"),
        ("--client-batch 4", "--defence"),
    ] {
        let output = program().args(train(more).split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{more}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}
