//! `gia-gpu guide` and `run --guide`, with a small random CLIP: what it draws to is arbitrary, how it is ranked is not.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::*;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

/// A folder with `clip/`, and the arguments that name it.
fn scene() -> (tempfile::TempDir, String) {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let clip = format!("--clip {}/clip --templates plain --device cpu", scene.path().display());
    (scene, clip)
}

#[test]
fn every_hypothesis_is_tried_and_the_lowest_loss_leads() {
    let (scene, clip) = scene();
    let out = scene.path().join("found");
    let text = succeed(&format!(
        "guide --batch 2 --batches 2 --batch-labels distinct --distractors 2 --one-to-one --restarts 2 --iterations 8 \
         --guide-weight 0.1 --compare free {clip} --force --out {}",
        out.display()
    ));
    let report = report(&out);
    let order: Vec<usize> = serde_json::from_value(report["class_order"].clone()).unwrap();
    let samples = gia_gpu::data::samples();
    let meaning = |index: &Value| samples.class_names[order[index.as_u64().unwrap() as usize]].clone();
    for batch in list(&report["batches"]) {
        assert_eq!(
            (list(&batch["names"]).len(), &batch["hypotheses_in_all"], &batch["pruned"]),
            (4, &12.into(), &0.into())
        );
        let hypotheses = list(&batch["hypotheses"]);
        assert_eq!(hypotheses.len(), 12);
        let truth: Vec<Value> = list(&batch["indices"]).iter().map(|index| meaning(index).into()).collect();
        assert!(truth.iter().all(|name| list(&batch["names"]).contains(name)));
        let mut seen = std::collections::BTreeSet::new();
        for (place, hypothesis) in hypotheses.iter().enumerate() {
            let names = list(&hypothesis["names"]);
            assert!(
                seen.insert(names.iter().map(ToString::to_string).collect::<Vec<_>>())
                    && names[0] != names[1]
            );
            let restarts: Vec<f64> = list(&hypothesis["restarts"]).iter().map(number).collect();
            assert_eq!(restarts.len(), 2);
            assert_eq!(number(&hypothesis["loss"]), restarts.iter().copied().fold(f64::INFINITY, f64::min));
            assert_eq!(hypothesis["is_true"], Value::from(*names == truth), "{names:?} {truth:?}");
            if place > 0 {
                assert!(number(&hypotheses[place - 1]["loss"]) <= number(&hypothesis["loss"]));
            }
            if hypothesis["is_true"] == true {
                assert_eq!(batch["rank_of_truth"], place + 1);
            }
        }
        let scores: f64 = hypotheses.iter().map(|h| number(&h["score"])).sum();
        assert!((scores - 1.0).abs() < 1e-9);
        let losses = [0, 1].map(|i| number(&hypotheses[i]["loss"]));
        assert!((number(&batch["margin"]) - (losses[1] - losses[0])).abs() < 1e-12);
        // Under guidance hypotheses differ, and from what there is without. (To this model some words are one.)
        let last = number(&hypotheses[11]["loss"]);
        assert!(last > losses[0] && hypotheses.iter().all(|h| h["loss"] != batch["unguided_loss"]));
    }
    let tally = &report["tally"];
    assert_eq!(tally["batches"], 2);
    assert!((number(&tally["chance_first"]) - 1.0 / 12.0).abs() < 1e-12);
    assert!((number(&tally["chance_top_3"]) - 0.25).abs() < 1e-12);
    let ranks: Vec<f64> =
        list(&report["batches"]).iter().map(|b| f64::from(u8::from(b["rank_of_truth"] == 1))).collect();
    assert!((number(&tally["first"]["mean"]) - (ranks[0] + ranks[1]) / 2.0).abs() < 1e-12);
    assert_eq!(report["attack"]["guidance"]["schedule"], "cosine:0.5:0.75");
    for word in ["(true)", "margin", "true hypothesis ranks first", "without guidance", "report.html"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Hypotheses of batch 1") && page.contains("Threat model"));
    let pictures = files(&out.join("images"));
    assert_eq!(pictures.len(), 8);
}

#[test]
fn a_beam_keeps_the_likeliest_and_says_what_it_left_out() {
    let (scene, clip) = scene();
    let out = scene.path().join("found");
    let text = succeed(&format!("guide --beam 3 --iterations 4 {clip} --force --out {}", out.display()));
    let batch = &report(&out)["batches"][0];
    assert_eq!((&batch["hypotheses_in_all"], &batch["pruned"]), (&10.into(), &7.into()));
    let mut row: Vec<f64> = list(&batch["similarity"][0]).iter().map(number).collect();
    row.sort_by(|a, b| b.total_cmp(a));
    let mut kept: Vec<f64> = list(&batch["hypotheses"]).iter().map(|h| number(&h["similarity"])).collect();
    kept.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(kept, row[..3]);
    let tried = list(&batch["hypotheses"]).iter().any(|h| h["is_true"] == true);
    assert_eq!(batch["truth_pruned"], Value::from(!tried));
    assert!(text.contains("3 of 10 hypotheses tried, 7 unlikely ones left out"), "{text}");
}

#[test]
fn without_a_weight_all_hypotheses_are_tied_at_the_loss_without_guidance() {
    let (scene, clip) = scene();
    let out = scene.path().join("found");
    let names = "--names Sandal,Shirt,Bag";
    let text = succeed(&format!(
        "guide --guide-weight 0 {names} --iterations 4 {clip} --force --out {}",
        out.display()
    ));
    let batch = &report(&out)["batches"][0];
    assert_eq!((batch["tied"].as_u64(), number(&batch["margin"])), (Some(3), 0.0));
    assert!(list(&batch["hypotheses"]).iter().all(|h| h["loss"] == batch["unguided_loss"]));
    assert!(text.contains("3 tied for the first place"), "{text}");
    // The batch shows a pullover, which is no candidate: nothing to judge.
    assert_eq!((&batch["judged"], &batch["truth_pruned"]), (&Value::Null, &Value::Null));
}

#[test]
fn given_gradients_have_a_ranking_and_nothing_claims_to_be_true() {
    let captured = captured();
    let Captured { folder, gradient, weights, .. } = &captured;
    small_clip(&folder.path().join("clip"));
    let (clip, out) = (folder.path().join("clip"), folder.path().join("found"));
    let guide = format!(
        "guide --gradient {gradient} --weights {weights} --clip {} --templates plain --device cpu --iterations 6 --force --out {}",
        clip.display(),
        out.display()
    );
    fail(
        2,
        &format!("{guide} --names dog,cat --one-to-one --distractors 1"),
        &["--distractors", "--gradient"],
    );
    fail(2, &format!("{guide} --names dog,cat --defence sign"), &["--defence", "--gradient"]);
    fail(2, &guide, &["--names"]);
    let other = "guide --kind update --names dog,cat --device cpu";
    fail(2, &format!("{other} --force --out {}", out.display()), &["--kind", "--gradient"]);
    assert!(!out.exists());

    let text = succeed(&format!("{guide} --names dog,cat,ship --guide-weight 0.1"));
    assert!(text.contains("The gradient is explained best if 2 means"), "{text}");
    assert!(!text.contains("true"), "{text}");
    let report = report(&out);
    let batch = &report["batches"][0];
    assert_eq!((&batch["labels"][0], &batch["hypotheses_in_all"]), (&2.into(), &3.into()));
    assert_eq!(list(&batch["hypotheses"]).len(), 3);
    assert!(list(&batch["hypotheses"]).iter().all(|h| h["is_true"] == false));
    for unknown in [&report["class_order"], &report["tally"], &batch["true_labels"], &batch["client_loss"]] {
        assert!(unknown.is_null(), "{unknown}");
    }
    assert!(
        batch["judged"].is_null() && batch["rank_of_truth"].is_null() && batch["true_names"][0].is_null()
    );
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("the originals are not known here"));
    assert_eq!(files(&out.join("images")).len(), 1);
}

