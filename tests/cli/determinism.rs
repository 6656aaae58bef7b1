//! Same seed, same device: same bits.

use crate::support::*;

fn run_twice(options: &str) -> [serde_json::Value; 2] {
    [0, 1].map(|_| {
        let out = folder();
        succeed(&format!("run {options} --device cpu --force --out {}", out.path().display()));
        let pictures: Vec<Vec<u8>> = files(&out.path().join("images")).into_values().collect();
        let mut report = report(out.path());
        report["pictures"] = serde_json::json!(pictures);
        report
    })
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    for options in [
        "--iterations 40 --trials 2 --batches 2 --seed 9",
        "--preset dlg --iterations 2 --trials 2 --seed 9",
        "--preset decoder --iterations 8 --trials 2 --batches 2 --seed 9",
        "--preset gias --iterations 3 --trials 2 --batches 2 --seed 9",
        "--preset gifd --iterations 3 --trials 2 --batches 2 --seed 9",
    ] {
        let [a, b] = run_twice(options);
        assert_eq!((&a["batches"], &a["pictures"]), (&b["batches"], &b["pictures"]), "{options}");
    }
}

#[test]
fn another_seed_gives_another_start() {
    let [a, _] = run_twice("--iterations 3 --seed 1");
    let [b, _] = run_twice("--iterations 3 --seed 2");
    assert_ne!(a["batches"][0]["restarts"], b["batches"][0]["restarts"]);
}

/// Each trial starts from noise of its own and is computed as if it were alone: to the last bit, on the CPU.
#[test]
fn a_trial_does_not_depend_on_those_beside_it() {
    for attack in [
        "--iterations 30 --seed 4",
        "--preset dlg --iterations 2 --seed 4",
        "--preset decoder --iterations 4 --seed 4",
    ] {
        let [alone, _] = run_twice(attack);
        for beside in ["--trials 3", "--batches 3", "--batches 2 --trials 2"] {
            let [crowd, _] = run_twice(&format!("{attack} {beside}"));
            let first = |r: &serde_json::Value| r["batches"][0]["restarts"][0].clone();
            assert_eq!(first(&alone), first(&crowd), "{attack} {beside}");
        }
    }
}
