//! LPIPS of 50 pairs of pictures, where `GIA_WEIGHTS` names the folder of its weights. `make_lpips.py` says the same in
//! PyTorch.

use std::{collections::BTreeMap, path::PathBuf};

use gia_gpu::{
    data::Picture,
    metrics::lpips::{Lpips, distance},
    tensor_file::{Tensor, TensorFile, WeightsInfo},
};

use super::formula;
use crate::{common::fixture, devices::targets};

const PAIRS: usize = 25;
const NAME: &str = "lpips_alexnet.safetensors";

fn weights() -> Option<PathBuf> {
    let path = std::env::var_os("GIA_WEIGHTS").map(|folder| PathBuf::from(folder).join(NAME));
    let found = path.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: GIA_WEIGHTS names no folder with {NAME}");
    }
    found
}

fn pixels(ordinal: usize, side: usize) -> Vec<f32> {
    let values = formula::picture(1, ordinal, 3 * side * side);
    values.into_iter().map(|v| (v / (2.0 * 3_f64.sqrt()) + 0.5) as f32).collect()
}

fn pair(number: usize, side: usize) -> [Picture; 2] {
    let (first, other) = (pixels(2 * number, side), pixels(2 * number + 1, side));
    let share = (number + 1) as f64 / PAIRS as f64;
    let mixed = first.iter().zip(&other);
    let mixed = mixed.map(|(&a, &b)| ((1.0 - share) * f64::from(a) + share * f64::from(b)) as f32).collect();
    [first, mixed].map(|pixels| Picture::new(3, side, side, pixels).unwrap())
}

#[test]
fn fifty_pairs_have_the_lpips_of_pytorch() {
    let Some(path) = weights() else { return };
    let lpips = Lpips::read(&path).unwrap();
    let expected = fixture("lpips");
    for device in targets().iter().filter_map(|target| target.device()) {
        for (name, side) in [("small", 32), ("large", 64)] {
            let pairs: Vec<[Picture; 2]> = (0..PAIRS).map(|number| pair(number, side)).collect();
            let found = lpips.embed(device, &pairs.concat()).unwrap();
            for (i, (pair, expected)) in found.chunks(2).zip(&expected[name].data).enumerate() {
                let found = distance(&pair[0], &pair[1]);
                assert!((found - expected).abs() < 1e-4, "{name} pair {i}: {found}, not {expected}");
            }
        }
    }
}

/// The same weights under the names of the package `lpips`.
#[test]
fn weights_are_read_from_a_state_dict_and_refused_with_the_tensors_name() {
    let Some(path) = weights() else { return };
    let flax = TensorFile::read(&path).unwrap().tensors;
    let mut torch = BTreeMap::new();
    for (i, name) in ["1.0", "2.3", "3.6", "4.8", "5.10"].iter().enumerate() {
        let kernel = &flax[&format!("AlexNet_0/Conv_{i}/kernel")];
        let [rows, columns, inputs, outputs] = kernel.shape[..] else { panic!() };
        let mut data = vec![0.0; kernel.data.len()];
        for (n, &value) in kernel.data.iter().enumerate() {
            let (o, c, place) = (n % outputs, n / outputs % inputs, n / (outputs * inputs));
            data[(o * inputs + c) * rows * columns + place] = value;
        }
        let weight = Tensor { shape: vec![outputs, inputs, rows, columns], data };
        torch.insert(format!("net.slice{name}.weight"), weight);
        torch.insert(format!("net.slice{name}.bias"), flax[&format!("AlexNet_0/Conv_{i}/bias")].clone());
        let head = flax[&format!("NetLinLayer_{i}/Conv_0/kernel")].data.clone();
        torch.insert(format!("lin{i}.model.1.weight"), Tensor { shape: vec![1, outputs, 1, 1], data: head });
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lpips.safetensors");
    let write = |tensors: &BTreeMap<String, Tensor>| WeightsInfo::default().write(&file, tensors).unwrap();
    write(&torch);
    let device = targets()[1].device().unwrap();
    let pictures = pair(3, 64);
    let [a, b] = [&path, &file].map(|path| Lpips::read(path).unwrap().embed(device, &pictures).unwrap());
    assert_eq!(a, b);

    let refused = |tensors: &BTreeMap<String, Tensor>, words: &[&str]| {
        write(tensors);
        let error = Lpips::read(&file).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}, not {words:?}");
    };
    let mut odd = torch.clone();
    odd.get_mut("lin2.model.1.weight").unwrap().data[0] = -1.0;
    refused(&odd, &["head 2", "≥ 0", "-1"]);
    odd.remove("lin2.model.1.weight");
    refused(&odd, &["lpips.safetensors", "'lin2.model.1.weight'"]);
    torch.get_mut("net.slice1.0.weight").unwrap().shape = vec![64, 3, 121, 1];
    refused(&torch, &["'net.slice1.0.weight' of shape [64, 3, 11, 11]", "[64, 3, 121, 1]"]);
}
