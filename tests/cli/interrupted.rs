//! A run that dies or fails leaves no half-written output and spoils no earlier one.

use std::{fs, thread::sleep, time::Duration};

use crate::support::*;

#[test]
fn a_killed_run_leaves_the_earlier_output_as_it_was() {
    let out = folder();
    let dir = out.path().join("out");
    succeed(&format!("run --iterations 5 --device cpu --force --out {}", dir.display()));
    let before = files(&dir);
    let mut child = program()
        .args(["run", "--iterations", "1000000", "--device", "cpu", "--force", "--out"])
        .arg(&dir)
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(700));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(files(&dir), before);
}

#[test]
fn a_killed_first_run_leaves_no_files() {
    let out = folder();
    let dir = out.path().join("new");
    let mut child = program()
        .args(["run", "--iterations", "1000000", "--device", "cpu", "--force", "--out"])
        .arg(&dir)
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(700));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.exists() || files(&dir).is_empty());
}

#[test]
fn a_failed_run_takes_its_new_folder_away_and_keeps_an_old_one() {
    let captured = captured();
    let Captured { folder, weights, .. } = &captured;
    let dir = folder.path().join("a/b");
    // Refused when the output folder has been made: the plan is larger than any memory.
    let gradient = captured.claiming(Some(400_000));
    let claim = format!("--weights {weights} --gradient {gradient} --preset dlg");
    let options = format!("invert --arch lenet-zhu {claim} --device cpu --force --out {}", dir.display());
    fail(1, &options, &["bytes"]);
    assert!(!folder.path().join("a").exists());
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("mine.txt"), "kept").unwrap();
    fail(1, &options, &["bytes"]);
    assert_eq!(files(&dir).len(), 1);
}

#[test]
fn of_two_runs_with_one_folder_the_second_is_refused_at_once() {
    let out = folder();
    let dir = out.path().join("out");
    let mut first = program()
        .args(["run", "--iterations", "1000000", "--device", "cpu", "--no-names", "--out"])
        .arg(&dir)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !dir.join(".gia-gpu.lock").exists() {
        sleep(Duration::from_millis(20));
        assert!(first.try_wait().unwrap().is_none());
    }
    let second = format!("run --iterations 1 --device cpu --no-names --out {}", dir.display());
    fail(2, &second, &["is taken", "process"]);
    first.kill().unwrap();
    first.wait().unwrap();
    // What a kill left is no obstacle, and goes.
    succeed(&second);
    assert!(!dir.join(".gia-gpu.lock").exists());
}

#[test]
fn names_are_not_written_over_the_pictures() {
    let scene = folder();
    let picture = scene.path().join("a.png");
    gia_gpu::data::samples().picture(0).unwrap().write_png(&picture).unwrap();
    let before = fs::read(&picture).unwrap();
    let arguments = format!("name --labels bag,shirt --out {0} {0}", picture.display());
    fail(2, &arguments, &["--out:", "is an input"]);
    assert_eq!(fs::read(&picture).unwrap(), before);
}
