//! No file makes a reader panic: truncations of good files and noise end in an error that names the file.

use std::{io::Cursor, path::Path};

use gia_gpu::data::{Dataset, Picture};
use image::ImageFormat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{cifar_record, gzip, idx, message, put};

/// Noise of many lengths, each also behind every start in `heads`.
fn noise(heads: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut files = Vec::new();
    for length in [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 100, 1000, 5000] {
        for head in heads.iter().copied().chain([&[][..]]) {
            let mut bytes = vec![0; length];
            rng.fill_bytes(&mut bytes);
            files.push([head, &bytes].concat());
        }
    }
    files
}

#[test]
fn cifar_files_of_a_wrong_length_or_label_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.bin");
    let good = [cifar_record(1, 0), cifar_record(2, 0)].concat();
    for length in [0, 1, 3072, 3075, good.len() - 1] {
        put(folder.path(), "bad.bin", &good[..length]);
        let message = message(Dataset::open(&path), "bad.bin");
        assert!(message.contains("3073") && message.contains(&length.to_string()), "{message}");
    }
    put(folder.path(), "bad.bin", &[cifar_record(1, 0), cifar_record(10, 0)].concat());
    assert!(message(Dataset::open(&path), "bad.bin").contains("10 in record 1"));
    for bytes in noise(&[]) {
        put(folder.path(), "bad.bin", &bytes);
        message(Dataset::open(&path), "bad.bin");
    }
}

#[test]
fn idx_files_that_do_not_hold_what_they_announce_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad-images-idx3-ubyte");
    message(Dataset::open(&path), "bad-images-idx3-ubyte");
    let images = idx(&[2, 3, 3], &[9; 18]);
    let labels = idx(&[2], &[0, 1]);
    put(folder.path(), "bad-images-idx3-ubyte", &images);
    message(Dataset::open(&path), "bad-labels-idx1-ubyte");
    put(folder.path(), "bad-labels-idx1-ubyte", &labels);
    Dataset::open(&path).unwrap();

    let huge = u32::MAX;
    let heads = [&images[..16], &[0x1f, 0x8b], &[0x1f, 0x8b, 8, 0]];
    let zipped = gzip(&images);
    let truncated = (0..images.len()).map(|length| images[..length].to_vec());
    let truncated_zip = (0..zipped.len()).map(|length| zipped[..length].to_vec());
    let wrong = [
        idx(&[2, 3, 3], &[9; 19]),
        idx(&[0, 3, 3], &[]),
        idx(&[2, 0, 3], &[]),
        idx(&[huge, huge, huge], &[9; 18]),
        idx(&[huge, 28, 28], &[9; 18]),
        idx(&[18], &[9; 18]),
        gzip(&[images.as_slice(), &[0]].concat()),
    ];
    for bytes in wrong.into_iter().chain(truncated).chain(truncated_zip).chain(noise(&heads[1..])) {
        put(folder.path(), "bad-images-idx3-ubyte", &bytes);
        message(Dataset::open(&path), "bad-images-idx3-ubyte");
    }

    put(folder.path(), "bad-images-idx3-ubyte", &images);
    put(folder.path(), "bad-labels-idx1-ubyte", &idx(&[3], &[0, 1, 2]));
    assert!(message(Dataset::open(&path), "bad-labels-idx1-ubyte").contains("2 labels"));

    put(folder.path(), "fashion-images-idx3-ubyte", &images);
    put(folder.path(), "fashion-labels-idx1-ubyte", &idx(&[2], &[0, 10]));
    message(Dataset::open(&folder.path().join("fashion-images-idx3-ubyte")), "fashion-labels-idx1-ubyte");
}

#[test]
fn picture_files_cut_short_or_full_of_noise_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.png");
    let image = image::RgbImage::from_fn(19, 13, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 77]));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let mut good = Cursor::new(Vec::new());
        image.write_to(&mut good, format).unwrap();
        let good = good.into_inner();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for length in 0..good.len() {
            put(folder.path(), "bad.png", &good[..length]);
            // Only the checksum of a PNG's closing chunk may be missing.
            if format == ImageFormat::Jpeg || length < good.len() - 12 {
                message(Picture::read(&path), "bad.png");
            }
            let mut flipped = good.clone();
            flipped[length] ^= 1 + (rng.next_u32() % 255) as u8;
            put(folder.path(), "bad.png", &flipped);
            let _ = Picture::read(&path);
        }
        for bytes in noise(&[&good[..8], &good[..30]]) {
            put(folder.path(), "bad.png", &bytes);
            message(Picture::read(&path), "bad.png");
        }
    }
}

#[test]
fn paths_that_hold_no_data_set_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(Dataset::open(folder.path()), "expected").contains("an empty folder"));
    message(Dataset::open(Path::new("no/such/place")), "no/such/place");
    put(folder.path(), "words.txt", b"words");
    message(Dataset::open(folder.path()), "none of these");
    message(Dataset::open(&folder.path().join("words.txt")), "words.txt");
    message(Picture::read(folder.path()), folder.path().to_str().unwrap());

    // Train and test parts, each with its own class folders.
    put(folder.path(), "train/cat/1.png", b"");
    put(folder.path(), "train/dog/1.png", b"");
    assert!(message(Dataset::open(folder.path()), "train").contains("lie deeper"));

    // Folders are read lazily: a bad picture shows when it is asked for.
    let dataset = Dataset::open(&folder.path().join("train")).unwrap();
    message(dataset.picture(0), "1.png");
}
