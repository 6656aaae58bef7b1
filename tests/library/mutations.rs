//! Ten thousand small changes to valid files, drawn by seed: whatever a file that somebody sent holds, its reader returns an
//! error or a value, and takes no more memory than it is allowed.

use std::fs;

use gia_gpu::files::limits;
use rand::RngExt;

use crate::{allocator::most_during, alone::alone, seeds::seeds};

const MUTATIONS: usize = 10_000;
/// What files may take, and what that comes to with the copies that decoders make.
const MEMORY: u64 = 64 << 20;
const CAP: usize = 4 * MEMORY as usize;

/// One to three of: a bit turned, a byte or a word set to an extreme, a part left out, doubled, or cut off.
fn mutate(bytes: &mut Vec<u8>, random: &mut impl rand::Rng) {
    for _ in 0..random.random_range(1..=3) {
        if bytes.is_empty() {
            return;
        }
        // Headers decide, and stand in front.
        let span = if random.random_bool(0.5) { bytes.len().min(96) } else { bytes.len() };
        let at = random.random_range(0..span);
        match random.random_range(0..7) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            2 => {
                let width = [2, 4, 8][random.random_range(0..3)];
                let value = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 31, 1 << 40][random.random_range(0..6)];
                let all = if random.random_bool(0.5) { value.to_le_bytes() } else { value.to_be_bytes() };
                let end = (at + width).min(bytes.len());
                let length = end - at;
                bytes[at..end].copy_from_slice(&all[..length]);
            }
            3 => drop(bytes.drain(at..(at + random.random_range(1..16)).min(bytes.len()))),
            4 => {
                let part = bytes[at..(at + random.random_range(1..64)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            5 => bytes.truncate(at),
            _ => bytes[at] = b"0123456789[]{}\",:-"[random.random_range(0..18)],
        }
    }
}

#[test]
fn no_mutated_file_ends_its_reader_or_takes_more_memory_than_it_may() {
    alone(|| {
        limits::set_memory(MEMORY);
        limits::set_max_pixels(1 << 20);
        let folder = tempfile::tempdir().unwrap();
        let seeds = seeds(folder.path());
        for seed in &seeds {
            let path = folder.path().join(seed.name);
            fs::write(&path, &seed.bytes).unwrap();
            assert!((seed.read)(&path), "{}: the seed itself is not read", seed.name);
        }
        let mut accepted = 0;
        for number in 0..MUTATIONS {
            let seed = &seeds[number % seeds.len()];
            let mut random = gia_gpu::random::generator(number as u64, "mutation");
            let mut bytes = seed.bytes.clone();
            mutate(&mut bytes, &mut random);
            let path = folder.path().join(seed.name);
            fs::write(&path, &bytes).unwrap();
            let (read, took) = most_during(|| (seed.read)(&path));
            accepted += usize::from(read);
            assert!(took < CAP, "{}, mutation {number}: {took} bytes", seed.name);
        }
        println!("{accepted} of {MUTATIONS} mutated files are read");
    });
}
