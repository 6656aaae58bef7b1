//! Several attacks on one victim beside each other, and how like the originals networks find what they restore.

use std::{collections::BTreeMap, path::PathBuf};

use crate::support::*;

type Row = BTreeMap<String, String>;

fn rows(path: PathBuf) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

const FIVE: &str = "--victim 'lenet-zhu --preset ig' --victim 'lenet-zhu --preset decoder' \
                    --victim 'lenet-zhu --preset gias --generator untrained --sought latent' \
                    --victim 'lenet-zhu --preset gifd --generator untrained' --victim 'lenet-zhu --tv 0.5' \
                    --batch-sizes 2 --batches 2 --iterations 4 --no-names --device cpu";

fn sweep(out: &std::path::Path, options: &str) -> std::process::Output {
    let words = shlex::split(&format!("sweep {options} --out {}", out.display())).unwrap();
    program().args(words).output().unwrap()
}

#[test]
fn attacks_on_the_same_batches_are_rows_of_one_table() {
    let out = folder();
    let done = sweep(out.path(), FIVE);
    assert!(done.status.success(), "{}", stderr(&done));
    let results = rows(out.path().join("results.csv"));
    let column = |name: &str| results.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        column("attack"),
        [
            "ig, total_variation 0.01",
            "decoder",
            "gias, untrained",
            "gifd, untrained",
            "ig, total_variation 0.5"
        ]
    );
    assert!(column("lpips").iter().all(String::is_empty));
    for name in ["fmse", "identification_rank_features"] {
        assert!(column(name).iter().all(|text| text.parse::<f64>().unwrap() >= 0.0), "{:?}", column(name));
    }
    let batches = rows(out.path().join("batches.csv"));
    let mean = |attack: &str| {
        let own = batches.iter().filter(|row| row["attack"] == attack);
        own.map(|row| row["fmse"].parse::<f64>().unwrap()).sum::<f64>() / 2.0
    };
    let first: f64 = results[0]["fmse"].parse().unwrap();
    assert!((first - mean("ig, total_variation 0.01")).abs() < 1e-9 * first);
    // The same pictures for every attack.
    let shown = |attack: &str| {
        let own = batches.iter().filter(|row| row["attack"] == attack);
        own.map(|row| row["pictures"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown("ig, total_variation 0.01"), shown("gifd, untrained"));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("FMSE") && text.contains("gifd, untrained"), "{text}");
    assert!(
        text.lines().filter(|line| line.contains("FMSE")).all(|line| line.chars().count() <= 80),
        "{text}"
    );

    let twice = sweep(&out.path().join("twice"), &format!("{FIVE} --victim 'lenet-zhu --tv 0.5'"));
    assert_eq!(twice.status.code(), Some(2));
    assert!(
        stderr(&twice).contains("a cell twice: lenet-zhu untrained, B = 2, ig, total_variation 0.5, seed 42"),
        "{}",
        stderr(&twice)
    );
}

#[test]
fn a_sweep_has_lpips_where_its_weights_are() {
    const NAME: &str = "lpips_alexnet.safetensors";
    let path = std::env::var_os("GIA_WEIGHTS").map(|folder| PathBuf::from(folder).join(NAME));
    let Some(path) = path.filter(|path| path.exists()) else {
        return eprintln!("skipped: GIA_WEIGHTS names no folder with {NAME}");
    };
    let out = folder();
    let options = "--arch lenet-zhu --batch-sizes 1 --batches 3 --iterations 4 --no-names --device cpu";
    let done = sweep(out.path(), &format!("{options} --lpips {}", path.display()));
    assert!(done.status.success(), "{}", stderr(&done));
    let results = rows(out.path().join("results.csv"));
    let value = |name: &str| results[0][name].parse::<f64>().unwrap();
    assert!((0.0..2.0).contains(&value("lpips")));
    assert!((1.0..=3.0).contains(&value("identification_rank_lpips")));
    let absent = sweep(&out.path().join("absent"), &format!("{options} --lpips none.safetensors"));
    assert!(!absent.status.success() && stderr(&absent).contains("none.safetensors"), "{}", stderr(&absent));
}
