//! The built-in model: what it is, that both devices see the same, and that it knows what it was taught.

use std::{fs, path::Path};

use gia_gpu::{
    clip::{Bank, ClipError, Encoder, ImageEncoder, Templates, builtin, zero_shot::name_pictures},
    data::{Dataset, Picture, samples},
    device::{
        Device,
        cpu::Cpu,
        gpu::{Gpu, GpuOptions},
    },
};

fn pictures(dataset: &Dataset, count: usize) -> Vec<Picture> {
    (0..count).map(|i| dataset.picture(i).unwrap().with_channels(3).unwrap()).collect()
}

fn features(device: &dyn Device, bank: &Bank, pictures: &[Picture]) -> Vec<f32> {
    let mut images = ImageEncoder::new(device, bank, pictures.len()).unwrap();
    let prepared =
        pictures.iter().flat_map(|picture| images.prepare(picture.clone()).unwrap()).collect::<Vec<_>>();
    images.features(&prepared).unwrap()
}

#[test]
fn the_built_in_model_is_small_and_knows_every_class_of_its_data_sets() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/builtin.safetensors");
    assert!(fs::metadata(file).unwrap().len() <= 8 << 20);
    let bank = builtin::bank().unwrap();
    assert_eq!(bank.about.concepts.len(), 219);
    let sizes: Vec<usize> = bank.about.sets.iter().map(|set| set.concepts.len()).collect();
    assert_eq!(sizes, [10, 10, 200]);
    for name in ["airplane", "truck", "Ankle boot", "GOLDFISH", "egyptian cat"] {
        assert!(bank.concept(name).is_some(), "{name}");
    }
    // Fashion-MNIST's sandals and Tiny-ImageNet's are one concept.
    assert_eq!(bank.about.sets[1].concepts[5], bank.concept("sandal").unwrap());
}

#[test]
fn both_devices_have_the_same_features() {
    let bank = builtin::bank().unwrap();
    let pictures = pictures(&samples(), 3);
    let gpu = Gpu::new(GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
    let [cpu, gpu] = [features(&Cpu::<f32>::new(), &bank, &pictures), features(&gpu, &bank, &pictures)];
    let norm = cpu.iter().map(|v| v * v).sum::<f32>().sqrt();
    let error = cpu.iter().zip(&gpu).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    assert!(error < 1e-5 * norm, "{error} of {norm}");
}

/// In training, left and right were all one; so they are when names are read.
#[test]
fn a_mirror_image_has_the_same_features() {
    let bank = builtin::bank().unwrap();
    let pictures = pictures(&samples(), 3);
    let mirror = |picture: &Picture| {
        let rows = picture.pixels.chunks(picture.width);
        Picture { pixels: rows.flat_map(|row| row.iter().rev().copied()).collect(), ..picture.clone() }
    };
    let mirrored: Vec<Picture> = pictures.iter().map(mirror).collect();
    assert!(mirrored != pictures);
    let [there, back] = [pictures, mirrored].map(|p| features(&Cpu::<f32>::new(), &bank, &p));
    let norm = there.iter().map(|v| v * v).sum::<f32>().sqrt();
    let error = there.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    assert!(error < 1e-5 * norm, "{error} of {norm}");
}

#[test]
fn unknown_names_are_an_error_that_lists_the_nearest() {
    let bank = builtin::bank().unwrap();
    let error = |name: &str| {
        let labels = [name.to_string(), "cat".to_string()];
        bank.name_features(&Cpu::<f32>::new(), &labels, &Templates::plain(), &mut |_, _| ()).unwrap_err()
    };
    for (name, near) in [("airplain", "airplane"), ("Hose", "horse"), ("bus", "school bus")] {
        let found = error(name);
        assert!(matches!(found, ClipError::UnknownName { .. }), "{found}");
        let message = found.to_string();
        assert!(message.contains(near) && message.contains("219 names"), "{message}");
        assert!(message.contains("--clip PATH"), "{message}");
    }
    assert!(error("qqqq").to_string().contains("none is written like it"));
}

/// They are of Fashion-MNIST's test set, which no training saw.
#[test]
fn the_samples_are_named() {
    let (bank, data) = (builtin::bank().unwrap(), samples());
    let pictures = (0..data.len()).map(|i| (i.to_string(), Ok(data.picture(i).unwrap())));
    let found = name_pictures(
        &Cpu::<f32>::new(),
        &bank,
        &data.class_names,
        &Templates::plain(),
        pictures,
        &mut |_, _, _| (),
    )
    .unwrap();
    let best = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let right = found.probabilities.iter().zip(data.labels()).filter(|(row, label)| best(row) == **label);
    assert!(right.count() * 10 >= data.len() * 8);
}
