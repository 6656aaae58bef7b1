//! What an archive is made of.

use std::collections::BTreeMap;

use gia_gpu::tensor_file::{GradientFile, GradientInfo, Naming, TensorFile, TensorFileError as Error};
use tempfile::TempDir;

use super::support::*;

#[test]
fn a_named_archive_is_read_as_safetensors_are() {
    let members = [("fc.bias.npy", zeros(&[2])), ("fc.weight.npy", zeros(&[2, 3])), ("n.npy", counter())];
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gradient");
    std::fs::write(&path, zip(&members, true)).unwrap();
    let specs = [spec("fc.weight", &[2, 3]), spec("fc.bias", &[2])];
    let gradient = GradientFile::read(&path).unwrap();
    assert_eq!(gradient.info, GradientInfo::default());
    assert_eq!(gradient.gradients(&specs).unwrap()[0].shape, [2, 3]);
    assert!(matches!(gradient.gradients(&specs[..1]), Err(Error::Extra { .. })));
    assert!(matches!(gradient.gradients(&[spec("x", &[2])]), Err(Error::Missing { .. })));
    let (gradient, report) = gradient.by_name(&[]).unwrap();
    assert!(report.is_none());
    assert_eq!(gradient.file.tensors.len(), 2);
}

#[test]
fn what_is_read_can_be_written_as_safetensors() {
    let folder = TempDir::new().unwrap();
    let file = read_in(&folder, &positional(&[&[2, 2], &[2]])).unwrap();
    let path = folder.path().join("out.npz");
    TensorFile::write(&path, &file.tensors, &BTreeMap::new()).unwrap();
    let back = TensorFile::read(&path).unwrap();
    assert_eq!(back.tensors, file.tensors);
    assert_eq!(back.naming, Naming::Named);
}

#[test]
fn positions_are_counted_without_gaps() {
    let naming = |names: &[&str]| {
        let members: Vec<_> = names.iter().map(|name| (*name, zeros(&[1]))).collect();
        read(&zip(&members, false)).map(|file| file.naming)
    };
    assert_eq!(naming(&["arr_1.npy", "arr_0.npy"]).unwrap(), Naming::Positional);
    for named in
        [&["arr_00.npy"][..], &["arr_.npy"], &["arr_0.npy", "x.npy"], &["arr_+0.npy"], &["Arr_0.npy"]]
    {
        assert_eq!(naming(named).unwrap(), Naming::Named, "{named:?}");
    }
    assert_eq!(
        message(naming(&["arr_0.npy", "arr_2.npy", "arr_3.npy"]).unwrap_err()),
        "the 3 arrays are not consecutive: 'arr_1' is missing before 'arr_2'"
    );
    assert!(matches!(naming(&["arr_1.npy"]), Err(Error::Gap { missing: 0, next: 1, .. })));
}

#[test]
fn other_archives_are_told_apart() {
    assert!(matches!(read(&zip(&[], false)), Err(Error::NoArrays { .. })));
    let text = read_message(&zip(&[("a/data.pkl", vec![]), ("a/data/0", vec![0; 4])], false));
    assert!(text.contains("torch.save") && text.contains("save_file(torch.load("), "{text}");
    let long = format!("{}/data.pkl", "a".repeat(100));
    assert!(read_message(&zip(&[(&long, vec![])], false)).contains("torch.save"));
    assert!(read_message(&zip(&[("word/document.xml", vec![])], false)).contains("other things"));
    let text = read_message(&zip(&[("a.npy", zeros(&[1])), ("notes.txt", vec![1])], false));
    assert!(text.starts_with("member 'notes.txt' is not an array"), "{text}");
    let text = read_message(&zeros(&[2]));
    assert!(text.contains("one NumPy array") && text.contains("np.savez("), "{text}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let whole = zip(&[("a.npy", zeros(&[2])), ("b.npy", zeros(&[1]))], true);
    // Of the first member in the directory.
    let directory = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut archive = whole.clone();
        archive[directory + at..][..bytes.len()].copy_from_slice(bytes);
        read_message(&archive)
    };
    assert!(changed(8, &[1]).starts_with("member 'a.npy' is encrypted"));
    assert!(changed(10, &[93]).starts_with("member 'a.npy' is compressed by method 93"));
    assert!(changed(10, &[0]).contains("describes 136 bytes, the archive has"));
    let text = changed(16, &[0xde, 0xad, 0xbe, 0xef]);
    assert!(text.starts_with("member 'a.npy' has damaged content: its CRC is"), "{text}");
    assert!(text.ends_with("the archive says efbeadde"), "{text}");
    assert!(changed(24, &[1, 0]).contains("damaged content: it has"));
    assert!(changed(24, &[200, 0]).contains("describes 136 bytes, the archive has 200"));
    assert!(changed(24, &[0xff; 3]).contains("claims to grow from"));
    assert!(changed(20, &[0xff; 3]).contains("the file"));
    assert!(changed(46, b"b").starts_with("member 'b.npy' is in the archive more than once"));
    assert!(changed(46, b"\xff").contains("is not an array"));
    assert!(changed(0, b"PK\x01\x03").contains("a damaged .npz archive"));
    let count = whole.len() - 22 + 10;
    let archive = [&whole[..count], &[3], &whole[count + 1..]].concat();
    assert!(read_message(&archive).contains("its directory has 2 members, its end says 3"));
}
