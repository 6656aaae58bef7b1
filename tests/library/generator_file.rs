//! A generator's file: read by PyTorch's names, and what makes pictures of faces.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use gia_gpu::{
    attack::{
        generated::{Classes, Latent, Prior, Source},
        setting::Trial,
        unknown::{Unknown, pictures},
    },
    audit::read_generator,
    data::Normalisation,
    device::cpu::Cpu,
    federated::{Request, Victim},
    nn::generator::{Dcgan, declarations},
    tensor_file::{Tensor, TensorFile, WeightsInfo},
};

use crate::generator::error;

#[test]
fn a_file_is_read_by_pytorchs_names_and_others_are_refused_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("generator.safetensors");
    let small = declarations(&Dcgan::untrained(2, 3));
    let shape = |name: &str| small.iter().find(|d| d.name == name).map(|d| &d.shape[..]);
    let dcgan = Dcgan::of_shapes(shape).unwrap();
    let trained = Prior::untrained(Arc::new(dcgan.clone()), 5);
    let pairs = declarations(&dcgan).into_iter().zip(trained.tensors.iter().cloned());
    let tensors: BTreeMap<String, Tensor> =
        pairs.map(|(d, data)| (d.name, Tensor { shape: d.shape, data })).collect();
    let write = |tensors: &BTreeMap<String, Tensor>| {
        TensorFile::write(&path, tensors, &BTreeMap::new()).unwrap();
    };
    write(&tensors);
    let read = read_generator(&path, Some("noise")).unwrap();
    assert_eq!(read.tensors, trained.tensors);
    assert_eq!(read.generator.image(), [3, 32, 32]);
    let from = read.from.unwrap();
    assert!(from.contains("DCGAN of 3×32×32, trained on noise"), "{from}");

    let refused = |path: &Path, words: &[&str]| {
        let error = read_generator(path, None).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}, not {words:?}");
    };
    let mut odd = tensors.clone();
    odd.get_mut("main.4.running_var").unwrap().data[0] = -1.0;
    write(&odd);
    refused(&path, &["main.4.running_var", "-1"]);
    odd.remove("main.4.running_var");
    write(&odd);
    refused(&path, &["main.4.running_var"]);
    let mut more = tensors.clone();
    more.insert("label_emb.weight".into(), Tensor { shape: vec![1], data: vec![0.0] });
    write(&more);
    refused(&path, &["label_emb.weight"]);
    // A victim's weights.
    let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
    let info = WeightsInfo { architecture: Some("lenet-zhu".into()), ..WeightsInfo::default() };
    info.write(&path, &victim.state_dict()).unwrap();
    refused(&path, &["expected a generator's weights", "victim, lenet-zhu"]);
    TensorFile::write(&path, &victim.state_dict(), &BTreeMap::new()).unwrap();
    refused(&path, &["'main.0.weight'", "body.0.bias"]);
}

/// Pictures of the public face generator are neither flat nor all alike, and symmetric as faces are.
#[test]
fn the_public_face_generator_is_read_and_makes_pictures() {
    const NAME: &str = "dcgan_digiface64.safetensors";
    let path = std::env::var_os("GIA_WEIGHTS").map(|folder| Path::new(&folder).join(NAME));
    let Some(path) = path.filter(|path| path.exists()) else {
        return eprintln!("skipped: GIA_WEIGHTS names no folder with {NAME}");
    };
    let Prior { generator, tensors, .. } = read_generator(&path, Some("DigiFace")).unwrap();
    assert_eq!((generator.image(), generator.latent()), ([3, 64, 64], 100));
    let normalisation = Normalisation::parse("0,0,0", "1,1,1").unwrap();
    let source = Source {
        generator,
        image: [3, 64, 64],
        normalisation,
        output: Default::default(),
        classes: Classes::Open,
    };
    let unknown = Latent { batch: 8, source, tensors, latent_kl: 0.0 };
    let start = unknown.start(1, Trial { target: 0, hypothesis: 0, restart: 0 });
    let made = pictures(&Cpu::<f32>::new(), &unknown, &[start]).unwrap().swap_remove(0);
    assert!(made.iter().all(|v| (0.0..=1.0).contains(v)));
    let faces: Vec<&[f32]> = made.chunks(3 * 64 * 64).collect();
    let turned =
        |face: &[f32]| -> Vec<f32> { face.chunks(64).flat_map(|row| row.iter().rev().copied()).collect() };
    let (mut own, mut other) = (0.0, 0.0);
    for (i, face) in faces.iter().enumerate() {
        own += error(face, &turned(face));
        other += error(face, faces[(i + 1) % faces.len()]);
    }
    assert!(other > 0.01, "all alike: {other}");
    assert!(own < other, "a face is more like its mirror image ({own}) than like another ({other})");
}
