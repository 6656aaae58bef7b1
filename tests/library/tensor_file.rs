//! Safetensors files as PyTorch writes them, and all that can be wrong with one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::fixture_path;
use gia_gpu::tensor_file::{Extra, ParameterSpec, Tensor, TensorFile, TensorFileError as Error};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

fn spec(name: &str, shape: &[usize]) -> ParameterSpec {
    ParameterSpec { name: name.into(), shape: shape.into() }
}

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor { shape: shape.into(), data: data.into() }
}

/// Bytes of a file with this JSON header and this many zero bytes of data.
pub(crate) fn with_header(json: &str, data: usize) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &vec![0; data]].concat()
}

/// Reads `bytes` as a file; checks that an error names it.
pub(crate) fn read(folder: &TempDir, bytes: &[u8]) -> Result<TensorFile, Error> {
    let path = folder.path().join("victim.safetensors");
    fs::write(&path, bytes).unwrap();
    TensorFile::read(&path).inspect_err(|error| {
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    })
}

pub(crate) fn read_error(bytes: &[u8]) -> Error {
    read(&TempDir::new().unwrap(), bytes).unwrap_err()
}

#[test]
fn every_float_type_that_pytorch_writes_is_read_and_other_types_are_kept_aside() {
    let file = TensorFile::read(&fixture_path("dtypes")).unwrap();
    for name in ["f64", "f32", "f16", "bf16"] {
        assert_eq!(file.tensors[name], tensor(&[1, 3], &[0.5, -1.25, 3.0]), "{name}");
    }
    assert_eq!(file.tensors["scalar"], tensor(&[], &[2.0]));
    assert_eq!(file.tensors["empty"], tensor(&[0, 3], &[]));
    let aside: Vec<_> =
        file.non_float.iter().map(|(name, kind)| (name.as_str(), kind.dtype.as_str())).collect();
    assert_eq!(aside, [("bn.num_batches_tracked", "I64"), ("mask", "BOOL")]);
    assert_eq!(file.metadata["format"], "pt");
}

#[test]
fn a_name_that_the_header_has_twice_is_refused() {
    let one = |name: &str, start: usize| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{start},{}]}}", start + 4)
    };
    let twice = format!("{{{},{}}}", one("w", 0), one("w", 0));
    let message = read_error(&with_header(&twice, 4)).to_string();
    assert!(message.contains("'w' is there twice"), "{message}");
    let metadata = format!("{{\"__metadata__\":{{\"kind\":\"a\",\"kind\":\"b\"}},{}}}", one("w", 0));
    let message = read_error(&with_header(&metadata, 4)).to_string();
    assert!(message.contains("'kind' is there twice"), "{message}");
    let folder = TempDir::new().unwrap();
    let other = format!("{{\"__metadata__\":{{\"w\":\"a\",\"__metadata__\":\"b\"}},{}}}", one("w", 0));
    assert_eq!(read(&folder, &with_header(&other, 4)).unwrap().tensors.len(), 1);
}

#[test]
fn parameters_come_in_the_order_asked_for() {
    let file = TensorFile::read(&fixture_path("lenet_zhu_weights")).unwrap();
    let specs = [spec("fc.0.bias", &[10]), spec("body.0.weight", &[12, 3, 5, 5])];
    let found = file.parameters(&specs, Extra::Any).unwrap();
    assert_eq!(found[0], file.tensors["fc.0.bias"]);
    assert_eq!(found[1], file.tensors["body.0.weight"]);
}

#[test]
fn batch_norm_buffers_are_extra_unless_allowed_and_counters_never_are() {
    let file = TensorFile::read(&fixture_path("convnet_weights")).unwrap();
    assert_eq!(file.non_float.len(), 8);
    let specs: Vec<_> = file
        .tensors
        .iter()
        .filter(|(name, _)| !name.contains("running_"))
        .map(|(name, tensor)| spec(name, &tensor.shape))
        .collect();
    let error = file.parameters(&specs, Extra::Reject).unwrap_err();
    assert!(
        matches!(&error, Error::Extra { first, extra: 16, .. } if first == "model.bn0.running_mean"),
        "{error}"
    );
    assert!(file.parameters(&specs, Extra::Allow(&["running_mean"])).is_err());
    assert!(file.parameters(&specs, Extra::Allow(&["mean", "var"])).is_err());
    let found = file.parameters(&specs, Extra::Allow(&["running_mean", "running_var"])).unwrap();
    assert_eq!(found.len(), 34);
}

