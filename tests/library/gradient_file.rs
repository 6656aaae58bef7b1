//! Gradient files: what the eavesdropper is told beside the numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gia_gpu::tensor_file::{
    GradientFile, GradientInfo, ParameterSpec, Tensor, TensorFile, TensorFileError as Error,
};
use tempfile::TempDir;

fn gradients() -> BTreeMap<String, Tensor> {
    BTreeMap::from([("fc.bias".to_string(), Tensor { shape: vec![2], data: vec![0.25, -0.25] })])
}

/// A file with these gradients and this metadata, as some training loop might write it.
fn foreign(folder: &TempDir, metadata: &[(&str, &str)]) -> PathBuf {
    let path = folder.path().join("gradient.safetensors");
    let metadata = metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    TensorFile::write(&path, &gradients(), &metadata).unwrap();
    path
}

#[test]
fn what_is_written_is_read_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gradient.safetensors");
    let info = GradientInfo {
        options: Some("stem=cifar".into()),
        kind: Some("update".into()),
        mode: Some("train".into()),
        clients: Some("3,5".into()),
        local_steps: Some(4),
        local_epochs: Some(2),
        local_batch: Some(3),
        local_lr: Some(0.05),
        local_optimiser: Some("momentum:0.9".into()),
        weight_decay: Some(0.01),
        loss: Some("smoothing:0.1".into()),
        architecture: Some("lenet-zhu".into()),
        batch_size: Some(4),
        image_shape: Some([3, 32, 32]),
        classes: Some(10),
        mean: Some(vec![0.4914, 0.4822, 0.4465]),
        std: Some(vec![0.247, 0.2435, 0.2616]),
        victim: Some("0a1b".into()),
    };
    GradientFile::write(&path, &gradients(), &info).unwrap();
    let read = GradientFile::read(&path).unwrap();
    assert_eq!(read.info, info);
    assert_eq!(read.file.tensors, gradients());
    let metadata: Vec<_> = read.file.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        metadata,
        [
            ("architecture", "lenet-zhu"),
            ("batch_size", "4"),
            ("classes", "10"),
            ("clients", "3,5"),
            ("format", "gia-gpu gradient"),
            ("image_shape", "3,32,32"),
            ("kind", "update"),
            ("local_batch", "3"),
            ("local_epochs", "2"),
            ("local_lr", "0.05"),
            ("local_optimiser", "momentum:0.9"),
            ("local_steps", "4"),
            ("loss", "smoothing:0.1"),
            ("mean", "0.4914,0.4822,0.4465"),
            ("mode", "train"),
            ("options", "stem=cifar"),
            ("std", "0.247,0.2435,0.2616"),
            ("version", "1"),
            ("victim", "0a1b"),
            ("weight_decay", "0.01"),
        ]
    );
}

#[test]
fn a_gradient_without_metadata_is_read_and_its_info_is_empty() {
    let folder = TempDir::new().unwrap();
    for metadata in [&[][..], &[("format", "pt")], &[("format", "pt"), ("version", "2.15")]] {
        let read = GradientFile::read(&foreign(&folder, metadata)).unwrap();
        assert_eq!(read.info, GradientInfo::default());
        let parameters = [ParameterSpec { name: "fc.bias".into(), shape: vec![2] }];
        assert_eq!(read.gradients(&parameters).unwrap()[0].data, [0.25, -0.25]);
        assert!(matches!(read.gradients(&[]), Err(Error::Extra { .. })));
    }
}

#[test]
fn wrong_metadata_is_an_error_that_names_file_key_expected_and_found() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("batch_size", "0", "a whole number from 1 to"),
        ("batch_size", "four", "a whole number from 1 to"),
        ("classes", "99999999999999999999999", "a whole number from 1 to"),
        ("image_shape", "32,32", "three sizes"),
        ("image_shape", "3,0,32", "three sizes"),
        ("image_shape", "4294967296,4294967296,4294967296", "three sizes"),
        ("mean", "0.5,0.5,NaN", "3 numbers"),
        ("mean", "0.5", "3 numbers, one a channel"),
        ("std", "0.5,0,0.5", "3 numbers above 0"),
        ("mean", "0.5,0.5,0.5", "together with 'std'"),
        ("format", "gia-gpu weights", "'gia-gpu gradient' or 'pt'"),
        ("loss", "sum of squares", "'mean cross entropy'"),
        ("version", "2", "'1'"),
    ];
    for (key, found, expected) in cases {
        let mut metadata = BTreeMap::from([("format", "gia-gpu gradient"), ("image_shape", "3,32,32")]);
        metadata.insert(key, found);
        let path = foreign(&folder, &metadata.into_iter().collect::<Vec<_>>());
        let error = GradientFile::read(&path).unwrap_err().to_string();
        let start = format!("{}: metadata '{key}' is '{found}', expected {expected}", path.display());
        assert!(error.starts_with(&start), "{error}");
    }
}
