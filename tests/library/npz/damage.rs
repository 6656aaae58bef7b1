//! Hostile bytes: errors and never panics, and no memory for what is not there.

use std::fs;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::support::*;

fn fixture() -> Vec<u8> {
    fs::read(crate::common::fixture_path("positional").with_extension("npz")).unwrap()
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let folder = TempDir::new().unwrap();
    for whole in [fixture(), zip(&[("a.npy", zeros(&[3])), ("b.npy", counter())], false)] {
        for length in 0..whole.len() {
            assert!(read_in(&folder, &whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        assert!(read_in(&folder, &whole).is_ok());
    }
    assert!(read_message(&fixture()[..2000]).contains("it is truncated"));
}

#[test]
fn damaged_bytes_never_panic_and_what_is_still_read_is_consistent() {
    let folder = TempDir::new().unwrap();
    let stored = zip(
        &[
            ("arr_0.npy", npy("<f2", true, "(2, 3, 2)", &[60; 24])),
            ("arr_1.npy", counter()),
            ("arr_2.npy", zeros(&[4])),
        ],
        false,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut still_read, mut refused) = (0, 0);
    for (whole, rounds) in [(fixture(), 6000), (stored, 6000)] {
        for round in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                // Header text and sizes reach deeper than random bytes do.
                let replacement = match rng.random_range(0..3) {
                    0 => rng.random(),
                    1 => b"0123456789'(){},:<>fi TrueL"[rng.random_range(0..27)],
                    _ => [0, 1, 8, 0xff][rng.random_range(0..4)],
                };
                bytes[rng.random_range(0..whole.len())] = replacement;
            }
            if round % 8 == 0 {
                let (a, b) = (rng.random_range(0..bytes.len()), rng.random_range(0..bytes.len()));
                bytes.drain(a.min(b)..a.max(b).min(a.min(b) + 16));
            }
            match read_in(&folder, &bytes) {
                Err(_) => refused += 1,
                Ok(file) => {
                    still_read += 1;
                    for (name, tensor) in &file.tensors {
                        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len(), "{name}");
                    }
                }
            }
        }
    }
    assert!(still_read > 1000 && refused > 1000, "{still_read} read, {refused} refused");
}

#[test]
fn damaged_headers_inside_a_sound_archive_never_panic() {
    let folder = TempDir::new().unwrap();
    let whole = npy(">f4", true, "(3, 1, 2)", &[7; 24]);
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut still_read = 0;
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            bytes[rng.random_range(0..80)] = b"0123456789'(){},:<>fi TrueL\xc3"[rng.random_range(0..28)];
        }
        still_read += usize::from(read_in(&folder, &zip(&[("a.npy", bytes)], false)).is_ok());
    }
    assert!(still_read > 10, "{still_read}");
}

#[test]
fn what_an_archive_promises_is_not_allocated() {
    let vast = "{'descr': '<f2', 'fortran_order': False, 'shape': (35184372088832,), }";
    let text = read_message(&zip(&[("a.npy", with_header(vast, &[0; 4096]))], true));
    assert!(text.contains("describes 70368744177792 bytes"), "{text}");
}

/// A zip bomb whose every size is true to the others: a file of 3.9 GB, most of it a hole, that claims a
/// thousand times as much.
#[cfg(target_os = "linux")]
#[test]
fn a_consistent_bomb_is_refused_for_its_memory() {
    use std::io::{Seek, SeekFrom, Write};

    let compressed: u32 = 3_900_000_000;
    for fortran in ["True", "False"] {
        let text = format!("{{'descr': '<f2', 'fortran_order': {fortran}, 'shape': (2000000000000, 1), }}");
        let array = with_header(&text, &[]);
        let size = array.len() as u64 + 4_000_000_000_000;
        let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflated.write_all(&array).unwrap();

        let name = b"arr_0.npy";
        // Version, flags, method, time, date, CRC, sizes (the second in the extra field), lengths.
        let fields = |extra: u16| {
            let sizes = [compressed.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
            let lengths = [(name.len() as u16).to_le_bytes(), extra.to_le_bytes()].concat();
            [&[45, 0, 0, 0, 8, 0][..], &[0; 8], &sizes, &lengths].concat()
        };
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("bomb.npz");
        let mut file = fs::File::create(&path).unwrap();
        let local = [&b"PK\x03\x04"[..], &fields(0), name, &deflated.finish().unwrap()].concat();
        file.write_all(&local).unwrap();
        let directory = 30 + name.len() as u32 + compressed;
        file.seek(SeekFrom::Start(directory.into())).unwrap();
        let zip64 = [&[1, 0, 8, 0][..], &size.to_le_bytes()].concat();
        let entry = [&b"PK\x01\x02\x2d\0"[..], &fields(12), &[0; 14], name, &zip64].concat();
        let end = [1u16.to_le_bytes(); 2].concat();
        let place = [(entry.len() as u32).to_le_bytes(), directory.to_le_bytes()].concat();
        let end = [&b"PK\x05\x06\0\0\0\0"[..], &end, &place, &[0; 2]].concat();
        file.write_all(&[entry, end].concat()).unwrap();
        let error = gia_gpu::tensor_file::TensorFile::read(&path).unwrap_err();
        assert!(matches!(error, gia_gpu::tensor_file::TensorFileError::Memory { .. }), "{error}");
        assert!(error.to_string().contains("needs 8000000000000 bytes"), "{error}");
    }
}
