//! How often the verdict finds a leak where there is none: gradients of some clients are attacked, and the result is judged by
//! other clients' pictures, labels and names. `cargo run --release --example null_verdicts` prints the lines of
//! `docs/statistics.md`; 5 % is what the verdict promises.

#![allow(clippy::print_stdout)]

use std::{collections::BTreeMap, error::Error};

use gia_gpu::{
    audit::{Audit, Clients, NamingModel, read_batches},
    data::{BatchRule, samples},
    device,
    report::{Answer, What},
    semantic::ClassOrder,
    statistics::share_interval_95,
    watch::Silent,
};

const RUNS: u64 = 200;
const BATCHES: usize = 6;
const ITERATIONS: usize = 150;

fn main() -> Result<(), Box<dyn Error>> {
    let (dataset, device) = (samples(), device::open());
    let model = NamingModel::builtin(&dataset.class_names)?;
    let mut namer = model.namer(&*device, BATCHES, &Silent)?;
    let mut leaks: BTreeMap<What, usize> = BTreeMap::new();
    for seed in 0..RUNS {
        let mut audit = Audit::untrained("lenet-zhu", "ig", &dataset, seed)?;
        audit.attack.iterations = ITERATIONS;
        let chosen = dataset.random_batches(1, 2 * BATCHES, BatchRule::Any, seed)?;
        let (theirs, others) = chosen.split_at(BATCHES);
        let classes = audit.victim.model.classes;
        let theirs = read_batches(&dataset, &audit.victim, theirs.to_vec())?;
        let theirs = Clients::new(&dataset, &mut audit.victim, ClassOrder::shuffled(classes, seed), theirs)?;
        let outcome = audit.run(&*device, &theirs.batches, None, &Silent)?;

        // Another order, too: what an index means there, these gradients cannot say.
        let order = ClassOrder::shuffled(classes, seed + RUNS);
        let mut others = read_batches(&dataset, &audit.victim, others.to_vec())?;
        others.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let names = order.names(&dataset.class_names);
        let others = Clients { batches: others, names, order, ..theirs };
        let judged = audit.judge(&others, &outcome.pictures)?;
        let named = audit.name(
            &mut namer,
            Default::default(),
            &outcome,
            Some(&others),
            &Default::default(),
            &Silent,
        )?;
        let verdict = audit.grounds(&outcome, Some((&others, &judged)), Some(&named))?.verdict();
        for finding in verdict.findings.iter().filter(|f| f.answer == Answer::Leaks) {
            *leaks.entry(finding.what).or_default() += 1;
        }
    }
    println!("| question | “leaks” in {RUNS} null runs | 95 % interval |\n|---|---|---|");
    for what in [What::Pictures, What::Labels, What::Names] {
        let found = leaks.get(&what).copied().unwrap_or_default();
        let [low, high] = share_interval_95(found, RUNS as usize).map(|share| 100.0 * share);
        println!("| {} | {found} | {low:.1} to {high:.1} % |", what.name());
    }
    Ok(())
}
