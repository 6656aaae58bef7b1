//! Every option of every command with values that nobody means: it ends with an exit code that says what is wrong, and never
//! panics.

use std::{
    env,
    ffi::OsString,
    fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Mutex,
};

use clap::{Arg, ArgAction, Command};
use gia_gpu::files::limits;

use crate::{alone::alone, support::*};

const ODD: [&str; 24] = [
    "0",
    "-1",
    "-0",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "-1e308",
    "1e-320",
    "NaN",
    "inf",
    "",
    " ",
    ",",
    "0,0",
    "=",
    "a=",
    "a=b",
    "1:2:3:4",
    "../..",
    "/dev/null",
    "é\u{202e}\u{1b}[2J",
    "0x10",
    "noise:NaN",
];

/// What a panic says, and where.
static PANICS: Mutex<Vec<String>> = Mutex::new(vec![]);

/// Too little for any plan: all that options decide is decided, and nothing is computed.
const LITTLE: &str = "--memory=256K";

/// What each command needs beside the option, cheap enough to be run ten thousand times.
fn needed(path: &str) -> &'static [&'static str] {
    match path {
        "run" | "config show" => &["--device=cpu", "--iterations=1", "--batches=1", "--no-names", LITTLE],
        "capture" => &["--images=picture.png", "--labels=2", "--device=cpu", "--out=g2", LITTLE],
        "invert" => &[
            "--weights=w.safetensors",
            "--gradient=g.safetensors",
            "--iterations=1",
            "--device=cpu",
            "--out=found",
            LITTLE,
        ],
        "contains" => &["--weights=w.safetensors", "--gradient=g.safetensors", "--device=cpu", LITTLE],
        "guide" => &["--names=Bag,Coat", "--iterations=3", "--device=cpu", LITTLE],
        "labels" => &["--weights=w.safetensors", "--gradient=g.safetensors"],
        "train victim" => &[
            "--data=data",
            "--batch=2",
            "--epochs=1",
            "--arch=lenet-zhu",
            "--device=cpu",
            "--out=v.safetensors",
            LITTLE,
        ],
        "train clip" => {
            &["--data=set=data", "--batch=2", "--epochs=1", "--device=cpu", "--out=c.safetensors", LITTLE]
        }
        "train generator" => &[
            "--data=data",
            "--batch=2",
            "--epochs=1",
            "--width=1",
            "--device=cpu",
            "--out=g.safetensors",
            LITTLE,
        ],
        "evaluate" => &["--weights=w.safetensors", "--data=data", "--device=cpu", LITTLE],
        "metrics" => &["--reference=data/a", "--reconstruction=data/a"],
        "study labels" | "study defences" => &["--device=cpu", LITTLE],
        "study names" => &["--data=set=data", "--device=cpu", LITTLE],
        "study pulls" => &["--device=cpu", "--iterations=1", "--words=cat", LITTLE],
        "study hypotheses" => {
            &["--device=cpu", "--iterations=1", "--batches=1", "--names=Bag,Coat", "--compare=free", LITTLE]
        }
        "study guidance" => &["--device=cpu", "--iterations=3", "--batches=1", LITTLE],
        "sweep" | "sweep plan" => &["--device=cpu", "--iterations=1", "--batches=1", "--no-names", LITTLE],
        "sweep submit" => &["--slurm", "--device=cpu", "--iterations=1", "--no-names", LITTLE],
        "sweep merge" => &["data"],
        "name" => &["--labels=a,b", "--device=cpu", LITTLE, "missing.png"],
        "weights get" => &["tinyclip-8m", "--from=missing"],
        "bench" => &["--only=peaks", "--seconds=0.001", "--device=cpu"],
        "completions" => &["bash"],
        _ => &[],
    }
}

/// Options that ask for work without end, which is what they are for, or that name a server.
fn is_left_out(path: &str, option: &str, value: &str) -> bool {
    let is_long = value.parse::<f64>().is_ok_and(|number| number > 1e6);
    match (path, option) {
        ("bench", "seconds") => is_long,
        // It computes what it takes to fill its folder.
        ("bench", "scaling" | "out" | "only") => true,
        // Much memory is no little memory.
        (_, "memory") => true,
        _ => false,
    }
}

/// Every command that does something, with how it is called.
fn commands(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    if command.get_subcommands().next().is_none() || path == "sweep" {
        found.push((path.into(), command.clone()));
    }
    for inner in command.get_subcommands().filter(|inner| !["help", "reference"].contains(&inner.get_name()))
    {
        commands(inner, format!("{path} {}", inner.get_name()).trim(), found);
    }
}

