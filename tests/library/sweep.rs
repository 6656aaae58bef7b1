//! Sweeps called from the library: the example at a size for tests, and what no command can show.

#[path = "../../examples/sweep.rs"]
mod example;

use std::{collections::BTreeMap, fs, path::Path};

use gia_gpu::{
    attack::threat::ThreatModel,
    data::{Dataset, samples},
    device::cpu::Cpu,
    federated::Shares,
    sweep::{Sweep, SweepError, SweptVictim},
    watch::{Progress, Silent, Watch},
};
use std::sync::Mutex;

fn victim(sizes: impl IntoIterator<Item = usize>) -> SweptVictim {
    let mut victim = SweptVictim::untrained("mlp", "ig", &samples(), sizes).unwrap();
    (victim.batches, victim.config.iterations) = (2, 4);
    victim
}

fn run(dataset: &Dataset, victim: SweptVictim, out: &Path, watch: &dyn Watch) -> Result<String, SweepError> {
    let sweep = Sweep::new(dataset, vec![victim]);
    sweep.run(&Cpu::<f32>::new(), out, watch).map(|swept| swept.table())
}

/// All files but the timings, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = all.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    let kept = named.filter(|(name, _)| name != "timings.csv" && name != "journal.jsonl");
    kept.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

#[test]
fn the_example_measures_two_cells_and_writes_their_page() {
    let folder = tempfile::tempdir().unwrap();
    let table = example::sweep(folder.path(), 5).unwrap();
    assert!(table.contains("lenet-zhu") && table.lines().count() == 4, "{table}");
    let results = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    assert_eq!(results.lines().count(), 1 + 2, "{results}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for words in ["lenet-zhu", "All figures", "Threat model", "victim 1"] {
        assert!(page.contains(words), "{words}");
    }
}

/// What was said while it ran.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Watch for Said {
    fn progress(&self, stage: &'static str, now: Progress) {
        if let ("cells", Progress::Part { name, done, of, .. }) = (stage, now) {
            self.0.lock().unwrap().push(format!("{name}: {done} of {of}"));
        }
    }

    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

#[test]
fn a_sweep_goes_on_behind_its_last_whole_cell_and_ends_with_the_same_files() {
    let scene = tempfile::tempdir().unwrap();
    let [calm, torn] = ["calm", "torn"].map(|name| scene.path().join(name));
    let (dataset, said) = (samples(), Said::default());
    run(&dataset, victim([1, 2]), &calm, &said).unwrap();
    let cells = ["mlp untrained, B = 1, ig, seed 42: 0 of 2", "mlp untrained, B = 2, ig, seed 42: 1 of 2"];
    assert_eq!(*said.0.lock().unwrap(), cells);

    // As a kill in the second cell leaves it.
    run(&dataset, victim([1, 2]), &torn, &Silent).unwrap();
    let journal = torn.join("journal.jsonl");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 9]).unwrap();
    let said = Said::default();
    run(&dataset, victim([1, 2]), &torn, &said).unwrap();
    let expected = ["1 of 2 cells were finished before", "mlp untrained, B = 2, ig, seed 42: 1 of 2"];
    assert_eq!(*said.0.lock().unwrap(), expected);
    assert_eq!(files(&torn), files(&calm));

    let other = run(&dataset, victim([1]), &torn, &Silent).unwrap_err();
    assert!(other.is_misuse() && other.to_string().contains("victim 1, attacked was"), "{other}");
    assert_eq!(files(&torn), files(&calm));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let scene = tempfile::tempdir().unwrap();
    let out = scene.path().join("out");
    let dataset = samples();
    let refused = |change: &dyn Fn(&mut Sweep), words: &str| {
        let mut sweep = Sweep::new(&dataset, vec![victim([1])]);
        change(&mut sweep);
        let error = sweep.run(&Cpu::<f32>::new(), &out, &Silent).err().unwrap();
        assert!(error.is_misuse() && error.to_string().contains(words), "{error}");
    };
    refused(&|s| s.victims = vec![victim([1, 1])], "a cell twice: mlp untrained, B = 1, ig, seed 42");
    refused(&|s| s.victims[0].batches = 41, "41 batches of 1");
    refused(&|s| s.victims[0].request.classes = Some(3), "label 9, mlp has 3 classes");
    refused(&|s| s.victims[0].request.name = "nonet".into(), "nonet");
    refused(
        &|s| s.victims[0].sizes[0].protocol.clients = Shares::Equal(3),
        "--clients: 1 pictures do not divide among 3",
    );
    refused(&|s| s.victims[0].config.iterations = 0, "iterations: expected 1");
    refused(
        &|s| {
            s.victims[0].labels_given = true;
            s.threat_model = ThreatModel::named("server");
        },
        "does not grant labels",
    );
    assert!(!out.exists());
}
