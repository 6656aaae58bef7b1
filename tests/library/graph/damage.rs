//! More than three thousand files with mistakes in them: none ends in a panic, or takes time or memory that it should not, and whoever
//! refuses one says which file, and where in it.

use std::time::{Duration, Instant};

use gia_gpu::random;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Archive, MODEL, path, read};
use crate::allocator::most_during;

/// Longest that one file of a few kilobytes may take: seconds are hours of work for such a file.
const LONGEST: Duration = Duration::from_secs(20);
/// Most bytes that reading one may hold: the files have at most 170 kB.
const MOST: usize = 8 << 20;
/// Where a mistake is.
const PLACES: [&str; 6] = ["node ", "tensor '", "input ", "output ", "member '", MODEL];
/// What is wrong with a file as a whole.
const WHOLE: [&str; 6] = [
    "no ONNX file, or a damaged one",
    "expected a .pt2 file",
    "its network takes ",
    "its network gives ",
    "its operator set is ",
    "it holds no graph",
];

const PT2: [&str; 7] =
    ["custom.pt2", "operations.pt2", "masks.pt2", "functions.pt2", "pixels.pt2", "vit.pt2", "resnet.pt2"];
const ONNX: [&str; 7] = [
    "operations.onnx",
    "custom.onnx",
    "masks.onnx",
    "functions.onnx",
    "pixels.onnx",
    "vit_traced.onnx",
    "resnet.onnx",
];

/// Every place of a JSON document that holds a value, changed at random.
fn mutate(value: &mut Value, generator: &mut ChaCha8Rng, strings: &[String]) {
    match value {
        Value::Object(map) if !map.is_empty() && generator.random_bool(0.97) => {
            let at = generator.random_range(0..map.len());
            let key = map.keys().nth(at).unwrap().clone();
            match generator.random_range(0..40) {
                0 => drop(map.remove(&key)),
                _ => mutate(&mut map[&key], generator, strings),
            }
        }
        Value::Array(list) if !list.is_empty() && generator.random_bool(0.97) => {
            let at = generator.random_range(0..list.len());
            match generator.random_range(0..30) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => {
                    let other = generator.random_range(0..list.len());
                    list.swap(at, other);
                }
                _ => mutate(&mut list[at], generator, strings),
            }
        }
        _ => {
            let numbers = [0, 1, -1, 2, 3, 7, 64, 4096, 1 << 20, 1 << 31, i64::MAX, i64::MIN];
            *value = match generator.random_range(0..8) {
                0 => Value::Null,
                1 => json!(f64::MAX),
                2 => json!([numbers[generator.random_range(0..numbers.len())]]),
                3 | 4 => json!(strings[generator.random_range(0..strings.len())]),
                _ => json!(numbers[generator.random_range(0..numbers.len())]),
            };
        }
    }
}

fn collect(value: &Value, strings: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() < 80 => strings.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| collect(value, strings)),
        Value::Object(map) => {
            strings.extend(map.keys().cloned());
            map.values().for_each(|value| collect(value, strings));
        }
        _ => {}
    }
}

/// Counts of files that were taken and refused.
fn try_all(files: impl Iterator<Item = Vec<u8>>) -> [usize; 2] {
    let folder = tempfile::tempdir().unwrap();
    let (mut counts, mut largest) = ([0; 2], 0);
    for (i, bytes) in files.enumerate() {
        let start = Instant::now();
        let (found, most) = most_during(|| read(folder.path(), &bytes).map(|graph| graph.classes));
        assert!(start.elapsed() < LONGEST, "file {i} took {:?}: {found:?}", start.elapsed());
        assert!(most < MOST, "file {i} of {} bytes took {most}: {found:?}", bytes.len());
        if let Err(message) = &found {
            // `read` has asserted that it begins with the file.
            let (_, reason) = message.split_once(": ").unwrap();
            let place = PLACES.iter().any(|place| reason.starts_with(place));
            assert!(place || WHOLE.iter().any(|whole| reason.starts_with(whole)), "file {i}: {message}");
        }
        largest = largest.max(most);
        counts[usize::from(found.is_err())] += 1;
    }
    println!("{counts:?} files, at most {largest} bytes");
    counts
}

#[test]
fn mutated_pt2_files_are_taken_or_refused() {
    let mut generator = random::generator(28, "mutations");
    let files = PT2.into_iter().flat_map(|name| {
        let original = Archive::of(name).0;
        let mut strings = vec![];
        for (member, bytes) in original.iter().filter(|(member, _)| member.ends_with(".json")) {
            collect(&serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{member}: {e}")), &mut strings);
        }
        let mutated = (0..250).map(|i| {
            let mut archive = Archive(original.clone());
            let member = if i % 6 == 0 { "weights_config.json" } else { "models/model.json" };
            let member = archive.member(member);
            let mut document: Value = serde_json::from_slice(member).unwrap();
            let root = if i % 6 == 0 { &mut document } else { &mut document["graph_module"] };
            (0..generator.random_range(1..4)).for_each(|_| mutate(root, &mut generator, &strings));
            *member = serde_json::to_vec(&document).unwrap();
            archive.bytes()
        });
        mutated.collect::<Vec<_>>()
    });
    let [taken, refused] = try_all(files);
    assert_eq!(taken + refused, 1750);
    assert!(refused > 300 && taken > 50, "{taken} taken, {refused} refused");
}

#[test]
fn mutated_onnx_files_are_taken_or_refused() {
    let mut generator = random::generator(28, "mutated onnx");
    let files = ONNX.into_iter().flat_map(|name| {
        let original = std::fs::read(path(name)).unwrap();
        let mutated = (0..250).map(|i| {
            let mut bytes = original.clone();
            for _ in 0..generator.random_range(1..6) {
                let at = generator.random_range(0..bytes.len());
                match i % 3 {
                    // A byte of a length, a number or a name; most of a file is names and small numbers.
                    0 => bytes[at] = generator.random(),
                    1 => bytes[at] = bytes[at].wrapping_add(1),
                    _ => {
                        let end = (at + generator.random_range(1..40)).min(bytes.len());
                        let other = generator.random_range(0..bytes.len() - (end - at));
                        bytes.copy_within(other..other + (end - at), at);
                    }
                }
            }
            if i % 25 == 0 {
                bytes.truncate(generator.random_range(0..bytes.len()));
            }
            bytes
        });
        mutated.collect::<Vec<_>>()
    });
    let [taken, refused] = try_all(files);
    assert_eq!(taken + refused, 1750);
    assert!(refused > 300 && taken > 50, "{taken} taken, {refused} refused");
}
