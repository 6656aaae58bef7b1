//! What `gia-gpu run` does, from Rust: clients send gradients, an eavesdropper reconstructs their pictures and reads what
//! the labels mean, and a report says how much of that is right.
//!
//! `cargo run --release --example audit -- out 2000 20`: folder, iterations, batches.
#![allow(dead_code, clippy::print_stdout, reason = "a test includes this file; an example prints")]

use std::{env, error::Error, path::Path};

use gia_gpu::{
    audit::{Audit, NamingModel, naming::Beside, public::public_use},
    data::samples,
    device,
    watch::Silent,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, folder, iterations, batches] = &arguments[..] else {
        return Err("expected a folder, iterations and batches".into());
    };
    println!("{}", audit(Path::new(folder), iterations.parse()?, batches.parse()?)?);
    Ok(())
}

pub(crate) fn audit(folder: &Path, iterations: usize, batches: usize) -> Result<String, Box<dyn Error>> {
    let (dataset, device) = (samples(), device::open());
    let mut audit = Audit::untrained("lenet-zhu", "auto", &dataset, 42)?;
    audit.attack.iterations = iterations;
    let clients = audit.clients(&dataset, 1, batches)?;
    let outcome = audit.run(&*device, &clients.batches, None, &Silent)?;

    let model = NamingModel::builtin(&dataset.class_names)?;
    // What public pictures say of the labels, with and without the gradient.
    let public = audit.public(None, &model.names, Some(&clients))?;
    let rows = public.map(|public| audit.public_rows(&*device, &public, &outcome)).transpose()?;
    let beside = Beside { public: rows.as_ref(), ..Beside::default() };
    let mut namer = model.namer(&*device, batches, &Silent)?;
    let names = audit.name(&mut namer, Default::default(), &outcome, Some(&clients), &beside, &Silent)?;

    let mut findings = audit.findings(&*device, Some(&clients), &outcome)?;
    findings.threat_model = audit.granted(&[public_use()])?;
    findings.semantic = Some(names);
    Ok(findings.save(folder)?.head.verdict.sentence)
}
