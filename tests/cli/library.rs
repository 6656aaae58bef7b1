//! What a command does can be called.

use gia_gpu::{attack::threat::ThreatModel, audit::Audit, data::samples, device::cpu::Cpu, watch::Silent};

use crate::support::*;

#[path = "../../examples/audit.rs"]
mod example;

/// A report without what differs from one call to the next.
fn comparable(folder: &std::path::Path) -> serde_json::Value {
    let mut report = report(folder);
    for key in ["command", "timing"] {
        report.as_object_mut().unwrap().remove(key);
    }
    report
}

#[test]
fn the_example_does_what_run_does() {
    let (called, run) = (folder(), folder());
    let verdict = example::audit(called.path(), 20, 3).unwrap();
    let said = succeed(&format!("run --iterations 20 --batches 3 --force --out {}", run.path().display()));
    assert!(said.contains(&verdict), "{said}");
    assert_eq!(comparable(called.path()), comparable(run.path()));
    let pictures = |folder: &std::path::Path| files(&folder.join("images"));
    assert_eq!(pictures(called.path()), pictures(run.path()));
    assert!(called.path().join("report.html").exists() && called.path().join("grid.png").exists());
}

#[test]
fn what_the_threat_model_does_not_grant_is_refused_by_the_library() {
    let dataset = samples();
    let mut audit = Audit::untrained("lenet-zhu", "ig", &dataset, 42).unwrap();
    audit.attack.iterations = 1;
    audit.threat_model = ThreatModel::named("server");
    let clients = audit.clients(&dataset, 1, 1).unwrap();
    let run = |audit: &Audit| audit.run(&Cpu::<f32>::new(), &clients.batches, None, &Silent);
    assert!(run(&audit).is_ok());
    audit.labels_given = true;
    let error = run(&audit).unwrap_err();
    assert!(error.is_misuse(), "{error}");
    assert!(error.to_string().contains("does not grant labels"), "{error}");
}

#[test]
fn batches_that_cannot_be_trained_on_are_misuse() {
    let dataset = samples();
    let mut audit = Audit::untrained("lenet-zhu", "ig", &dataset, 42).unwrap();
    audit.attack.iterations = 1;
    let one = audit.clients(&dataset, 1, 1).unwrap().batches;
    let two = audit.clients(&dataset, 2, 1).unwrap().batches;
    let mut unlabelled = two.clone();
    unlabelled[0].labels.pop();
    let mut empty = one.clone();
    (empty[0].labels, empty[0].pictures) = (vec![], vec![]);
    for batches in [vec![], [one, two].concat(), unlabelled, empty] {
        let error = audit.run(&Cpu::<f32>::new(), &batches, None, &Silent).unwrap_err();
        assert!(error.is_misuse() && error.to_string().contains("batches of one size"), "{error}");
    }
}