#[test]
fn hypotheses_that_cannot_be_tried_are_misuse() {
    let (scene, clip) = scene();
    let out = scene.path().join("found");
    let guide = |rest: &str, words: &[&str]| {
        fail(2, &format!("guide --iterations 4 --force --out {} {rest}", out.display()), words);
    };
    let two = "--batch 2 --batch-labels distinct";
    guide(&format!("{clip} {two} --one-to-one --names Bag"), &["--one-to-one", "2 label indices", "found 1"]);
    guide(&format!("{clip} --names Bag,,Shirt"), &["--names", "label 2 is empty"]);
    guide(&format!("{clip} --distractors 20"), &["--distractors", "at most 9", "found 20"]);
    guide(
        &format!("{clip} --distractors 1 --names Bag,Shirt"),
        &["--distractors", "Pullover", "none of the names"],
    );
    guide(&format!("{clip} --beam 0"), &["--beam", "1 or more"]);
    guide(&format!("{clip} --preset dlg"), &["Adam", "dlg", "L-BFGS"]);
    guide(&format!("{clip} --guide-schedule cosine:0.5:1"), &["step[:AT]", "cosine:0.5:1"]);
    guide(&format!("{clip} --guide-weight -1"), &["--guide-weight", "≥ 0", "-1"]);
    guide(&format!("{clip} --guide-views 0"), &["--guide-views", "1..=64", "'0'"]);
    guide(&format!("{clip} --guide-views 65"), &["--guide-views", "1..=64", "'65'"]);
    guide(&format!("{clip} --parameterisation wavelet"), &["--parameterisation", "pyramid", "'wavelet'"]);
    guide(
        &format!("{clip} --parameterisation pyramid --preset gias"),
        &["--parameterisation pyramid", "latent-weights"],
    );
    guide(
        &format!("{clip} --parameterisation pyramid --preset decoder"),
        &["--parameterisation pyramid", "decoder"],
    );
    guide(
        &format!("{clip} --parameterisation pyramid --preset spear"),
        &["--parameterisation pyramid", "spear"],
    );
    guide(
        &format!("{clip} --parameterisation pyramid --scales 4,2"),
        &["--scales is for pixels", "--parameterisation pyramid"],
    );
    guide(
        &format!("{clip} --parameterisation pyramid --preset dlg"),
        &["expected adam for pyramid", "lbfgs"],
    );
    guide("--device cpu --names florp,dog", &["--names", "\"florp\"", "none of the"]);
    assert!(!out.exists());
}

