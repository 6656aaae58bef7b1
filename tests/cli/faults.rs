//! A file system that fails, or a process that ends, at each change that a command makes to files, one after the other: what was
//! there stays whole, or what is new is whole, or there is nothing.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use gia_gpu::files::faults::{Fault, KILLED, break_at, is_set};

use crate::support::*;

/// Set in the process that runs a command: which change meets which fault.
const FAULT: &str = "GIA_TEST_FAULT";
/// Its arguments, one a line.
const ARGUMENTS: &str = "GIA_TEST_ARGUMENTS";
/// What it returns when the command made fewer changes.
const DONE: i32 = 99;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A command in a folder, and what must hold of the files there.
struct Case<'a> {
    /// The test that runs it.
    test: &'static str,
    arguments: &'a str,
    folder: &'a Path,
    /// Whether what was found is as whole as what was there before, or what an undisturbed command writes.
    holds: &'a dyn Fn(&Files, &Files, &Files) -> Result<(), String>,
}

/// In the process of a single fault: runs the command, and ends.
fn child() {
    let Ok(fault) = env::var(FAULT) else { return };
    let (kind, number) = fault.split_once(' ').unwrap();
    break_at(number.parse().unwrap(), if kind == "kill" { Fault::Kill } else { Fault::Error });
    let arguments = env::var(ARGUMENTS).unwrap();
    let words = ["gia-gpu"].into_iter().chain(arguments.split_whitespace()).map(OsString::from);
    let code = gia_gpu::cli::run(words);
    std::process::exit(if is_set() { DONE } else { code.into() })
}

impl Case<'_> {
    fn run(&self, fault: &str, number: u64) -> i32 {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([self.test, "--exact", "--test-threads=1", "--nocapture"]);
        command.env(FAULT, format!("{fault} {number}")).env(ARGUMENTS, self.arguments);
        // Linux's and macOS's words for where caches are.
        command.env("XDG_CACHE_HOME", self.folder.join("Library/Caches")).env("HOME", self.folder);
        let output = command.current_dir(self.folder).output().unwrap();
        let text = stderr(&output);
        assert!(!text.contains("panicked"), "{fault} {number}: {text}");
        output.status.code().unwrap_or_else(|| panic!("{fault} {number}: {text}"))
    }

    /// Puts the folder back to how it was.
    fn restore(&self, before: &Files) {
        for path in files(self.folder).into_keys().filter(|path| !before.contains_key(path)) {
            fs::remove_file(self.folder.join(path)).unwrap();
        }
        for (path, bytes) in before {
            fs::write(self.folder.join(path), bytes).unwrap();
        }
    }

    fn check(&self) {
        let before = files(self.folder);
        assert_eq!(self.run("error", 1 << 40), DONE, "the command itself fails");
        let after = files(self.folder);
        let mut changes = 0;
        for fault in ["error", "kill"] {
            for number in 1.. {
                self.restore(&before);
                let code = self.run(fault, number);
                if code == DONE {
                    changes = number - 1;
                    break;
                }
                let found = files(self.folder);
                // Where losing something costs time only, as a cache does, the command goes on.
                let expected: &[i32] = if fault == "kill" { &[KILLED] } else { &[0, 1] };
                assert!(expected.contains(&code), "{fault} {number}: exit code {code}");
                if let Err(problem) = (self.holds)(&before, &found, &after) {
                    panic!("{fault} {number}: {problem}: {:?}", found.keys());
                }
                if fault == "error" {
                    let left = found.keys().find(|path| path.to_string_lossy().contains(".gia-gpu-partial-"));
                    assert!(left.is_none(), "{fault} {number}: {left:?}");
                }
            }
        }
        assert!(changes > 3, "{changes} changes");
        // What kills left is no obstacle to the next one, and goes.
        self.restore(&before);
        self.run("kill", changes);
        assert_eq!(self.run("error", 1 << 40), DONE);
        let left = files(self.folder).into_keys().find(|path| path.to_string_lossy().contains(".gia-gpu"));
        assert!(left.is_none(), "{left:?}");
    }
}

/// Nobody's times are the same twice.
fn is_timed(path: &Path) -> bool {
    ["report.json", "report.html", "results.csv", "timings.csv"].iter().any(|name| path.ends_with(name))
        || path.extension().is_some_and(|extension| extension == "jsonl" || extension == "svg")
}

/// Of a folder with a report: all that is there is the old one's, or the new one's; without its report it is nothing.
fn whole_report(before: &Files, found: &Files, after: &Files) -> Result<(), String> {
    if !found.contains_key(Path::new("found/report.json")) {
        return Ok(());
    }
    let visible = |files: &Files| -> Files {
        let ours =
            |path: &&PathBuf| path.starts_with("found") && !path.to_string_lossy().contains(".gia-gpu");
        files
            .iter()
            .filter(|(path, _)| ours(path))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect()
    };
    let timeless = |files: &Files| -> Files {
        files
            .iter()
            .map(|(path, bytes)| (path.clone(), if is_timed(path) { vec![] } else { bytes.clone() }))
            .collect()
    };
    let found = visible(found);
    match found == visible(before) || timeless(&found) == timeless(&visible(after)) {
        true => Ok(()),
        false => Err("a report beside other files than its own".into()),
    }
}

/// Every file that is there is as it was, or as it is to be.
fn whole_files(before: &Files, found: &Files, after: &Files) -> Result<(), String> {
    for (path, bytes) in found {
        let is_ours = path.to_string_lossy().contains(".gia-gpu");
        let is = |files: &Files| files.get(path) == Some(bytes);
        if !(is_ours || is(before) || is(after)) {
            return Err(format!("{} is neither old nor new", path.display()));
        }
    }
    let lost = before.keys().find(|path| !found.contains_key(*path));
    lost.map_or(Ok(()), |path| Err(format!("{} is lost", path.display())))
}

