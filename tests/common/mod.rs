//! The PyTorch reference fixtures, in full precision. `tests/fixtures/make_*.py` say what each tensor means.

// Each test binary takes what it needs.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};

/// Row-major.
pub(crate) struct Reference {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

pub(crate) fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"))
}

/// All tensors of a fixture: F64, F32 and I64 (labels) alike as f64.
pub(crate) fn fixture(name: &str) -> BTreeMap<String, Reference> {
    let bytes = std::fs::read(fixture_path(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let data = match view.dtype() {
            Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b) as f64).collect(),
            Dtype::I64 => view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
            other => panic!("{name} has type {other}"),
        };
        (name.to_string(), Reference { shape: view.shape().to_vec(), data })
    };
    file.iter().map(read).collect()
}

/// What a fixture says about itself.
pub(crate) fn metadata(name: &str) -> HashMap<String, String> {
    let bytes = std::fs::read(fixture_path(name)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    header.metadata().clone().unwrap()
}