#[test]
fn wrong_parameters_are_errors_that_name_file_tensor_expected_and_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensors = BTreeMap::from([
        ("module.a".to_string(), tensor(&[2], &[1.0, 2.0])),
        ("b".to_string(), tensor(&[2, 2], &[1.0, f32::NAN, f32::INFINITY, 4.0])),
    ]);
    TensorFile::write(&path, &tensors, &BTreeMap::new()).unwrap();
    let file = TensorFile::read(&path).unwrap();
    let message = |specs: &[ParameterSpec], extra| {
        let text = file.parameters(specs, extra).unwrap_err().to_string();
        text.strip_prefix(&format!("{}: ", path.display())).unwrap().to_string()
    };
    assert_eq!(
        message(&[spec("b", &[2, 2]), spec("a", &[2]), spec("c", &[])], Extra::Any),
        "tensor 'a' is missing (2 of 3 expected tensors are); the file has 'module.a', which was not expected"
    );
    assert_eq!(
        message(&[spec("b", &[2, 2])], Extra::Reject),
        "tensor 'module.a' was not expected (1 such tensors, 1 expected ones)"
    );
    assert_eq!(message(&[spec("b", &[4])], Extra::Any), "tensor 'b' has shape [2, 2], expected [4]");
    assert_eq!(
        message(&[spec("b", &[2, 2])], Extra::Any),
        "tensor 'b' is not finite as f32: element 1 is NaN"
    );
    let file = TensorFile::read(&fixture_path("dtypes")).unwrap();
    let error = file.parameters(&[spec("mask", &[2])], Extra::Any).unwrap_err();
    assert!(error.to_string().ends_with("tensor 'mask' has type BOOL, expected F32, F64, F16 or BF16"));
}

#[test]
fn what_is_written_is_read_back_and_the_bytes_depend_on_the_content_alone() {
    let folder = TempDir::new().unwrap();
    let tensors = BTreeMap::from([
        ("a".to_string(), tensor(&[], &[f32::MIN_POSITIVE])),
        ("ключ \"q\"".to_string(), tensor(&[1, 3], &[-0.0, 1e30, f32::NAN])),
        ("empty".to_string(), tensor(&[0, 4], &[])),
    ]);
    let metadata: BTreeMap<String, String> =
        (0..20).map(|i| (format!("key{i}"), "line\n\"quoted\"".into())).collect();
    let paths: Vec<PathBuf> = (0..4).map(|i| folder.path().join(format!("{i}.safetensors"))).collect();
    for path in &paths {
        TensorFile::write(path, &tensors, &metadata).unwrap();
        assert_eq!(fs::read(path).unwrap(), fs::read(&paths[0]).unwrap());
    }
    let file = TensorFile::read(&paths[0]).unwrap();
    assert_eq!(file.metadata, metadata);
    assert_eq!(file.tensors.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
    for (name, tensor) in &tensors {
        assert_eq!(file.tensors[name].shape, tensor.shape);
        let bits = |t: &Tensor| t.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&file.tensors[name]), bits(tensor));
    }
}

