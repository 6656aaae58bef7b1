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
    plan::Plan,
    tape::Tape,
    watch::Silent,
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
    assert!(fs::metadata(file).unwrap().len() <= 4 << 20);
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

/// Names are read from the picture, from it moved by a pixel along a diagonal, and from the mirror images of these.
#[test]
fn a_picture_is_looked_at_from_six_sides() {
    let bank = builtin::bank().unwrap();
    let device = Cpu::<f32>::new();
    let pictures = pictures(&samples(), 2);
    let size = bank.image_size();
    // 28×28 in a black frame of 32×32, as the model takes them.
    let framed = |picture: &Picture| {
        let mut framed = Picture::flat(3, size, size, 0.0).unwrap();
        let edge = (size - picture.height) / 2;
        for (row, pixels) in picture.pixels.chunks(picture.width).enumerate() {
            let (channel, y) = (row / picture.height, row % picture.height + edge);
            framed.pixels[(channel * size + y) * size + edge..][..picture.width].copy_from_slice(pixels);
        }
        framed
    };
    let seen = |picture: &Picture, by: isize, mirror: bool| {
        let mut seen = Picture::flat(3, size, size, 0.0).unwrap();
        for (at, pixel) in seen.pixels.iter_mut().enumerate() {
            let (channel, y, x) = (at / size / size, at / size % size, at % size);
            let x = if mirror { size - 1 - x } else { x };
            let [y, x] = [y, x].map(|v| v.checked_add_signed(-by).filter(|&v| v < size));
            *pixel = y.zip(x).map_or(0.0, |(y, x)| picture.pixels[(channel * size + y) * size + x]);
        }
        seen
    };
    let mut tape = Tape::new();
    let pixels = tape.input(&[1, 3, size, size]);
    let taken = bank.preprocess(&mut tape, pixels);
    let (output, weights) = bank.encode_image(&mut tape, taken);
    let mut once = device.compile(&Plan::new(&tape, &[output], &[])).unwrap();
    weights.iter().for_each(|(var, values)| once.write(*var, values).unwrap());
    let found = features(&device, &bank, &pictures);
    for (picture, found) in pictures.iter().zip(found.chunks(found.len() / 2)) {
        let mut sum = vec![0.0; found.len()];
        for (by, mirror) in [0, -1, 1].into_iter().flat_map(|by| [(by, false), (by, true)]) {
            once.write(pixels, &seen(&framed(picture), by, mirror).pixels).unwrap();
            once.run(1).unwrap();
            sum.iter_mut().zip(once.read(output).unwrap()).for_each(|(sum, value)| *sum += value);
        }
        let norm = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
        let error = sum.iter().zip(found).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        assert!(error < 1e-5 * norm, "{error} of {norm}");
    }
}

#[test]
fn unknown_names_are_an_error_that_lists_the_nearest() {
    let bank = builtin::bank().unwrap();
    let error = |name: &str| {
        let labels = [name.to_string(), "cat".to_string()];
        bank.name_features(&Cpu::<f32>::new(), &labels, &Templates::plain(), &Silent).unwrap_err()
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
    let found =
        name_pictures(&Cpu::<f32>::new(), &bank, &data.class_names, &Templates::plain(), pictures, &Silent)
            .unwrap();
    let best = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let right = found.probabilities.iter().zip(data.labels()).filter(|(row, label)| best(row) == **label);
    assert!(right.count() * 10 >= data.len() * 8);
}
