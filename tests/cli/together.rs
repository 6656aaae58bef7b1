//! Two runs and one folder, and outputs beside inputs. `tests/campaign.sh` starts many more pairs.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::*;

/// Started in this folder, not yet ended.
fn start(folder: &Path, arguments: &str) -> Child {
    let mut command: Command = program();
    command.current_dir(folder).args(arguments.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

const SHORT: &str = "run --iterations 200 --batches 4 --no-names --device cpu --seed";

/// `report.json` and the pictures in a folder are of one run: the one with this seed.
fn is_whole(folder: &Path, seed: u64) -> bool {
    let report = report(folder);
    let pictures = fs::read_dir(folder.join("images")).unwrap().count();
    report["seed"] == seed
        && pictures == 8
        && folder.join("grid.png").exists()
        && folder.join("report.html").exists()
}

#[test]
fn of_two_runs_without_a_folder_both_are_whole() {
    let here = folder();
    for pair in 0..3u64 {
        let before = fs::read_dir(here.path()).unwrap().count();
        let runs =
            [2 * pair, 2 * pair + 1].map(|seed| (seed, start(here.path(), &format!("{SHORT} {seed}"))));
        for (seed, run) in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{seed}: {}", stderr(&output));
            let text = String::from_utf8(output.stdout).unwrap();
            let written = text.lines().last().unwrap().strip_prefix("wrote ").unwrap();
            let page = written.split(" and ").next().unwrap();
            assert!(is_whole(here.path().join(page).parent().unwrap(), seed), "{written}");
        }
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), before + 2);
    }
    assert!(here.path().join("out").exists() && here.path().join("out-6").exists());
}

#[test]
fn of_two_runs_with_one_folder_one_is_refused_and_the_other_whole() {
    for pair in 0..3 {
        let here = folder();
        let runs = [1u64, 2].map(|seed| (seed, start(here.path(), &format!("{SHORT} {seed} --out found"))));
        let ended = runs.map(|(seed, run)| (seed, run.wait_with_output().unwrap()));
        let (done, refused): (Vec<_>, Vec<_>) = ended.iter().partition(|(_, output)| output.status.success());
        assert_eq!((done.len(), refused.len()), (1, 1), "pair {pair}");
        let said = stderr(&refused[0].1);
        assert_eq!(refused[0].1.status.code(), Some(2), "{said}");
        // Who holds it, or what the other has left when it was faster.
        assert!(said.contains("process") || said.contains("--force"), "{said}");
        assert!(is_whole(&here.path().join("found"), done[0].0));
        assert!(!here.path().join("found/.gia-gpu.lock").exists());
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }
}

#[test]
fn finished_results_are_replaced_by_force_alone() {
    let captured = captured();
    let found = captured.folder.path().join("found");
    let invert = format!(
        "invert --arch lenet-zhu --weights {} --gradient {} --iterations 1 --device cpu --out {}",
        captured.weights,
        captured.gradient,
        found.display()
    );
    succeed(&invert);
    let before = files(&found);
    fail(2, &invert, &["holds the results of an earlier run", "report.json", "--force"]);
    assert_eq!(files(&found), before);
    succeed(&format!("{invert} --seed 7 --force"));
    assert_ne!(files(&found), before);

    let table = captured.folder.path().join("names.csv");
    fs::write(&table, "mine").unwrap();
    let name = format!("name --labels Bag,Coat {} --device cpu --out {}", captured.picture, table.display());
    fail(2, &name, &["names.csv is there already", "--force"]);
    assert_eq!(fs::read_to_string(&table).unwrap(), "mine");
    succeed(&format!("{name} --force"));
}

#[test]
fn no_output_is_holds_or_lies_in_an_input() {
    let captured = captured();
    let here = captured.folder.path();
    let data = here.join("data/Coat");
    fs::create_dir_all(&data).unwrap();
    fs::copy(&captured.picture, data.join("0.png")).unwrap();
    let [data, out] = [here.join("data"), here.join("data/out")].map(|path| path.display().to_string());
    let before = files(here);
    fail(2, &format!("run --data {data} --out {out} --device cpu"), &["lies in an input"]);
    fail(2, &format!("sweep --data {data} --out {out} --device cpu"), &["lies in an input"]);
    let given = format!("--arch lenet-zhu --weights {} --gradient {}", captured.weights, captured.gradient);
    fail(2, &format!("invert {given} --out {}", here.display()), &["holds an input"]);
    fail(2, &format!("run {given} --out {}", captured.gradient), &["is an input"]);
    fail(
        2,
        &format!("capture --images {} --labels 1 --out {}", captured.picture, captured.picture),
        &["is an input"],
    );
    fail(2, &format!("name --labels a,b {0} --out {0}", captured.picture), &["is an input"]);
    let victim = format!("train victim --arch mlp --classes 2 --batch 1 --data {data} --test {data}");
    fail(2, &format!("{victim} --out {data}/Coat/0.png"), &["lies in an input"]);
    fail(2, &format!("guide --names a,b {given} --out {}", here.display()), &["holds an input"]);
    fail(2, &format!("study guidance --data {data} --out {out}"), &["lies in an input"]);
    fail(2, &format!("study defences --data {data} --out {data}/table.json"), &["lies in an input"]);
    assert_eq!(files(here), before);
}

#[test]
fn what_a_kill_left_is_gone_with_the_next_start() {
    let here = folder();
    let left = |folder: &Path| {
        fs::create_dir_all(folder.join(".gia-gpu-partial-stage/images")).unwrap();
        fs::write(folder.join(".gia-gpu-partial-file"), "half").unwrap();
        fs::write(folder.join(".gia-gpu.lock"), "process 1 (gia-gpu run)").unwrap();
    };
    let out = here.path().join("out");
    left(&out);
    // A folder with nothing else in it is as free as one that is not there.
    let run = start(here.path(), &format!("{SHORT} 1")).wait_with_output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    assert!(is_whole(&out, 1));
    left(&out);
    let run = start(here.path(), &format!("{SHORT} 2 --out out --force")).wait_with_output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    let names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    // A study that is refused leaves no folder.
    let study = start(here.path(), "study guidance --classes 1 --device cpu").wait_with_output().unwrap();
    assert_eq!(study.status.code(), Some(2), "{}", stderr(&study));
    assert!(!here.path().join("guidance").exists());
}

#[test]
fn a_picture_of_more_pixels_than_are_allowed_is_refused_by_its_header() {
    let here = folder();
    let picture = here.path().join("large.png");
    image::GrayImage::new(400, 300).save(&picture).unwrap();
    let capture = format!(
        "capture --images {} --labels 1 --arch lenet-zhu --device cpu --out {}",
        picture.display(),
        here.path().join("g.safetensors").display()
    );
    fail(1, &format!("{capture} --max-pixels 100000"), &["large.png", "at most 100000 pixels", "400×300"]);
    succeed(&format!("{capture} --max-pixels 120000"));
    fail(2, &format!("{capture} --max-pixels 0"), &["--max-pixels"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_in_place_of_a_file_is_refused_at_once() {
    let captured = captured();
    let here = captured.folder.path();
    let pipe = here.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let zeros = here.join("zeros");
    std::os::unix::fs::symlink("/dev/zero", &zeros).unwrap();
    for path in [pipe.display().to_string(), zeros.display().to_string()] {
        let words = ["a pipe, socket or device"];
        fail(1, &format!("labels --weights {} --gradient {path} --batch 1", captured.weights), &words);
        fail(1, &format!("capture --images {path} --labels 1 --out {}/g", here.display()), &words);
        fail(1, &format!("run --config {path}"), &words);
    }
}
