//! What all fuzz targets do: a file with these bytes under the name that its reader expects, read under limits.

#[path = "../../common/seeds.rs"]
mod seeds;

use std::{fs, path::Path, sync::OnceLock};

use gia_gpu::files::limits;
use seeds::{Seed, seeds};

/// Targets, and the seed that each begins with.
pub const TARGETS: [(&str, &str); 22] = [
    ("tensors", "a.safetensors"),
    ("npz", "a.npz"),
    ("idx", "train-images-idx3-ubyte"),
    ("idx_gz", "t10k-images-idx3-ubyte.gz"),
    ("cifar10", "data_batch_1.bin"),
    ("cifar100", "train.bin"),
    ("png", "a.png"),
    ("jpeg", "a.jpg"),
    ("bmp", "a.bmp"),
    ("tiff", "a.tif"),
    ("webp", "a.webp"),
    ("ppm", "a.ppm"),
    ("pt2", "a.pt2"),
    ("onnx", "a.onnx"),
    ("templates", "templates.txt"),
    ("class_names", "names.txt"),
    ("threat_model", "threat.toml"),
    ("options", "options.toml"),
    ("bank", "bank.safetensors"),
    ("clip_config", "config.json"),
    ("journal", "journal.jsonl"),
    ("checkpoint", "checkpoint.safetensors"),
];

/// What files may take.
const MEMORY: u64 = 64 << 20;

struct Scene {
    folder: tempfile::TempDir,
    seeds: Vec<Seed>,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        limits::set_memory(MEMORY);
        limits::set_max_pixels(1 << 20);
        let folder = tempfile::tempdir().unwrap();
        let seeds = seeds(folder.path());
        Scene { folder, seeds }
    })
}

/// Reads `data` as the file of this name.
pub fn read(name: &str, data: &[u8]) {
    let Scene { folder, seeds } = scene();
    let seed = seeds.iter().find(|seed| seed.name == name).expect("a seed of this name");
    let path = folder.path().join(name);
    fs::write(&path, data).unwrap();
    (seed.read)(&path);
}

/// Writes `corpus/TARGET/seed` of every target below `out`.
pub fn write_corpus(out: &Path) {
    for (target, name) in TARGETS {
        let seed = scene().seeds.iter().find(|seed| seed.name == name).expect("a seed of this name");
        let folder = out.join("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("seed"), &seed.bytes).unwrap();
    }
}
