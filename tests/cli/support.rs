//! Running the program and looking at what it left.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use gia_gpu::tensor_file::{GradientFile, GradientInfo, Tensor, TensorFile};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gia-gpu"));
    // As on a machine without a desktop, where Mesa would complain on standard error.
    command.env_remove("XDG_RUNTIME_DIR");
    command
}

/// Splits at spaces; arguments with spaces go through [`program`].
pub(crate) fn run(arguments: &str) -> Output {
    program().args(arguments.split_whitespace()).output().unwrap()
}

pub(crate) fn succeed(arguments: &str) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments}\n{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of standard error that are notes.
pub(crate) fn notes(output: &Output) -> String {
    stderr(output).split_inclusive('\n').filter(|line| line.starts_with("note: ")).collect()
}

/// Runs, and expects this exit code and these words on standard error, nothing on standard output, no panic.
pub(crate) fn fail(code: i32, arguments: &str, words: &[&str]) {
    let output = run(arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments}\n{message}");
    assert!(output.stdout.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!message.contains("panicked"), "{arguments}\n{message}");
    for word in words {
        assert!(message.contains(word), "{arguments}: no '{word}' in\n{message}");
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

/// Every file below a folder, by relative path; not the lock that a kill left, which the next run takes.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".gia-gpu.lock") {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

pub(crate) fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn clip_fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip/hf_quick_gelu_f32")
}

/// Makes a folder with a small random CLIP that has the whole vocabulary.
pub(crate) fn small_clip(model: &Path) {
    fs::create_dir(model).unwrap();
    let config = fs::read_to_string(clip_fixture().join("config.json")).unwrap();
    let config = config.replace("\"vocab_size\": 50", "\"vocab_size\": 49408");
    let config = config.replace("\"eos_token_id\": 49", "\"eos_token_id\": 49407");
    fs::write(model.join("config.json"), config).unwrap();
    let pictures = "{\"image_processor_type\": \"CLIPImageProcessor\", \"size\": 16, \"crop_size\": 16}";
    fs::write(model.join("preprocessor_config.json"), pictures).unwrap();
    let mut tensors = TensorFile::read(&clip_fixture().join("model.safetensors")).unwrap().tensors;
    let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
    let table = Tensor { shape: vec![49_408, 16], data: (0..49_408 * 16).map(value).collect() };
    tensors.insert("text_model.embeddings.token_embedding.weight".into(), table);
    TensorFile::write(&model.join("model.safetensors"), &tensors, &BTreeMap::new()).unwrap();
}

/// A captured gradient of one sample picture (class 2), and the weights it belongs to.
pub(crate) struct Captured {
    pub folder: TempDir,
    pub picture: String,
    pub gradient: String,
    pub weights: String,
}

impl Captured {
    /// The gradient once more, with this batch size in its metadata, or with no metadata at all.
    pub(crate) fn claiming(&self, batch_size: Option<usize>) -> String {
        let tensors = TensorFile::read(Path::new(&self.gradient)).unwrap().tensors;
        let path = self.folder.path().join(format!("claims_{batch_size:?}.safetensors"));
        match batch_size {
            None => TensorFile::write(&path, &tensors, &BTreeMap::new()).unwrap(),
            Some(_) => {
                let info = GradientInfo { batch_size, ..GradientInfo::default() };
                GradientFile::write(&path, &tensors, &info).unwrap();
            }
        }
        path.display().to_string()
    }
}

pub(crate) fn captured() -> Captured {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (picture, gradient, weights) = (path("picture.png"), path("g.safetensors"), path("w.safetensors"));
    gia_gpu::data::samples().picture(0).unwrap().write_png(Path::new(&picture)).unwrap();
    succeed(&format!(
        "capture --arch lenet-zhu --seed 5 --images {picture} --labels 2 --device cpu --out {gradient} \
         --save-weights {weights}"
    ));
    Captured { folder, picture, gradient, weights }
}
