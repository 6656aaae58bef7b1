//! A network that others trained classifies as they say. Takes its files from `GIA_WEIGHTS` and `GIA_DATA`.

use std::path::PathBuf;

use gia_gpu::{
    data::{Dataset, Normalisation},
    device::cpu::Cpu,
    federated::{Request, Victim},
    train::{Evaluator, Pictures},
    watch::Silent,
};

/// A file in the folder that a variable names.
fn file(variable: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(|folder| PathBuf::from(folder).join(name));
    let found = path.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: {variable} names no folder with {name}");
    }
    found
}

/// 91.8 % of the test set are right, and more of the pictures that the network was trained on.
#[test]
fn the_public_cifar_resnet20_classifies_cifar10() {
    let weights = file("GIA_WEIGHTS", "resnet20_cifar10.safetensors");
    let data = file("GIA_DATA", "cifar10-first4000.bin");
    let (Some(weights), Some(data)) = (weights, data) else { return };
    let request = Request { image: Some([3, 32, 32]), ..Request::named("resnet20") };
    let victim = Victim::from_file(&weights, &request).unwrap();
    let pictures = Pictures::read(&Dataset::open(&data).unwrap(), [3, 32, 32], 10, Some(1000)).unwrap();
    // ImageNet's, which these weights were trained with.
    let normalisation = Normalisation::parse("0.485,0.456,0.406", "0.229,0.224,0.225").unwrap();
    let mut evaluator = Evaluator::new(&Cpu::<f32>::new(), &victim.model, 250).unwrap();
    let found = evaluator.run(&victim.tensors, &pictures, &normalisation, &Silent).unwrap();
    assert!(found.accuracy() > 0.9, "{} of {}", found.right, found.pictures);
}
