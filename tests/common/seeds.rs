//! A small valid file of every format that is read, and what reads it: the mutation test and the fuzz targets begin with them.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use gia_gpu::{
    attack::threat::ThreatModel,
    clip::{About, Bank, Clip, ConceptSet, Templates},
    data::{Dataset, Picture, read_class_names},
    federated::{Request, Victim},
    files::incoming,
    nn::{Model, Options, graph::Graph},
    sweep::{Configuration, Journal},
    tensor_file::{GradientFile, TensorFile},
    train::{Checkpoint, Optimiser, Progress, State},
};
use image::ImageFormat;
use serde_json::json;

/// Whether the file at this path is taken.
pub(crate) type Reader = fn(&Path) -> bool;

/// A valid file, and what reads it; the name may decide that.
pub(crate) struct Seed {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub read: Reader,
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/", $name)).to_vec()
    };
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let image =
        image::RgbImage::from_fn(40, 24, |x, y| image::Rgb([x as u8 * 6, y as u8 * 9, (x * y) as u8]));
    let mut bytes = Cursor::new(vec![]);
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Sizes, and as many bytes.
fn idx(sizes: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend((0..sizes.iter().product()).map(|i: u32| (i % 10) as u8));
    bytes
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a file holds that `write` writes.
fn written(folder: &Path, write: impl FnOnce(&Path)) -> Vec<u8> {
    let path = folder.join("seed");
    write(&path);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    bytes
}

fn configuration() -> Configuration {
    Configuration::default().with("a", 1)
}

fn journal(path: &Path) {
    let (mut journal, _) = Journal::open::<(usize, f64)>(path, &configuration(), &[]).unwrap();
    journal.append(&(1usize, 0.25f64)).unwrap();
}

const SGD: Optimiser = Optimiser::Sgd { momentum: 0.9, nesterov: false };

fn victim() -> Victim {
    let options: Options = "hidden=3".parse().unwrap();
    let request = Request { options, image: Some([1, 4, 4]), classes: Some(2), ..Request::named("mlp") };
    Victim::from_seed(&request, 7).unwrap()
}

fn checkpoint(path: &Path) {
    let victim = victim();
    let checkpoint = Checkpoint { progress: Progress::default(), state: State::start(&victim, SGD) };
    checkpoint.write(path, &victim.declarations, &BTreeMap::new()).unwrap();
}

fn read_checkpoint(path: &Path) -> bool {
    Checkpoint::read(path, &victim().declarations, SGD, &BTreeMap::new()).is_ok()
}

fn bank(path: &Path) {
    let names = ["cat", "dog"].map(String::from).to_vec();
    let model =
        Model::contrastive("lenet-zhu", &Options::default(), Some([3, 32, 32]), 4, names.len()).unwrap();
    let tower = Victim::initialised(model, 7).unwrap();
    let about = About {
        architecture: "lenet-zhu".into(),
        options: String::new(),
        size: 32,
        mean: vec![0.5; 3],
        std: vec![0.5; 3],
        sets: vec![ConceptSet { name: "pets".into(), concepts: vec![0, 1] }],
        concepts: names,
        training: json!({}),
    };
    Bank::write(path, &tower.state_dict_of(&tower.tensors), &about).unwrap();
}

fn read_bank(path: &Path) -> bool {
    TensorFile::read(path).is_ok_and(|file| Bank::from_file(&file, "bank").is_ok())
}

/// The configuration of a CLIP, whose weights lie beside it.
fn read_clip(path: &Path) -> bool {
    Clip::open(path.parent().unwrap(), None).is_ok()
}

fn read_threat_model(path: &Path) -> bool {
    incoming::read_text(path).is_ok_and(|text| toml::from_str::<ThreatModel>(&text).is_ok())
}

fn read_table(path: &Path) -> bool {
    incoming::read_text(path).is_ok_and(|text| text.parse::<toml::Table>().is_ok())
}

fn read_tensors(path: &Path) -> bool {
    TensorFile::read(path).is_ok() | GradientFile::read(path).is_ok()
}

fn read_picture(path: &Path) -> bool {
    Picture::read(path).is_ok() | Picture::read_size(path).is_ok()
}

fn read_data(path: &Path) -> bool {
    Dataset::open(path).is_ok()
}

fn read_graph(path: &Path) -> bool {
    Graph::read(path).is_ok()
}

fn read_names(path: &Path) -> bool {
    read_class_names(&path.to_string_lossy()).is_ok()
}

fn read_journal(path: &Path) -> bool {
    Journal::open::<(usize, f64)>(path, &configuration(), &[]).is_ok()
}

/// All of them; what stands beside them for their readers is written to `folder`.
pub(crate) fn seeds(folder: &Path) -> Vec<Seed> {
    for name in ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(folder.join(name), idx(&[3])).unwrap();
    }
    fs::write(folder.join("model.safetensors"), fixture!("clip/hf_quick_gelu_f32/model.safetensors"))
        .unwrap();
    let threat = "name = \"mine\"\ngrants = [\"weights\", \"update\"]\n";
    let options = "batch = 2\nseed = 7\nout = \"found\"\nnames = \"dog,cat\"\n";
    let all: Vec<(&'static str, Vec<u8>, Reader)> = vec![
        ("a.safetensors", fixture!("dtypes.safetensors"), read_tensors),
        ("a.npz", fixture!("positional.npz"), read_tensors),
        ("train-images-idx3-ubyte", idx(&[3, 8, 8]), read_data),
        ("t10k-images-idx3-ubyte.gz", zipped(&idx(&[3, 8, 8])), read_data),
        ("data_batch_1.bin", [vec![3; 3073], vec![9; 3073]].concat(), read_data),
        ("train.bin", vec![7; 2 * 3074], read_data),
        ("a.png", picture(ImageFormat::Png), read_picture),
        ("a.jpg", picture(ImageFormat::Jpeg), read_picture),
        ("a.bmp", picture(ImageFormat::Bmp), read_picture),
        ("a.tif", picture(ImageFormat::Tiff), read_picture),
        ("a.webp", picture(ImageFormat::WebP), read_picture),
        ("a.ppm", picture(ImageFormat::Pnm), read_picture),
        ("a.pt2", fixture!("graphs/custom.pt2"), read_graph),
        ("a.onnx", fixture!("graphs/custom.onnx"), read_graph),
        ("templates.txt", b"a photo of a {}.\na {}\n".to_vec(), |path| Templates::read(path).is_ok()),
        ("names.txt", b"cat\ndog\nship\n".to_vec(), read_names),
        ("threat.toml", threat.into(), read_threat_model),
        ("options.toml", options.into(), read_table),
        ("bank.safetensors", written(folder, bank), read_bank),
        ("config.json", fixture!("clip/hf_quick_gelu_f32/config.json"), read_clip),
        ("journal.jsonl", written(folder, journal), read_journal),
        ("checkpoint.safetensors", written(folder, checkpoint), read_checkpoint),
    ];
    all.into_iter().map(|(name, bytes, read)| Seed { name, bytes, read }).collect()
}
