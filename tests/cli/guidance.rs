//! `gia-gpu study guidance`

use std::fs;

use serde_json::Value;

use crate::support::*;

#[test]
fn true_and_other_names_are_compared_with_none_and_finished_arms_are_kept() {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let (clip, out) = (scene.path().join("clip"), scene.path().join("found"));
    let study = format!(
        "study guidance --clip {} --templates plain --device cpu --batch-sizes 1,2 --batches 3 --iterations 8 --out {}",
        clip.display(),
        out.display()
    );
    let weak = format!("{study} --guide-weights 0.5 --json");
    let first: Value = serde_json::from_str(&succeed(&weak)).unwrap();
    let rows = first["rows"].as_array().unwrap();
    let arms: Vec<&str> = rows.iter().map(|row| row["arm"]["towards"].as_str().unwrap()).collect();
    assert_eq!(arms, ["nothing", "true-names", "other-names"].repeat(2));
    for row in rows {
        let guided = row["arm"]["towards"] != "nothing";
        assert_eq!(row["ssim_difference"].is_object(), guided);
        if guided {
            let (mean, difference) = (&row["ssim"]["mean"], &row["ssim_difference"]["mean"]);
            assert!(mean.is_f64() && difference.as_f64().unwrap() != 0.0, "{row}");
        }
    }
    let csv = fs::read_to_string(out.join("guidance.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 6 * 3);

    // The same again computes nothing; another weight adds its arms to what is there.
    let journal = fs::read(out.join("journal.jsonl")).unwrap();
    let again: Value = serde_json::from_str(&succeed(&weak)).unwrap();
    assert_eq!(again, first);
    assert_eq!(fs::read(out.join("journal.jsonl")).unwrap(), journal);
    let text = succeed(&format!("{study} --guide-weights 0.5,2"));
    assert!(text.contains("B = 2, other names, λ = 2"), "{text}");
    for plot in ["named.svg", "ssim.svg"] {
        assert!(text.contains(plot), "{text}");
        let drawn = fs::read_to_string(out.join(plot)).unwrap();
        for part in ["λ = 0.5", "λ = 2", "true names", "names of other classes", "no guidance"] {
            assert!(drawn.contains(part), "{plot} has no {part}");
        }
    }
    let grown = fs::read(out.join("journal.jsonl")).unwrap();
    assert!(grown.starts_with(&journal) && grown.len() > journal.len());

    fail(2, &format!("{study} --tv 0.5"), &["attack was"]);
    let fresh = study.replace("/found", "/fresh");
    fail(2, &format!("{fresh} --guide-weights 1,x"), &["--guide-weights", "found 'x'"]);
    assert!(!scene.path().join("fresh").exists(), "a mistake leaves nothing behind");
    fail(2, &format!("{study} --guide-weights 0"), &["--guide-weights", "> 0", "found 0"]);
    fail(2, &format!("{study} --guide-schedule flat"), &["--guide-schedule", "expected step"]);
    fail(2, &format!("{study} --preset dlg"), &["guidance by names needs Adam"]);
    fail(2, "study guidance --no-names", &["needs a model and names"]);
    let out = folder();
    let of = |classes: usize| {
        format!("study guidance --classes {classes} --out {}", out.path().join("none").display())
    };
    for classes in [2, 1000] {
        fail(2, &of(classes), &["--classes: expected 10, as many as", &format!("found {classes}")]);
    }
    assert!(!out.path().join("none").exists(), "refused before anything is computed");
}