#[test]
fn run_leaves_a_whole_report_or_none() {
    child();
    let here = folder();
    succeed(&format!(
        "run --seed 1 --iterations 1 --batches 1 --no-names --device cpu --out {}/found",
        here.path().display()
    ));
    Case {
        test: "faults::run_leaves_a_whole_report_or_none",
        arguments: "run --seed 2 --iterations 1 --batches 1 --no-names --device cpu --out found --force",
        folder: here.path(),
        holds: &whole_report,
    }
    .check();
}

#[test]
fn invert_leaves_a_whole_report_or_none() {
    child();
    let captured = captured();
    Case {
        test: "faults::invert_leaves_a_whole_report_or_none",
        arguments: "invert --arch lenet-zhu --weights w.safetensors --gradient g.safetensors --iterations 1 --device cpu \
                    --out found",
        folder: captured.folder.path(),
        holds: &whole_report,
    }
    .check();
}

#[test]
fn guide_leaves_a_whole_report_or_none() {
    child();
    let here = folder();
    Case {
        test: "faults::guide_leaves_a_whole_report_or_none",
        arguments: "guide --batch 1 --names Bag,Coat --iterations 3 --device cpu --out found",
        folder: here.path(),
        holds: &whole_report,
    }
    .check();
}

#[test]
fn sweep_loses_no_finished_cell_and_goes_on() {
    child();
    let here = folder();
    let sweep = "sweep --arch lenet-zhu --batch-sizes 1 --batches 1 --seeds 1 --iterations 1 --no-names --device cpu \
                 --out found";
    // A journal of whole lines, or with a torn one at its end, which the next start cuts off.
    let lines = |files: &Files| -> Vec<Vec<u8>> {
        let journal = files.iter().find(|(path, _)| path.ends_with("journal.jsonl"));
        let whole = |bytes: &Vec<u8>| bytes.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        journal.map(|(_, bytes)| whole(bytes)).unwrap_or_default()
    };
    Case {
        test: "faults::sweep_loses_no_finished_cell_and_goes_on",
        arguments: sweep,
        folder: here.path(),
        holds: &|_, found, after| match lines(found).len() <= lines(after).len() {
            true => Ok(()),
            false => Err("more than all lines".into()),
        },
    }
    .check();
}

#[test]
fn weights_get_leaves_whole_files_or_none() {
    child();
    let here = folder();
    fs::create_dir(here.path().join("stick")).unwrap();
    for name in ["model.safetensors", "config.json"] {
        fs::copy(clip_fixture().join(name), here.path().join("stick").join(name)).unwrap();
    }
    Case {
        test: "faults::weights_get_leaves_whole_files_or_none",
        arguments: "weights get tinyclip-8m --from stick",
        folder: here.path(),
        // What has arrived of a file has another name than the file.
        holds: &|before, found, after| {
            let mut found = found.clone();
            found.retain(|path, _| path.extension().is_none_or(|extension| extension != "part"));
            whole_files(before, &found, after)
        },
    }
    .check();
}

#[test]
fn train_leaves_whole_weights_or_a_checkpoint_to_go_on_from() {
    child();
    let here = folder();
    let data = here.path().join("data");
    for class in ["a", "b"] {
        fs::create_dir_all(data.join(class)).unwrap();
        for number in 0..2u8 {
            let level = if class == "a" { 40 } else { 200 } + number;
            image::GrayImage::from_pixel(8, 8, image::Luma([level]))
                .save(data.join(format!("{class}/{number}.png")))
                .unwrap();
        }
    }
    let train = "train victim --arch mlp --hidden 3 --data data --epochs 2 --batch 2 --normalisation none --device cpu \
                 --out w.safetensors";
    // A checkpoint has times in it: it is whole if the training goes on from it, which is tried for each.
    let holds = |before: &Files, found: &Files, after: &Files| {
        let mut found = found.clone();
        let checkpoint = found.remove(Path::new("w.checkpoint.safetensors"));
        whole_files(before, &found, after)?;
        if checkpoint.is_some() && !found.contains_key(Path::new("w.safetensors")) {
            let resumed =
                program().current_dir(here.path()).args(train.split_whitespace()).arg("--resume").output();
            let resumed = resumed.unwrap();
            // The program that began it is the test's own: nothing but that speaks against it.
            let said = stderr(&resumed);
            if !said.contains("program was") {
                return Err(said);
            }
        }
        Ok(())
    };
    Case {
        test: "faults::train_leaves_whole_weights_or_a_checkpoint_to_go_on_from",
        arguments: train,
        folder: here.path(),
        holds: &holds,
    }
    .check_training();
}

impl Case<'_> {
    /// As [`Case::check`], but what a kill leaves is a checkpoint, which a new training does not replace.
    fn check_training(&self) {
        let before = files(self.folder);
        assert_eq!(self.run("error", 1 << 40), DONE, "the command itself fails");
        let after = files(self.folder);
        for fault in ["error", "kill"] {
            for number in 1.. {
                self.restore(&before);
                let code = self.run(fault, number);
                if code == DONE {
                    assert!(number > 4);
                    break;
                }
                assert_ne!(code, 0, "{fault} {number}");
                if let Err(problem) = (self.holds)(&before, &files(self.folder), &after) {
                    panic!("{fault} {number}: {problem}");
                }
            }
        }
    }
}