#[test]
fn a_failed_write_leaves_nothing_behind_and_keeps_the_old_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.safetensors");
    let good = BTreeMap::from([("a".to_string(), tensor(&[1], &[1.0]))]);
    TensorFile::write(&path, &good, &BTreeMap::new()).unwrap();
    let before = fs::read(&path).unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();

    let misshaped = BTreeMap::from([("a".to_string(), tensor(&[usize::MAX, 3], &[1.0]))]);
    let reserved = BTreeMap::from([("__metadata__".to_string(), tensor(&[1], &[1.0]))]);
    for bad in [misshaped, reserved] {
        assert!(matches!(TensorFile::write(&path, &bad, &BTreeMap::new()), Err(Error::Write { .. })));
    }
    let places =
        [folder.path().join("missing/out.safetensors"), path.join("out.safetensors"), folder.path().into()];
    for place in places {
        let error = TensorFile::write(&place, &good, &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.starts_with(&place.display().to_string()), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(files(), 1);
}

#[test]
fn other_formats_are_recognised() {
    let cases: [(&[u8], &str); 4] = [
        (b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl", "save_file(torch.load("),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02", "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    ];
    for (bytes, says) in cases {
        let error = read_error(bytes);
        assert!(matches!(error, Error::NotTensors { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn broken_files_are_told_apart() {
    assert!(matches!(read_error(b""), Error::Empty { .. }));
    assert!(matches!(read_error(b"\x10\0\0"), Error::Length { expected: 8, found: 3, .. }));
    for length in [1u64 << 60, u64::MAX, 99_999_999] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(matches!(read_error(&bytes), Error::HeaderLength { limit: 2, .. }), "{length}");
    }
    assert!(matches!(read_error(&with_header("not JSON", 0)), Error::HeaderNotJson { .. }));
    assert!(matches!(
        read_error(&with_header(&format!("{{\"a\":{}", "[".repeat(10_000)), 0)),
        Error::HeaderNotJson { .. }
    ));
    assert!(matches!(read_error(&with_header("{}", 4)), Error::Length { expected: 10, found: 14, .. }));

    let a = |shape: &str, from: u64, to: u64| {
        format!(r#""a":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let cut = with_header(&format!("{{{}}}", a("[2]", 0, 8)), 7);
    assert!(read_error(&cut).to_string().ends_with("it is truncated"));
    let huge = format!("[{},{}]", u64::MAX, u64::MAX);
    for (shape, from, to) in
        [("[2]", 4, 12), ("[2]", 8, 0), ("[3]", 0, 8), (huge.as_str(), 0, 8), ("[-1]", 0, 8)]
    {
        let error = read_error(&with_header(&format!("{{{}}}", a(shape, from, to)), 12));
        assert!(matches!(error, Error::Header { .. }), "{error}");
    }
    let overlap = r#""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}"#;
    let error = read_error(&with_header(&format!("{{{},{overlap}}}", a("[2]", 0, 8)), 12));
    assert!(matches!(&error, Error::Header { .. }) && error.to_string().contains("`b`"), "{error}");
    // The data that this promises does not exist, and is not allocated.
    let vast = format!("{{{}}}", a("[1099511627776]", 0, 1 << 42));
    assert!(matches!(read_error(&with_header(&vast, 8)), Error::Length { .. }));
}

#[test]
fn what_is_not_a_readable_file_is_an_error() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(TensorFile::read(folder.path()), Err(Error::NotAFile { .. })));
    assert!(matches!(TensorFile::read(&folder.path().join("none")), Err(Error::Read { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let device = Path::new("/dev/zero");
        assert!(matches!(TensorFile::read(device), Err(Error::NotAFile { .. })));
        assert!(matches!(
            TensorFile::write(device, &BTreeMap::new(), &BTreeMap::new()),
            Err(Error::NotAFile { .. })
        ));
        let path = folder.path().join("secret.safetensors");
        TensorFile::write(&path, &BTreeMap::new(), &BTreeMap::new()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads it all the same.
        if fs::File::open(&path).is_err() {
            assert!(matches!(TensorFile::read(&path), Err(Error::Read { .. })));
        }
    }
}

#[test]
fn damaged_bytes_never_panic_and_what_is_still_read_is_consistent() {
    let folder = TempDir::new().unwrap();
    let whole = fs::read(fixture_path("dtypes")).unwrap();
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut still_read, mut refused) = (0, 0);
    for round in 0..6000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            // Digits and quotes reach deeper into the header's meaning than random bytes do.
            let replacement =
                if rng.random() { rng.random() } else { b"0123456789\"[]{},:-eF"[rng.random_range(0..20)] };
            bytes[rng.random_range(0..header)] = replacement;
        }
        if round % 3 == 0 {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        match read(&folder, &bytes) {
            Ok(file) => {
                still_read += 1;
                for (name, Tensor { shape, data }) in &file.tensors {
                    assert_eq!(shape.iter().product::<usize>(), data.len(), "{name}");
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(still_read > 100 && refused > 1000, "{still_read} read, {refused} refused");
}
