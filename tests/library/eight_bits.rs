//! Tensors of weights in 8 bits with a scale per channel.

use std::collections::BTreeMap;

use gia_gpu::tensor_file::{Storage, Tensor, TensorFile, TensorFileError as Error};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::tensor_file::{read, read_error, with_header};

#[test]
fn eight_bits_are_the_nearest_steps_of_each_channel() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("small.safetensors");
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    // Channels of very different sizes, one of them all zeros.
    let sizes = [1.0, 1e-6, 0.0, 3e5];
    let data: Vec<f32> =
        sizes.iter().flat_map(|size| [(); 15].map(|()| size * rng.random_range(-1.0f32..1.0))).collect();
    let kernel = Tensor { shape: vec![4, 5, 3], data };
    let bias = Tensor { shape: vec![4], data: vec![0.1, -0.2, 1e-30, 7.0] };
    let empty = Tensor { shape: vec![0, 3], data: vec![] };
    let tensors = BTreeMap::from([
        ("conv.weight".to_string(), kernel.clone()),
        ("conv.bias".to_string(), bias.clone()),
        ("empty".to_string(), empty.clone()),
    ]);
    TensorFile::write_as(&path, &tensors, &BTreeMap::new(), Storage::EightBits).unwrap();
    let found = TensorFile::read(&path).unwrap();
    assert!(found.non_float.is_empty());
    assert_eq!(found.tensors.keys().collect::<Vec<_>>(), ["conv.bias", "conv.weight", "empty"]);
    assert_eq!((&found.tensors["conv.bias"], &found.tensors["empty"]), (&bias, &empty));
    let read = &found.tensors["conv.weight"];
    assert_eq!(read.shape, kernel.shape);
    for (channel, (written, read)) in kernel.data.chunks(15).zip(read.data.chunks(15)).enumerate() {
        let largest = written.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        for (w, r) in written.iter().zip(read) {
            assert!((w - r).abs() <= 0.5001 * largest / 127.0, "channel {channel}: {r} for {w}");
        }
        // The largest stays as it is.
        let most = read.iter().fold(0.0f32, |most, r| most.max(r.abs()));
        assert!((most - largest).abs() <= 1e-6 * largest, "channel {channel}: {most}, not {largest}");
    }
    // What is read can be written again without further loss.
    let again = folder.path().join("again.safetensors");
    TensorFile::write_as(&again, &found.tensors, &BTreeMap::new(), Storage::EightBits).unwrap();
    let twice = TensorFile::read(&again).unwrap();
    for (once, twice) in read.data.iter().zip(&twice.tensors["conv.weight"].data) {
        assert!((once - twice).abs() <= 1e-6 * once.abs(), "{twice}, not {once}");
    }
}

#[test]
fn eight_bits_hold_no_infinity_and_take_no_tensors_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("small.safetensors");
    let matrix = |value| Tensor { shape: vec![1, 2], data: vec![1.0, value] };
    let write = |tensors: &[(&str, Tensor)]| {
        let tensors = tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        TensorFile::write_as(&path, &tensors, &BTreeMap::new(), Storage::EightBits).unwrap_err().to_string()
    };
    let error = write(&[("w", matrix(f32::INFINITY))]);
    assert!(error.contains("small.safetensors") && error.contains("'w'") && error.contains("inf"), "{error}");
    assert!(write(&[("w", matrix(f32::NAN))]).contains("NaN"));
    let scale = Tensor { shape: vec![1], data: vec![1.0] };
    assert!(write(&[("w", matrix(0.5)), ("w.scale", scale)]).contains("'w.scale'"));
    assert!(!path.exists());
}

#[test]
fn eight_bit_tensors_need_one_scale_a_channel() {
    let file = |scale: &str, end: usize| {
        let header = format!(
            r#"{{"w":{{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]}},
                "w.scale":{{"dtype":"F32","shape":{scale},"data_offsets":[4,{end}]}}}}"#
        );
        with_header(&header, end)
    };
    let error = read_error(&file("[3]", 16));
    assert!(
        matches!(&error, Error::Shape { name, expected, .. } if name == "w.scale" && *expected == [2]),
        "{error}"
    );
    let folder = TempDir::new().unwrap();
    assert_eq!(read(&folder, &file("[2]", 12)).unwrap().tensors["w"].shape, [2, 2]);
    // Without scales they are no weights.
    let alone = with_header(r#"{"w":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]}}"#, 4);
    assert_eq!(read(&folder, &alone).unwrap().non_float["w"].dtype, "I8");
}