/// The option with a value; `None`: it takes none.
fn given(option: &Arg, value: &str) -> Option<Vec<OsString>> {
    let takes = matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
    match option.get_long() {
        _ if !takes => None,
        Some(name) => Some(vec![format!("--{name}={value}").into()]),
        None => Some(vec![value.into()]),
    }
}

fn call(path: &str, option: Option<&Arg>, more: Vec<OsString>) -> u8 {
    let replaced = |word: &&&str| {
        let name = option.and_then(Arg::get_long);
        match word.strip_prefix("--") {
            Some(word) => name == Some(word.split('=').next().unwrap()),
            None => option.is_some_and(Arg::is_positional),
        }
    };
    let mut words: Vec<OsString> = vec!["gia-gpu".into(), "-q".into()];
    words.extend(path.split_whitespace().map(OsString::from));
    words.extend(needed(path).iter().filter(|word| !replaced(word)).map(OsString::from));
    words.extend(more);
    limits::set_memory(u64::MAX);
    limits::set_max_pixels(limits::MAX_PIXELS);
    let result = panic::catch_unwind(AssertUnwindSafe(|| gia_gpu::cli::run(words)));
    result.unwrap_or(u8::MAX)
}

/// A folder in which all commands find what they need.
fn scene(here: &Path) {
    let captured = captured();
    for name in ["picture.png", "g.safetensors", "w.safetensors"] {
        fs::copy(captured.folder.path().join(name), here.join(name)).unwrap();
    }
    for class in ["a", "b"] {
        fs::create_dir_all(here.join("data").join(class)).unwrap();
        for number in 0..2 {
            fs::copy(here.join("picture.png"), here.join(format!("data/{class}/{number}.png"))).unwrap();
        }
    }
}

#[test]
fn no_option_of_any_command_panics_at_any_value() {
    alone(|| {
        let outer = folder();
        let here = outer.path().join("a/b/c");
        fs::create_dir_all(&here).unwrap();
        scene(&here);
        env::set_current_dir(&here).unwrap();
        panic::set_hook(Box::new(|panic| PANICS.lock().unwrap().push(panic.to_string())));
        let mut all = vec![];
        commands(&gia_gpu::cli::command(), "", &mut all);
        let long = "x".repeat(20_000);
        let (mut cases, mut wrong) = (0, vec![]);
        for (path, command) in &all {
            for option in command.get_arguments() {
                let name = option.get_long().unwrap_or("a positional argument");
                if matches!(option.get_action(), ArgAction::SetTrue) && !is_left_out(path, name, "") {
                    let code = call(path, Some(option), vec![format!("--{name}").into()]);
                    cases += 1;
                    let panics = std::mem::take(&mut *PANICS.lock().unwrap());
                    if code > 4 || !panics.is_empty() {
                        eprintln!("{path} --{name}: {code} {panics:?}");
                        wrong.push(format!("{path} --{name}: {code} {panics:?}"));
                    }
                }
                for value in ODD.iter().copied().chain([long.as_str()]) {
                    let Some(more) = given(option, value) else { break };
                    if is_left_out(path, name, value) {
                        continue;
                    }
                    let started = std::time::Instant::now();
                    let code = call(path, Some(option), more);
                    cases += 1;
                    let panics = std::mem::take(&mut *PANICS.lock().unwrap());
                    let shown: String = value.chars().take(30).collect();
                    if started.elapsed().as_secs() >= 2 {
                        eprintln!("{path} --{name}={shown}: {:.1} s", started.elapsed().as_secs_f64());
                    }
                    // 3: a limit is exceeded; 4: stopped early, as by --time-limit.
                    if code > 4 || !panics.is_empty() {
                        eprintln!("{path} --{name}={shown}: {code} {panics:?}");
                        wrong.push(format!("{path} --{name}={shown}: {code} {panics:?}"));
                    }
                }
            }
        }
        drop(panic::take_hook());
        eprintln!("{} commands, {cases} cases", all.len());
        assert!(all.len() > 20 && cases > 5_000, "{} commands, {cases} cases", all.len());
        assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn what_options_decide_is_refused_before_anything_is_computed() {
    let here = folder();
    let at = |name: &str| here.path().join(name).display().to_string();
    for (arguments, word) in [
        (format!("study guidance --batches 0 --out {}", at("a")), "--batches"),
        (format!("study guidance --classes 1000 --out {}", at("b")), "classes"),
        (format!("train clip --data a=b --embedding 0 --out {}", at("c")), "--embedding"),
        (format!("train clip --data a=b --image-size 0 --out {}", at("d")), "--image-size"),
    ] {
        fail(2, &arguments, &[word]);
    }
    assert!(files(here.path()).is_empty());
}
