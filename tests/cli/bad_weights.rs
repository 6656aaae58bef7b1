//! Wrong weight and gradient files: the message names file and tensor, expected and found.

use std::{collections::BTreeMap, fs, path::Path};

use gia_gpu::tensor_file::{Tensor, TensorFile};

use crate::support::*;

/// Both files go through the same reader: every kind of damage is tried on both.
struct Case {
    captured: Captured,
    bad: String,
}

impl Case {
    fn new() -> Case {
        let captured = captured();
        let bad = captured.folder.path().join("bad.safetensors").display().to_string();
        Case { captured, bad }
    }

    fn check(&self, words: &[&str]) {
        let out = self.captured.folder.path().join("out");
        let words: Vec<&str> = words.iter().copied().chain([self.bad.as_str()]).collect();
        let Captured { gradient, weights, .. } = &self.captured;
        for (weights, gradient) in [(&self.bad, gradient), (weights, &self.bad)] {
            let options =
                format!("invert --arch lenet-zhu --weights {weights} --gradient {gradient} --batch 1");
            fail(1, &format!("{options} --device cpu --out {}", out.display()), &words);
            assert!(!out.exists());
        }
    }

    /// The captured gradient, changed; its tensors have the weights' names and shapes.
    fn changed(&self, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
        let mut tensors = TensorFile::read(Path::new(&self.captured.gradient)).unwrap().tensors;
        change(&mut tensors);
        TensorFile::write(Path::new(&self.bad), &tensors, &BTreeMap::new()).unwrap();
    }
}

#[test]
fn files_that_are_not_safetensors_are_named() {
    let case = Case::new();
    let whole = fs::read(&case.captured.weights).unwrap();
    let absurd = [&(1u64 << 60).to_le_bytes()[..], &whole[8..]].concat();
    for bytes in [&b""[..], b"PK\x03\x04 a zip", b"hello", &whole[..whole.len() / 2], &whole[..20], &absurd] {
        fs::write(&case.bad, bytes).unwrap();
        case.check(&[]);
    }
    fs::remove_file(&case.bad).unwrap();
    case.check(&[]);
    fs::create_dir(&case.bad).unwrap();
    case.check(&[]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let case = Case::new();
    case.changed(|t| drop(t.remove("body.2.weight")));
    case.check(&["body.2.weight"]);
    case.changed(|t| drop(t.insert("body.6.bias".into(), Tensor { shape: vec![1], data: vec![0.0] })));
    case.check(&["body.6.bias"]);
    case.changed(|t| drop(t.insert("body.0.bias".into(), Tensor { shape: vec![11], data: vec![0.0; 11] })));
    case.check(&["body.0.bias", "12", "11"]);
    for value in [f32::NAN, f32::INFINITY] {
        case.changed(|t| t.get_mut("body.4.bias").unwrap().data[3] = value);
        case.check(&["body.4.bias", "3"]);
    }
}

#[test]
fn integer_tensors_are_not_parameters() {
    let case = Case::new();
    let header = br#"{"body.0.bias":{"dtype":"I64","shape":[12],"data_offsets":[0,96]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 96]].concat();
    fs::write(&case.bad, bytes).unwrap();
    case.check(&["body.0"]);
}

#[test]
fn weights_must_have_as_many_classes_as_told() {
    let Captured { folder, picture, weights, .. } = captured();
    let out = folder.path().join("x.safetensors");
    fail(
        1,
        &format!(
            "capture --arch lenet-zhu --weights {weights} --classes 7 --images {picture} --labels 1 --out {}",
            out.display()
        ),
        &[&weights, "fc.0.bias", "10", "7"],
    );
    assert!(!out.exists());
}
