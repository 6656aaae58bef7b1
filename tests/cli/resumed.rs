//! Attacks that are stopped from outside go on where they were.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::*;

/// What an attack found, to the bit.
fn pictures(out: &Path) -> Vec<u8> {
    fs::read(out.join("reconstruction.safetensors")).unwrap()
}

/// Runs until a signal comes, after a random part of the time that the whole takes; the exit code.
#[cfg(unix)]
fn signalled(arguments: &str, whole: Duration, random: &mut ChaCha8Rng) -> Option<i32> {
    let mut command = program();
    command.args(arguments.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    sleep(whole.mul_f64(random.random_range(0.2..0.6)));
    let signal = ["INT", "TERM", "USR1"][random.random_range(0..3)];
    Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn signals_at_random_times_change_no_bit() {
    let captured = captured();
    let Captured { folder, weights, gradient, .. } = &captured;
    let mut random = ChaCha8Rng::seed_from_u64(u64::from(std::process::id()));
    let given = format!("invert --arch lenet-zhu --weights {weights} --gradient {gradient} --device cpu");
    for (name, options) in [
        ("run", "run --batches 3 --batch 2 --trials 2 --iterations 1500 --no-names --device cpu".to_string()),
        ("adam", format!("{given} --preset ig --scales 2 --iterations 3000")),
        ("lbfgs", format!("{given} --preset dlg --iterations 100")),
    ] {
        let [whole, out] = ["whole", "stopped"].map(|kind| folder.path().join(format!("{name} {kind}")));
        let [whole, out] = [whole, out]
            .map(|path| path.with_file_name(path.file_name().unwrap().to_string_lossy().replace(' ', "-")));
        let start = Instant::now();
        succeed(&format!("{options} --out {}", whole.display()));
        let time = start.elapsed();
        let mut arguments = format!("{options} --out {}", out.display());
        let mut stops = 0;
        for _ in 0..20 {
            match signalled(&arguments, time, &mut random) {
                Some(4) if out.join("checkpoint").exists() => {
                    stops += 1;
                    assert_eq!(report(&out)["interrupted"], true, "{name}");
                    // Another attack in its place is not begun by chance, and the one that is there is no other.
                    fail(2, &arguments.replace(" --resume", ""), &["checkpoint", "go on with --resume"]);
                    arguments = format!("{options} --resume --out {}", out.display());
                }
                // A signal while the program began.
                Some(130 | 138 | 143 | 4) | None => {}
                // Done before the signal, on a machine that was busier before: from the start again, until once stopped.
                Some(0) if stops == 0 => fs::remove_dir_all(&out).unwrap(),
                code => assert_eq!(code, Some(0), "{name}"),
            }
            if stops == 3 || stops > 0 && !out.join("checkpoint").exists() {
                break;
            }
        }
        if out.join("checkpoint").exists() {
            let other = arguments
                .replace("--iterations 1", "--iterations 2")
                .replace("--iterations 3", "--iterations 4");
            fail(2, &other, &["is the checkpoint of another attack: iterations was"]);
            succeed(&arguments);
        }
        assert!(stops > 0, "{name}: never stopped in its course");
        assert!(pictures(&out) == pictures(&whole), "{name}");
        assert_eq!(report(&out)["interrupted"], report(&whole)["interrupted"]);
        assert!(!out.join("checkpoint").exists(), "{name}: what is complete needs no checkpoint");
    }
}

#[test]
fn attacks_and_trainings_end_in_time() {
    let scene = folder();
    let out = scene.path().join("out");
    let options = format!("--iterations 1000000 --device cpu --out {}", out.display());
    let output = run(&format!("run --batches 2 --no-names --time-limit 1 {options}"));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume goes on"), "{}", stderr(&output));
    assert!(out.join("checkpoint/attack-001.json").exists());
    let guided = scene.path().join("guided");
    let names = "--batch 2 --batch-labels distinct --names Sandal,Bag,Shirt --one-to-one --batches 1";
    let output = run(&format!(
        "guide {names} --iterations 100000 --time-limit 3s --device cpu --out {}",
        guided.display()
    ));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!guided.join("report.json").exists());
    // An exact attack has nothing before it has all.
    let exact = scene.path().join("exact");
    let spear = "--preset spear --arch mlp --hidden 300 --batch 16 --batches 1 --no-names --time-limit 0.01";
    fail(
        4,
        &format!("run {spear} --device cpu --out {}", exact.display()),
        &["stopped after", "sets of rows"],
    );
    fail(2, "run --time-limit never", &["expected a time such as 2:00:00"]);
    fail(2, &format!("run --resume --out {}", scene.path().display()), &["--resume", "no checkpoint"]);
}

/// The command with so many seconds, from its start or what was left of it, as often as it takes.
fn in_pieces(command: &str, out: &Path, seconds: &str) {
    let mut stops = 0;
    loop {
        let resume = if out.join("checkpoint").exists() { "--resume" } else { "" };
        let output = run(&format!("{command} {} {resume} --time-limit {seconds}", out.display()));
        match output.status.code() {
            Some(0) => break,
            Some(4) => stops += 1,
            code => panic!("{code:?}: {}", stderr(&output)),
        }
        assert!(stops < 200, "it never ends");
    }
}

#[test]
fn guided_attacks_and_trainings_that_ran_out_of_time_end_as_if_they_had_not() {
    let scene = folder();
    small_clip(&scene.path().join("clip"));
    let [whole, stopped] = ["whole", "stopped"].map(|name| scene.path().join(name));
    let guide = format!(
        "guide --batch 2 --batches 2 --batch-labels distinct --distractors 2 --one-to-one --restarts 2 --iterations 60 \
         --clip {}/clip --templates plain --device cpu --out",
        scene.path().display()
    );
    succeed(&format!("{guide} {}", whole.display()));
    in_pieces(&guide, &stopped, "1");
    let [expected, found] = [&whole, &stopped].map(|out| report(out)["batches"].clone());
    assert_eq!(found, expected);

    // Stopped while names still pull, `run` has nothing to show, and says so.
    let [whole, stopped] = ["run-whole", "run-stopped"].map(|name| scene.path().join(name));
    let guided =
        "run --guide oracle --arch lenet-zhu --batch 4 --batches 2 --iterations 120 --device cpu --out";
    succeed(&format!("{guided} {}", whole.display()));
    let output = run(&format!("{guided} {} --time-limit 0.05", stopped.display()));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("before there was anything to show"), "{}", stderr(&output));
    assert!(!stopped.join("report.json").exists());
    in_pieces(guided, &stopped, "2");
    assert!(pictures(&stopped) == pictures(&whole));

    let [whole, stopped] = ["whole", "stopped"].map(|name| scene.path().join(format!("{name}.safetensors")));
    let data = crate::train::pictures(scene.path());
    let train =
        format!("train victim --arch lenet-zhu --data {data} --batch 4 --epochs 400 --device cpu --out");
    succeed(&format!("{train} {}", whole.display()));
    let output = run(&format!("{train} {} --time-limit 0.1", stopped.display()));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!stopped.exists());
    succeed(&format!("{train} {} --resume", stopped.display()));
    assert!(fs::read(&stopped).unwrap() == fs::read(&whole).unwrap());
}

#[test]
fn trials_on_two_equal_devices_find_what_one_finds() {
    let captured = captured();
    let Captured { folder, weights, gradient, .. } = &captured;
    let options = format!(
        "invert --arch lenet-zhu --weights {weights} --gradient {gradient} --preset ig --iterations 20 --trials 3"
    );
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    succeed(&format!("{options} --device cpu --out {}", one.display()));
    succeed(&format!("{options} --device cpu,cpu --out {}", two.display()));
    assert!(pictures(&one) == pictures(&two));
    let several =
        format!("labels --arch lenet-zhu --weights {weights} --gradient {gradient} --device cpu,cpu");
    let output = run(&several);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let unknown = options.replace("--iterations 20", "--iterations 1 --device gpu:99");
    let out = folder.path().join("none");
    fail(2, &format!("{unknown} --out {}", out.display()), &["--device gpu:99: expected a GPU that"]);
}
