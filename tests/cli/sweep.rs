//! `gia-gpu sweep`: what it measures, and that nothing is lost or done twice, however often it dies.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::*;

/// Small victims of two kinds, eight cells, names by the built-in model.
const SMALL: &str = "--victim lenet5 --victim lenet-zhu --batch-sizes 1,2 --seeds 1,2 --batches 3 \
                     --aggregate 2 --iterations 12 --device cpu";

fn sweep(out: &Path, options: &str) -> String {
    format!("sweep {options} --out {}", out.display())
}

/// Rows of a CSV file by column name.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn results(out: &Path) -> [Vec<u8>; 2] {
    ["results.csv", "batches.csv"].map(|name| fs::read(out.join(name)).unwrap())
}

fn journal(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Twenty kills at random moments, then one run to the end.
#[cfg(unix)]
#[test]
fn a_sweep_that_is_killed_twenty_times_ends_with_the_results_of_an_undisturbed_one() {
    let scene = folder();
    let [calm, killed] = ["calm", "killed"].map(|name| scene.path().join(name));
    // Several kills come before the end, each inside a cell or between two.
    let options = SMALL.replace("--seeds 1,2", "--seeds 1,2,3,4");
    let began = std::time::Instant::now();
    succeed(&sweep(&calm, &options));
    let whole = began.elapsed();
    let mut generator = ChaCha8Rng::seed_from_u64(20);
    for _ in 0..20 {
        let mut child = program()
            .args(sweep(&killed, &options).split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(whole.mul_f64(generator.random_range(0.05..0.35)));
        child.kill().unwrap();
        child.wait().unwrap();
        // What is there is whole at any moment: the first cells of the calm one.
        if let Ok(text) = fs::read_to_string(killed.join("results.csv")) {
            assert!(String::from_utf8(results(&calm)[0].clone()).unwrap().starts_with(&text));
        }
    }
    succeed(&sweep(&killed, &options));
    assert_eq!(results(&calm), results(&killed));
    // No cell was computed twice, and none lost.
    // The header, and of each cell its block and what that came to.
    assert_eq!((journal(&killed).len(), journal(&calm).len()), (33, 33));
    assert!(files(&killed).keys().all(|name| !name.to_string_lossy().contains("partial")), "leftovers");
}

#[test]
fn a_finished_sweep_says_so_and_computes_nothing_again() {
    let scene = folder();
    let out = scene.path().join("out");
    let first = succeed(&sweep(&out, SMALL));
    let before = files(&out);
    let output = run(&sweep(&out, SMALL));
    assert!(output.status.success());
    assert!(stderr(&output).contains("8 of 8 cells were finished before"), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), first);
    let after = files(&out);
    assert!(before.iter().all(|(name, bytes)| after[name] == *bytes));
    // A torn last line is one cell less, and no more.
    let journal_path = out.join("journal.jsonl");
    let bytes = fs::read(&journal_path).unwrap();
    fs::write(&journal_path, &bytes[..bytes.len() - 7]).unwrap();
    let output = run(&sweep(&out, SMALL));
    assert!(stderr(&output).contains("7 of 8 cells were finished before"), "{}", stderr(&output));
    assert_eq!(results(&out)[0], before[&PathBuf::from("results.csv")]);
}

#[test]
fn results_have_a_row_a_cell_and_a_row_a_batch_that_fit_together() {
    let scene = folder();
    let out = scene.path().join("out");
    let printed = succeed(&sweep(&out, &format!("{SMALL} --defences none;noise:1e-2 --json")));
    let report: Value = serde_json::from_str(&printed).unwrap();
    let (cells, batches) = (rows(&out.join("results.csv")), rows(&out.join("batches.csv")));
    assert_eq!((cells.len(), batches.len()), (16, 48));
    assert_eq!(report["cells"].as_array().unwrap().len(), 16);
    assert_eq!(rows(&out.join("timings.csv")).len(), 16);
    let number = |row: &BTreeMap<String, String>, column: &str| -> f64 { row[column].parse().unwrap() };
    for cell in &cells {
        let own: Vec<_> = batches
            .iter()
            .filter(|b| {
                ["victim", "weights", "batch_size", "defence", "seed"].iter().all(|c| b[*c] == cell[*c])
            })
            .collect();
        assert_eq!(own.len(), 3);
        for (of_cell, of_batch) in [
            ("named_reconstructions_single_greedy", "named_reconstructions_greedy"),
            ("named_originals_single_one_to_one", "named_originals_one_to_one"),
            ("psnr_one_to_one", "psnr_one_to_one"),
            ("ssim_best_reference", "ssim_best_reference"),
            ("irec", "irec"),
            ("objective", "objective"),
        ] {
            let mean = own.iter().map(|b| number(b, of_batch)).sum::<f64>() / 3.0;
            assert!((mean - number(cell, of_cell)).abs() < 1e-9, "{of_cell}: {mean} {cell:?}");
            let ends = ["low", "high"].map(|end| format!("{of_cell}_{end}"));
            // Three batches are too few for an interval of a mean; a share has one whatever their number.
            if !of_cell.starts_with("named") && of_cell != "irec" {
                assert!(ends.iter().all(|end| cell[end].is_empty()), "{of_cell}: {cell:?}");
                continue;
            }
            let [low, high] = ends.map(|end| number(cell, &end));
            assert!(low <= mean + 1e-9 && mean <= high + 1e-9 && low < high, "{of_cell}");
        }
        assert_eq!(number(cell, "named_random"), 0.1);
        for control in ["noise", "flat_grey", "unrelated"] {
            assert!((0.0..=1.0).contains(&number(cell, &format!("named_{control}_single_greedy"))));
        }
        assert!((0.0..=1.0).contains(&number(cell, "named_reconstructions_aggregated_greedy")));
    }
    // Batches of a size and seed are the same, whoever attacks them; those of another seed are others.
    let pictures = |victim: &str, defence: &str, seed: &str| -> Vec<&String> {
        let own = batches.iter().filter(|b| b["victim"] == victim);
        own.filter(|b| b["defence"] == defence && b["seed"] == seed).map(|b| &b["pictures"]).collect()
    };
    assert_eq!(pictures("lenet5", "none", "1"), pictures("lenet-zhu", "noise:0.01", "1"));
    assert_ne!(pictures("lenet5", "none", "1"), pictures("lenet5", "none", "2"));
    for plot in ["accuracy.svg", "aggregation.svg", "defences.svg", "ssim.svg"] {
        let text = fs::read_to_string(out.join(plot)).unwrap();
        assert!(text.starts_with("<svg") && text.contains("pictures in a batch"), "{plot}");
    }
    // Nothing was trained, so there is nothing to compare it with.
    assert!(!out.join("training.svg").exists());
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for words in [
        "Labels named right from one update",
        "Rows and controls",
        "Defences: lenet5",
        "--batch-sizes",
        "What to try next",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn the_order_of_the_cells_and_those_beside_them_do_not_matter() {
    let scene = folder();
    let [all, one] = ["all", "one"].map(|name| scene.path().join(name));
    succeed(&sweep(&all, SMALL));
    succeed(&sweep(
        &one,
        &SMALL
            .replace("--victim lenet5", "")
            .replace("--batch-sizes 1,2 --seeds 1,2", "--batch-sizes 2 --seeds 2"),
    ));
    let alone = rows(&one.join("results.csv"));
    assert_eq!(alone.len(), 1);
    assert!(rows(&all.join("results.csv")).contains(&alone[0]));
}

#[test]
fn a_file_describes_a_sweep_with_victims_as_tables_and_the_command_line_wins() {
    let scene = folder();
    let (file, weights) = (scene.path().join("study.toml"), scene.path().join("w.safetensors"));
    let picture = scene.path().join("p.png");
    gia_gpu::data::samples().picture(0).unwrap().write_png(&picture).unwrap();
    succeed(&format!(
        "capture --arch mlp --hidden 16 --images {} --labels 2 --device cpu --out {} --save-weights {}",
        picture.display(),
        scene.path().join("g.safetensors").display(),
        weights.display()
    ));
    let text = format!(
        "batch-sizes = [1, 2]\nbatches = 2\niterations = 5\ndevice = \"cpu\"\nno-names = true\n\
         defences = [\"none\", \"clip:1,noise:1e-3\"]\n\n\
         [[victim]]\narch = \"mlp\"\nhidden = \"16\"\n\n\
         [[victim]]\narch = \"mlp\"\nhidden = \"16\"\nweights = {:?}\nbatch-sizes = [2]\niterations = 3\n",
        weights.display().to_string()
    );
    fs::write(&file, text).unwrap();
    let out = scene.path().join("out");
    succeed(&sweep(&out, &format!("--config {} --seeds 5", file.display())));
    let found: Vec<[String; 5]> = rows(&out.join("results.csv"))
        .into_iter()
        .map(|r| ["weights", "batch_size", "defence", "seed", "iterations"].map(|c| r[c].clone()))
        .collect();
    let trained = weights.display().to_string();
    let expected = [
        ["untrained", "1", "none", "5", "5"],
        ["untrained", "2", "none", "5", "5"],
        ["untrained", "1", "clip:1,noise:0.001", "5", "5"],
        ["untrained", "2", "clip:1,noise:0.001", "5", "5"],
        [&trained, "2", "none", "5", "3"],
        [&trained, "2", "clip:1,noise:0.001", "5", "3"],
    ];
    assert_eq!(found, expected.map(|row| row.map(String::from)));
    // Without names there is nothing to plot but the pictures' likeness.
    assert!(out.join("ssim.svg").exists() && !out.join("accuracy.svg").exists());
    let row = &rows(&out.join("results.csv"))[0];
    assert_eq!((row["named_random"].as_str(), row["named_originals_single_greedy"].as_str()), ("", ""));
    let only = scene.path().join("only");
    succeed(&sweep(&only, &format!("--config {} --victim mlp --defences none", file.display())));
    assert_eq!(rows(&only.join("results.csv")).len(), 2);
}

#[test]
fn results_of_another_configuration_are_left_alone() {
    let scene = folder();
    let out = scene.path().join("out");
    let small = "--no-names --arch mlp --hidden 16 --batches 1 --iterations 3 --device cpu";
    succeed(&sweep(&out, &format!("{small} --batch-sizes 1")));
    let before = files(&out);
    let other = |options: &str, words: &[&str]| fail(2, &sweep(&out, options), words);
    other(
        &format!("{small} --batch-sizes 2"),
        &["results of another configuration", "--batch-sizes was 1, now it is 2", "journal.jsonl"],
    );
    let more = format!("{small} --batch-sizes 1");
    other(&more.replace("--iterations 3", "--iterations 4"), &["--iterations was 3, now it is 4"]);
    other(&format!("{more} --tv 0.5"), &["--tv was not given, now it is 0.5"]);
    other(&more.replace("--device cpu", "--device gpu"), &["--device was cpu"]);
    assert_eq!(files(&out), before);
}

/// The version is the same, the file is not: it could add in another order.
#[cfg(target_os = "linux")]
#[test]
fn results_of_another_build_are_left_alone() {
    let scene = folder();
    let [out, other] = ["out", "other"].map(|name| scene.path().join(name));
    let options = sweep(
        &out,
        "--no-names --arch mlp --hidden 16 --batches 1 --iterations 3 --batch-sizes 1 --device cpu",
    );
    succeed(&options);
    fs::copy(env!("CARGO_BIN_EXE_gia-gpu"), &other).unwrap();
    let with = |program: &Path| Command::new(program).args(options.split_whitespace()).output().unwrap();
    assert_eq!(with(&other).status.code(), Some(0), "a copy of the program is the same program");
    let before = files(&out);
    fs::OpenOptions::new().append(true).open(&other).unwrap().write_all(b"more").unwrap();
    let output = with(&other);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("results of another configuration: program was "),
        "{}",
        stderr(&output)
    );
    assert_eq!(files(&out), before);
}

#[test]
fn mistakes_are_told_before_anything_is_computed() {
    let scene = folder();
    let out = scene.path().join("out");
    let wrong = |options: &str, words: &[&str]| fail(2, &sweep(&out, options), words);
    wrong("--batch-sizes 1,1 --arch mlp", &["a cell twice: mlp untrained, B = 1, ig, seed 42"]);
    wrong("--batch-sizes 8 --batches 6", &["--batch-sizes 8", "6 batches of 8", "40 pictures"]);
    wrong("--batch-sizes 16 --batches 1 --batch-labels distinct", &["0 such batches"]);
    wrong("--seeds 1,x", &["--seeds", "found 'x'"]);
    wrong("--aggregate 0", &["--aggregate"]);
    wrong("--adaptive", &["--adaptive needs --defences"]);
    wrong("--defences none;nose:1", &["--defences", "nose:1"]);
    wrong("--victim nonet", &["nonet"]);
    wrong("--victim mlp --arch mlp", &["--arch"]);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("results.csv"), "mine").unwrap();
    wrong("--arch mlp", &["results.csv: results without the journal"]);
    fs::remove_dir_all(&out).unwrap();
    wrong("--names dog,cat --assignment one-to-one", &["10 label indices", "found 2"]);
    fail(1, &sweep(&out, "--victim mlp=none.safetensors"), &["none.safetensors"]);
    assert!(!out.exists());
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let scene = folder();
    let out = scene.path().join("out");
    // A file may not grow beyond some kilobytes, which to the program is the same as a full disk. Its size is in blocks
    // of 512 bytes or of 1024, as shells please.
    let script = format!("trap '' XFSZ; ulimit -f 160; exec \"$0\" {}", sweep(&out, SMALL));
    let limited = || {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_gia-gpu")]).env_remove("XDG_RUNTIME_DIR");
        command.output().unwrap()
    };
    let output = limited();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("cannot be written") && message.contains(&out.display().to_string()),
        "{message}"
    );
    assert!(!message.contains("panicked"), "{message}");
    let kept = journal(&out).len();
    assert!((2..17).contains(&kept), "{kept}");
    let calm = scene.path().join("calm");
    succeed(&sweep(&calm, SMALL));
    succeed(&sweep(&out, SMALL));
    assert_eq!(results(&out), results(&calm));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let scene = folder();
    let file = scene.path().join("file");
    fs::write(&file, "mine").unwrap();
    let options = "--no-names --arch mlp --hidden 16 --batches 1 --iterations 3 --device cpu";
    fail(1, &sweep(&file.join("out"), options), &["cannot be written", "file/out"]);
    let taken = scene.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("journal.jsonl"), "my notes\n").unwrap();
    fail(1, &sweep(&taken, options), &["journal.jsonl"]);
    assert_eq!(fs::read_to_string(taken.join("journal.jsonl")).unwrap(), "my notes\n");
}