#[test]
fn run_is_guided_by_names_or_by_an_oracle_that_must_be_granted() {
    let (scene, clip) = scene();
    let out = scene.path().join("found");
    let run = format!(
        "run --iterations 4 --batches 1 --class-order data-set {clip} --force --out {}",
        out.display()
    );
    // The first sample has label 2, a pullover.
    let text = succeed(&format!("{run} --guide 2=scarf --guide-weight 0.5 --guide-schedule step:0.5"));
    assert!(text.contains("guided by names, weight 0.5: 2 = scarf"), "{text}");
    let named = report(&out);
    assert_eq!(
        (&named["guidance"]["by"], &named["guidance"]["names"]["2"]),
        (&"names".into(), &"scarf".into())
    );
    assert_eq!(named["attack"]["guidance"]["weight"], 0.5);
    assert!(!list(&named["threat_model"]["grants"]).contains(&"true-names".into()));

    succeed(&format!("{run} --guide oracle"));
    let oracle = report(&out);
    assert_eq!(
        (&oracle["guidance"]["by"], &oracle["guidance"]["names"]["2"]),
        (&"oracle".into(), &"Pullover".into())
    );
    assert!(list(&oracle["threat_model"]["grants"]).contains(&"true-names".into()));
    let history = |report: &Value| report["batches"][0]["restarts"][0]["history"].clone();
    assert_ne!(history(&oracle), history(&named));
    assert_eq!(history(&oracle)[0], history(&named)[0]);

    let refused = &["'server'", "does not grant true-names", "--guide oracle"];
    fail(2, &format!("{run} --guide oracle --threat-model server"), refused);
    fail(2, &format!("{run} --guide 5=scarf"), &["--guide", "label 5 is not in the batch", "labels are 2"]);
    fail(2, &format!("{run} --guide 10=scarf"), &["--guide", "0 to 9", "found 10"]);
    fail(2, &format!("{run} --guide scarf"), &["label=name", "'scarf'"]);
    fail(2, &format!("{run} --guide-weight 1"), &["--guide-weight", "give --guide"]);
    fail(2, &format!("{run} --guide 2=scarf --preset dlg"), &["Adam", "dlg"]);
    fail(2, &format!("{run} --guide 2=a-b-c-d-e-f"), &["--guide", "tokens long"]);
    fail(2, &format!("{run} --guide 2=scarf --no-names").replace(&clip, "--device cpu"), &["--no-names"]);
    let builtin =
        format!("run --iterations 4 --class-order data-set --device cpu --force --out {}", out.display());
    fail(2, &format!("{builtin} --guide 2=florp"), &["--guide", "\"florp\"", "none of the"]);

    // In a file, under the same name.
    let config = scene.path().join("guide.toml");
    fs::write(&config, "guide = \"2=hat\"\nguide-weight = 0.25\n").unwrap();
    succeed(&format!("{run} --config {}", config.display()));
    assert_eq!(report(&out)["guidance"]["names"]["2"], "hat");
    assert!(Path::new(&out.join("report.html")).exists());
}
