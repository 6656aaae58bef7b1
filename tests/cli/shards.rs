//! A sweep in shards: the same bytes as in one piece, however they are dealt, killed and put together.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::Duration,
};

use gia_gpu::data::samples;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::*;

/// Cells of very different work, in blocks of a batch or two.
const SMALL: &str = "--victim mlp --victim lenet-zhu --batch-sizes 1,4 --seeds 1 --batches 5 --block 2 --aggregate 2 \
                     --iterations 6 --device cpu";

fn shard(which: &str, out: &Path, options: &str) -> String {
    format!("sweep {options} --shard {which} --out {}", out.display())
}

fn spawn(arguments: &str) -> Child {
    let mut command = program();
    command.args(arguments.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// What a sweep leaves to be looked at: journals and timings aside.
fn shown(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let keep = |name: &PathBuf| {
        let name = name.to_string_lossy();
        !name.contains("journal") && name != "timings.csv" && !name.ends_with(".lease")
    };
    files(out).into_iter().filter(|(name, _)| keep(name)).collect()
}

#[test]
fn shards_at_once_merge_to_the_bytes_of_the_whole() {
    let scene = folder();
    let [whole, split] = ["whole", "split"].map(|name| scene.path().join(name));
    let printed = succeed(&format!("sweep {SMALL} --out {}", whole.display()));
    // All of them in one folder, at once.
    let mut children: Vec<Child> = (1..=4).map(|n| spawn(&shard(&format!("{n}/4"), &split, SMALL))).collect();
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let merged = succeed(&format!("sweep merge {} --device cpu", split.display()));
    assert_eq!(shown(&whole), shown(&split));
    let table = |text: &str| text.split("\nwrote").next().unwrap().to_string();
    assert_eq!(table(&printed), table(&merged));
    // Shards of other folders, and of another number.
    let [left, right] = ["left", "right"].map(|name| scene.path().join(name));
    succeed(&shard("1/2", &left, SMALL));
    succeed(&shard("2/2", &right, SMALL));
    succeed(&format!("sweep merge {} {} --device cpu", left.display(), right.display()));
    assert_eq!(shown(&whole), shown(&left));
    // The unsharded sweep takes what shards have computed.
    let output = run(&format!("sweep {SMALL} --out {}", right.display()));
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(shown(&whole), shown(&right));
}

#[cfg(unix)]
#[test]
fn twenty_kills_over_shards_change_no_byte() {
    let scene = folder();
    let [whole, split] = ["whole", "split"].map(|name| scene.path().join(name));
    let options = SMALL.replace("--iterations 6", "--iterations 60");
    let began = std::time::Instant::now();
    succeed(&format!("sweep {options} --out {}", whole.display()));
    let time = began.elapsed();
    let mut generator = ChaCha8Rng::seed_from_u64(31);
    for _ in 0..20 {
        let which = format!("{}/3", generator.random_range(1..=3));
        let mut child = spawn(&shard(&which, &split, &options));
        sleep(time.mul_f64(generator.random_range(0.02..0.4)));
        let _ = child.kill();
        child.wait().unwrap();
    }
    (1..=3).for_each(|n| drop(succeed(&shard(&format!("{n}/3"), &split, &options))));
    succeed(&format!("sweep merge {} --device cpu", split.display()));
    assert_eq!(shown(&whole), shown(&split));
}

#[test]
fn what_is_missing_is_named_with_its_shard_and_what_disagrees_is_refused() {
    let scene = folder();
    let out = scene.path().join("out");
    succeed(&shard("1/3", &out, SMALL));
    let merge = format!("sweep merge {} --device cpu", out.display());
    fail(1, &merge, &["blocks are missing", "(shard 2/3)", "(shard 3/3)", "B = 4"]);
    assert!(!out.join("results.csv").exists());
    succeed(&shard("2/3", &out, SMALL));
    succeed(&shard("3/3", &out, SMALL));
    // Its own work again: nothing is computed.
    let journal = out.join("journal-002-of-003.jsonl");
    let before = fs::read(&journal).unwrap();
    succeed(&shard("2/3", &out, SMALL));
    assert_eq!(fs::read(&journal).unwrap(), before);

    // A torn line is kept out, and owed again.
    fs::write(&journal, &before[..before.len() - 20]).unwrap();
    fail(1, &merge, &["1 of", "(shard 2/3)"]);
    fs::write(&journal, &before).unwrap();
    // Of another configuration.
    let other = scene.path().join("other");
    succeed(&shard("1/1", &other, &SMALL.replace("--iterations 6", "--iterations 7")));
    let both = format!("sweep merge {} {} --device cpu", out.display(), other.display());
    fail(2, &both, &["another configuration", "--iterations was 7, now it is 6"]);
    // The same block with other labels.
    let twice = scene.path().join("twice");
    fs::create_dir(&twice).unwrap();
    let text = String::from_utf8(before).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let record: Value = serde_json::from_str(&lines[1]).unwrap();
    let mut block = record["record"].clone();
    block["block"]["batches"][0]["labels"][0] = Value::from(77);
    let changed = serde_json::to_string(&block).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(changed.as_bytes());
    lines[1] = format!("{{\"crc32\":{},\"record\":{changed}}}", crc.sum());
    fs::write(twice.join("journal-001-of-001.jsonl"), lines.join("\n") + "\n").unwrap();
    let both = format!("sweep merge {} {} --device cpu", out.display(), twice.display());
    fail(1, &both, &["disagree on", "journal-001-of-001.jsonl"]);
    fail(2, &format!("sweep merge {}", scene.path().display()), &["no journal of a sweep's shard"]);
}

#[test]
fn two_tasks_with_the_same_shard_do_not_both_write() {
    let scene = folder();
    let out = scene.path().join("out");
    let long = SMALL.replace("--iterations 6", "--iterations 100000");
    let mut first = spawn(&shard("1/2", &out, &long));
    let journal = out.join("journal-001-of-002.jsonl");
    while !journal.exists() || fs::metadata(&journal).unwrap().len() == 0 {
        sleep(Duration::from_millis(20));
        assert!(first.try_wait().unwrap().is_none());
    }
    fail(1, &shard("1/2", &out, &long), &["journal-001-of-002.jsonl", "another process writes to it"]);
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_shard_stops_in_time_and_goes_on_where_it_was() {
    let scene = folder();
    let out = scene.path().join("out");
    let long = SMALL.replace("--iterations 6", "--iterations 400");
    let output = run(&format!("{} --time-limit 1", shard("1/1", &out, &long)));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    succeed(&shard("1/1", &out, &long));
    succeed(&format!("sweep merge {} --device cpu", out.display()));
    fail(2, &format!("sweep {SMALL} --time-limit soon"), &["expected a time such as 2:00:00"]);
}

#[test]
fn shards_are_counted_from_one_and_may_come_from_a_scheduler() {
    for which in ["0/4", "5/4", "x", "1"] {
        fail(2, &format!("sweep {SMALL} --shard {which}"), &["--shard: expected I/N"]);
    }
    for count in ["0", "100001", "4294967296", "x"] {
        for command in ["plan", "submit --slurm"] {
            fail(
                2,
                &format!("sweep {command} {SMALL} --shards {count}"),
                &["--shards", "expected 1 to 100000 shards"],
            );
        }
    }
    let scene = folder();
    let out = scene.path().join("out");
    let arguments = shard("auto", &out, SMALL);
    let output = program().args(arguments.split_whitespace()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no scheduler's array index is set"), "{}", stderr(&output));
    let array = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "2")];
    let output = program().args(arguments.split_whitespace()).envs(array).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("shard 2/2, as Slurm says"), "{}", stderr(&output));
    assert!(out.join("journal-002-of-002.jsonl").exists());
}

#[test]
fn a_plan_tells_the_work_and_shares_it_evenly() {
    // More pictures than the program has: each of its own three times over.
    let (scene, own) = (folder(), samples());
    for i in 0..120 {
        let class = scene.path().join(format!("class {}", own.label(i % 40).unwrap()));
        fs::create_dir_all(&class).unwrap();
        own.picture(i % 40).unwrap().write_png(&class.join(format!("{i}.png"))).unwrap();
    }
    let data = scene.path().display().to_string();
    let sizes =
        format!("--data {data} --batch-sizes 1,2,4,8,16 --batches 7 --batch-labels any --iterations 20");
    let victims = "--victim lenet-zhu --victim mlp --victim convnet8";
    let printed =
        succeed(&format!("sweep plan {victims} {sizes} --shards 8 --speed 10 --time-limit 60 --json"));
    let plan: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 15);
    assert_eq!(plan["shards"].as_array().unwrap().len(), 8);
    let imbalance = plan["imbalance"].as_f64().unwrap();
    assert!((1.0..=1.25).contains(&imbalance), "{imbalance}");
    let sum = |of: &str| {
        plan[of].as_array().unwrap().iter().map(|x| x["operations"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(sum("cells"), sum("shards"));
    assert!(plan["suggested_shards"].is_u64() && plan["seconds"].as_f64().unwrap() > 0.0);
    let text = succeed(&format!("sweep plan {victims} {sizes}"));
    assert!(
        text.contains("lenet-zhu untrained, B = 16") && text.contains("8 shards: the longest is 1."),
        "{text}"
    );
}

#[test]
fn scripts_for_slurm_are_written_and_without_slurm_nothing_is_sent() {
    let scene = folder();
    let out = scene.path().join("out");
    let options = format!(
        "--slurm --time 2:00:00 --gpus 1 --cpus 2 --mem 4G --shards 4 --batches 5 --no-names --out {}",
        out.display()
    );
    let text = succeed(&format!("sweep submit {options}"));
    assert!(text.contains("sbatch --dependency=afterany:$JOB"), "{text}");
    let script = fs::read_to_string(out.join("sweep.sbatch")).unwrap();
    for part in ["#SBATCH --array=1-4", "#SBATCH --time=2:00:00", "#SBATCH --gpus=1", "--batches 5", "/4\""] {
        assert!(script.contains(part), "{script}");
    }
    assert!(!script.contains("--slurm"), "{script}");
    assert!(fs::read_to_string(out.join("merge.sbatch")).unwrap().contains("sweep merge"));
    let mut command = program();
    command.args(format!("sweep submit {options} --now").split_whitespace()).env("PATH", scene.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("sbatch cannot be called"), "{}", stderr(&output));
    fail(2, &format!("sweep submit {options} --partition 'a;b'").replace('\'', ""), &["Slurm knows"]);
}

/// The rows of a table, each by its columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        header.iter().zip(&row).map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// Half of them on a GPU (lavapipe, where there is none), half on the CPU.
#[test]
fn sixteen_shards_on_two_kinds_of_devices_give_the_statistics_of_one_run() {
    let scene = folder();
    let [whole, split] = ["whole", "split"].map(|name| scene.path().join(name));
    let options = SMALL.replace("--block 2", "--block 1 --no-names");
    succeed(&format!("sweep {options} --out {}", whole.display()));
    let which: Vec<usize> = (1..=16).collect();
    for pair in which.chunks(2) {
        let mut children: Vec<Child> = pair
            .iter()
            .map(|n| {
                let device = if n % 2 == 0 { "--device gpu" } else { "--device cpu" };
                spawn(&shard(&format!("{n}/16"), &split, &options.replace("--device cpu", device)))
            })
            .collect();
        assert!(children.iter_mut().all(|child| child.wait().unwrap().success()), "{pair:?}");
    }
    succeed(&format!("sweep merge {} --device cpu", split.display()));
    for table in ["results.csv", "batches.csv"] {
        let [one, many] = [&whole, &split].map(|folder| rows(&folder.join(table)));
        assert_eq!(one.len(), many.len(), "{table}");
        for (one, many) in one.iter().zip(&many) {
            for (column, value) in one {
                let other = &many[column];
                match (value.parse::<f64>(), other.parse::<f64>()) {
                    // A few iterations from the same start: rounding has not spread far.
                    (Ok(a), Ok(b)) => {
                        assert!((a - b).abs() <= 1e-2 * (1.0 + a.abs()), "{table} {column}: {a} and {b}")
                    }
                    _ if column == "device" => {}
                    _ => assert_eq!(value, other, "{table} {column}"),
                }
            }
        }
    }
    // Each cell was computed on both.
    let cells = rows(&split.join("results.csv"));
    assert!(
        cells.iter().all(|cell| cell["device"].contains("cpu ") && cell["device"].contains("gpu ")),
        "{cells:?}"
    );
}
