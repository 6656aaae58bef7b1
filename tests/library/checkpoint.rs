//! Attacks that are stopped, killed and resumed end with the same bits.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gia_gpu::{
    attack::{GO_ON, checkpoint::Checkpoints, config::Optimiser},
    device::{Device, cpu::Cpu, limited::Limited, several::Several},
};

use crate::{bits::bits, resumed::Scene, watched::Watched};

#[test]
fn an_attack_stopped_anywhere_and_resumed_ends_with_the_same_bits() {
    let device: Arc<dyn Device> = Arc::new(Cpu::<f32>::new());
    crate::resumed::stops_and_goes_on(&device);
    crate::resumed::a_decoder_stops_and_goes_on(&device);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What lies there at any moment is what a kill would leave.
#[test]
fn an_attack_killed_between_two_checkpoints_goes_on_from_the_last() {
    // Every thread takes memory of its own: with many, no share of it would do.
    let two_threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    two_threads.install(|| ["ig", "dlg"].into_iter().for_each(killed));
}

fn killed(preset: &str) {
    const LOOKS: [usize; 5] = [2, 5, 8, 40, 100];
    let scene = Scene::new(preset, |config| match &mut config.optimiser {
        Optimiser::Lbfgs { inner, history, .. } => (*inner, *history, config.iterations) = (5, 4, 12),
        Optimiser::Adam { .. } => config.iterations = 30,
    });
    let watched = Watched::default();
    let expected = bits(&scene.whole(&watched));
    // A round for each target.
    let device = Limited::new(Cpu::<f32>::new(), watched.bytes() as u64 * 2 / 3);
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("checkpoint");
    let looks = AtomicUsize::new(0);
    let checkpoints = Checkpoints::new(&folder, Duration::ZERO, "this".into(), false);
    let mut progress = |_: usize, _: usize, _: &[f32]| {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        if LOOKS.contains(&look) {
            copy(&folder, &scratch.path().join(format!("killed {look}")));
        }
    };
    let found = scene.attack(&device, Some(&checkpoints), &mut progress, GO_ON).unwrap();
    assert!(bits(&found) == expected, "{preset}: rounds differ from one");
    let files = fs::read_dir(&folder).unwrap().count();
    assert!(files >= 3, "a header and two rounds at least: {files}");
    checkpoints.end(false).unwrap();
    assert!(!folder.exists());
    let left = LOOKS.map(|look| scratch.path().join(format!("killed {look}")));
    let left: Vec<_> = left.iter().filter(|folder| folder.exists()).collect();
    assert!(left.len() >= 2, "{preset}: {left:?}");
    for folder in left {
        assert!(bits(&scene.resumed(&device, folder).unwrap()) == expected, "{preset}, {}", folder.display());
    }
}

#[test]
fn a_checkpoint_of_another_attack_is_refused_with_what_differs() {
    let device = Cpu::<f32>::new();
    let scene = Scene::new("ig", |config| config.iterations = 40);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("checkpoint");
    scene.stopped(&device, &folder, false, 2);
    let other = Scene::new("ig", |config| config.iterations = 50);
    let error = other.resumed(&device, &folder).unwrap_err().to_string();
    assert!(error.contains("another attack: iterations was 40, is 50"), "{error}");
    let checkpoints = Checkpoints::new(&folder, Duration::ZERO, "a new build".into(), true);
    let error = scene.attack(&device, Some(&checkpoints), &mut |_, _, _| {}, GO_ON).unwrap_err().to_string();
    assert!(error.contains("the program (SHA-256) was this, is a new build"), "{error}");
    let isa = gia_gpu::device::cpu::Isa::available().pop().unwrap();
    if isa != gia_gpu::device::cpu::Isa::widest() {
        let error = scene.resumed(&Cpu::<f32>::new().with_isa(isa), &folder).unwrap_err().to_string();
        assert!(error.contains("the device was cpu"), "{error}");
    }
    // A file that was cut.
    let stage = folder.join("attack-001-round-001-stage-1.cbor");
    let bytes = fs::read(&stage).unwrap();
    fs::write(&stage, &bytes[..bytes.len() / 2]).unwrap();
    let error = scene.resumed(&device, &folder).unwrap_err().to_string();
    assert!(error.contains("stage-1.cbor") && error.contains("damaged"), "{error}");
}

#[test]
fn trials_spread_over_equal_devices_find_the_same_bits() {
    for preset in ["ig", "dlg"] {
        let scene = Scene::new(preset, |config| config.iterations = 4);
        let expected = bits(&scene.whole(&Cpu::<f32>::new()));
        for count in [2, 3] {
            let watched: Vec<Watched> = (0..count).map(|_| Watched::default()).collect();
            let devices = watched.iter().map(|w| Box::new(w.clone()) as Box<dyn Device>).collect();
            let several = Several::new(devices).unwrap();
            assert!(bits(&scene.whole(&several)) == expected, "{preset} on {count} devices");
            let plans: usize = watched.iter().map(Watched::plans).sum();
            assert!(plans >= 3, "{preset}: two rounds, and the recomputed gradients, not {plans}");
        }
    }
}
