//! What a run says in the end, and with which exit code.

use std::{fs, process::Command, thread::sleep, time::Duration};

use crate::support::*;

#[test]
fn the_verdict_comes_first_and_stands_in_the_report() {
    let out = folder();
    let text = succeed(&format!("run --iterations 400 --batches 8 --force --out {}", out.path().display()));
    assert!(text.starts_with("LEAKS: Demo on embedded pictures. This leaks: from these 8 updates"), "{text}");
    let verdict = &report(out.path())["verdict"];
    assert_eq!(verdict["answer"], "leaks");
    let findings = verdict["findings"].as_array().unwrap();
    let what: Vec<&str> = findings.iter().map(|f| f["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["pictures", "membership", "labels", "names"]);
    for finding in findings {
        for key in ["answer", "estimate", "interval", "floor", "p_value"] {
            assert!(!finding[key].is_null(), "{key} of {finding}");
        }
        let [low, high] = [0, 1].map(|end| finding["interval"][end].as_f64().unwrap());
        let estimate = finding["estimate"].as_f64().unwrap();
        assert!(low <= estimate && estimate <= high && low < high, "{finding}");
    }
    assert!(verdict["next"].as_array().is_some_and(|next| !next.is_empty()));
    let page = fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(page.contains("<strong class=\"answer\">leaks</strong>") && page.contains("What to try next"));
}

#[test]
fn an_attack_that_stopped_too_early_proves_nothing_about_the_pictures() {
    let out = folder();
    // After two local steps no span tells who took part.
    let local = "--batch 2 --local-steps 2 --local-batch 1 --local-lr 0.01";
    let options = format!("--iterations 5 --batches 6 {local} --labels given --no-names");
    let text = succeed(&format!("run {options} --force --out {}", out.path().display()));
    assert!(text.contains("failed and proves nothing"), "{text}");
    let report = report(out.path());
    assert_eq!(report["verdict"]["answer"], "failed");
    let validity = &report["batches"][0]["validity"];
    assert_eq!(validity["null"].as_array().unwrap().len(), 20);
    let [found, originals] = ["objective", "at_originals"].map(|key| validity[key].as_f64().unwrap());
    assert!(originals < 1e-4 && found > 1e-2, "{originals} {found}");
}

#[test]
fn limits_decide_the_exit_code_when_everything_is_written() {
    let out = folder();
    let run = |limits: &str| {
        format!(
            "run --iterations 20 --batches 2 --fail-above {limits} --force --out {}",
            out.path().display()
        )
    };
    succeed(&run("ssim=0.99,labels=1,names=100%,psnr=90"));
    fs::remove_file(out.path().join("report.json")).unwrap();
    let output = program().args(run("labels=0.5,ssim=0.99").split_whitespace()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("--fail-above: labels is 1.000, above 0.5"), "{}", stderr(&output));
    assert_eq!(report(out.path())["batches"].as_array().unwrap().len(), 2);
    for (limits, words) in [
        ("mse=1", "expected FIGURE=LIMIT"),
        ("ssim=2", "expected -1 to 1, found 2"),
        ("names", "expected FIGURE=LIMIT"),
    ] {
        fail(2, &run(limits), &[words]);
    }
    let captured = captured();
    let Captured { weights, gradient, .. } = &captured;
    let given =
        format!("run --arch lenet-zhu --weights {weights} --gradient {gradient} --fail-above ssim=0.5");
    fail(2, &given, &["--fail-above", "nobody knows the originals"]);
}

/// As Ctrl-C, but sent by name.
#[cfg(unix)]
#[test]
fn a_signal_keeps_what_there_is() {
    for signal in ["INT", "TERM", "USR1"] {
        let out = folder();
        let child = program()
            .args(["run", "--iterations", "1000000", "--batches", "2", "--device", "cpu", "--force", "--out"])
            .arg(out.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(2_000));
        let sent =
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{signal}: {}", stderr(&output));
        assert!(stderr(&output).contains("stopped early"), "{}", stderr(&output));
        let report = report(out.path());
        assert_eq!(report["interrupted"], true);
        assert!(report["verdict"]["sentence"].as_str().unwrap().contains("Stopped early"), "{report}");
        assert!(out.path().join("report.html").exists());
    }
}

#[test]
fn invert_writes_a_page() {
    let captured = captured();
    let Captured { folder, weights, gradient, .. } = &captured;
    let out = folder.path().join("found");
    let options =
        format!("--arch lenet-zhu --weights {weights} --gradient {gradient} --preset ig --iterations 20");
    let text = succeed(&format!("invert {options} --force --out {}", out.display()));
    assert!(text.contains("report.html"), "{text}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("class=\"answer\"") && page.contains("not judged"));
    // Labels that come without a warning are known; the pictures are not.
    assert_eq!(report(&out)["verdict"]["findings"][0]["estimate"], serde_json::Value::Null);
}
