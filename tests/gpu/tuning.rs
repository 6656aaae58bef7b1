//! Choosing tiles by their times: what is remembered, and that it changes no result.

use std::{cell::RefCell, fs, path::Path, time::Duration};

use crate::step_cases::{gpu, open, shapes};
use gia_gpu::device::{
    Device, DeviceError,
    gpu::{GpuOptions, TILES, Tile, Tuning, tune::Tuner},
};
use tempfile::TempDir;

fn tiles<const N: usize>() -> [Tile; N] {
    std::array::from_fn(|i| TILES[i].0)
}

/// Chooses with a clock that gives these times in milliseconds, none for a tile that cannot be timed; the tile,
/// and how many were timed.
fn choose(tuner: &Tuner, shape: &str, times: &[Option<u64>]) -> (Option<Tile>, usize) {
    let timed = RefCell::new(0);
    let candidates: Vec<_> = TILES.iter().map(|&(tile, _)| tile).take(times.len()).collect();
    let chosen = tuner.choose(shape, &candidates, &mut |tile| {
        *timed.borrow_mut() += 1;
        let at = candidates.iter().position(|&candidate| candidate == tile).unwrap();
        times[at].map(Duration::from_millis).ok_or_else(|| DeviceError::Failed("no such register".into()))
    });
    (chosen, timed.into_inner())
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_fastest_tile_is_chosen_and_timed_once_a_shape() {
    let [a, b, c] = tiles();
    let tuner = Tuner::open("adapter", None);
    assert_eq!(choose(&tuner, "one", &[Some(3), Some(1), Some(2)]), (Some(b), 3));
    assert_eq!(choose(&tuner, "one", &[Some(1), Some(3), Some(2)]), (Some(b), 0));
    assert_eq!(choose(&tuner, "two", &[Some(2), Some(2), Some(1)]), (Some(c), 3));
    assert_eq!(choose(&tuner, "equal", &[Some(2), Some(2)]), (Some(a), 2));
    assert_eq!(choose(&tuner, "only one", &[Some(2)]), (Some(a), 0), "nothing to choose, nothing timed");
    assert_eq!(choose(&tuner, "not tiled", &[]), (None, 0));
}

#[test]
fn a_tile_that_cannot_be_timed_is_left_out() {
    let [_, b] = tiles();
    let tuner = Tuner::open("adapter", None);
    assert_eq!(choose(&tuner, "one", &[None, Some(9)]), (Some(b), 2));
    assert_eq!(choose(&tuner, "two", &[None, None]), (None, 2));
}

#[test]
fn another_run_on_the_same_adapter_remembers() {
    let folder = TempDir::new().unwrap();
    let [a, b] = tiles();
    // The folder need not exist.
    let cache = folder.path().join("cache");
    let first = Tuner::open("adapter, driver 1", Some(&cache));
    choose(&first, "one", &[Some(2), Some(1)]);
    first.save();
    let second = Tuner::open("adapter, driver 1", Some(&cache));
    assert_eq!(choose(&second, "one", &[Some(1), Some(2)]), (Some(b), 0));
    // Two that ran side by side both keep what they found.
    choose(&first, "two", &[Some(1), Some(2)]);
    choose(&second, "three", &[Some(1), Some(2)]);
    first.save();
    second.save();
    let third = Tuner::open("adapter, driver 1", Some(&cache));
    for shape in ["two", "three"] {
        assert_eq!(choose(&third, shape, &[Some(2), Some(1)]), (Some(a), 0), "{shape}");
    }
    assert_eq!(files(&cache).len(), 1, "no temporary file stays");
}

#[test]
fn another_adapter_driver_or_version_is_timed_anew() {
    let folder = TempDir::new().unwrap();
    let [a, _] = tiles();
    let first = Tuner::open("adapter, driver 1", Some(folder.path()));
    choose(&first, "one", &[Some(2), Some(1)]);
    first.save();
    let other = Tuner::open("adapter, driver 2", Some(folder.path()));
    assert_eq!(choose(&other, "one", &[Some(1), Some(2)]), (Some(a), 2));
    // The file of another version of this crate, under this one's name.
    let [file] = files(folder.path()).try_into().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let version = concat!("gia-gpu ", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(version), "{text}");
    fs::write(&file, text.replace(version, "gia-gpu 0.0.0")).unwrap();
    let newer = Tuner::open("adapter, driver 1", Some(folder.path()));
    assert_eq!(choose(&newer, "one", &[Some(1), Some(2)]), (Some(a), 2));
}

#[test]
fn a_broken_file_is_ignored_and_written_anew() {
    let folder = TempDir::new().unwrap();
    let [a, b] = tiles();
    let first = Tuner::open("adapter", Some(folder.path()));
    choose(&first, "one", &[Some(2), Some(1)]);
    first.save();
    let [file] = files(folder.path()).try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let broken: [Vec<u8>; 5] = [
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"[]".to_vec(),
        text.replace(&b.name(), "7x7x7").into(),
    ];
    for bytes in broken {
        fs::write(&file, bytes).unwrap();
        let tuner = Tuner::open("adapter", Some(folder.path()));
        assert_eq!(choose(&tuner, "one", &[Some(1), Some(2)]), (Some(a), 2));
        tuner.save();
        let next = Tuner::open("adapter", Some(folder.path()));
        assert_eq!(choose(&next, "one", &[Some(2), Some(1)]), (Some(a), 0));
    }
}

#[test]
fn a_folder_that_cannot_be_written_only_costs_time() {
    let folder = TempDir::new().unwrap();
    let [_, b] = tiles();
    let occupied = folder.path().join("a file");
    fs::write(&occupied, "").unwrap();
    let tuner = Tuner::open("adapter", Some(&occupied));
    assert_eq!(choose(&tuner, "one", &[Some(2), Some(1)]), (Some(b), 2));
    tuner.save();
    assert_eq!(choose(&tuner, "one", &[Some(1), Some(2)]), (Some(b), 0));
}

/// On whatever adapter there is, a software driver included: every candidate is compiled and timed.
#[test]
fn tuning_on_a_device_changes_no_bit_and_is_remembered() {
    let folder = TempDir::new().unwrap();
    let options = || GpuOptions {
        tuning: Tuning::Forced,
        cache: Some(folder.path().to_path_buf()),
        ..GpuOptions::default()
    };
    let tuned = open(options());
    let cases = [
        shapes::matmul([2, 33, 40, 48], [false; 2], [false; 2]),
        shapes::conv(shapes::Conv::Forward, shapes::conv_specs()[1], 2, [false, true]),
        shapes::conv(shapes::Conv::GradWeight, shapes::conv_specs()[1], 1, [false; 2]),
    ];
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let results = cases.each_ref().map(|case| {
        let operands = case.operands(3);
        let by_rule = bits(case.run(gpu(false), &operands));
        assert_eq!(bits(case.run(&tuned, &operands)), by_rule, "{}", case.name);
        by_rule
    });
    let tiles =
        || files(folder.path()).into_iter().find(|path| path.extension().is_some_and(|e| e == "json"));
    let file = tiles().expect("tiles are remembered");
    let text = fs::read_to_string(&file).unwrap();
    for kernel in ["Matmul(", "Conv2d(", "Conv2dGradWeight("] {
        assert!(text.contains(kernel), "{text}");
    }
    // What is remembered is not timed again, so the file is not written again.
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let again = open(options());
    for (case, expected) in cases.iter().zip(&results) {
        assert_eq!(&bits(case.run(&again, &case.operands(3))), expected, "{}", case.name);
    }
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
    assert_eq!(gpu(false).info(), again.info());
}

#[test]
fn compiled_pipelines_are_kept_on_disk_and_a_broken_file_does_no_harm() {
    let folder = TempDir::new().unwrap();
    let options = || GpuOptions {
        tuning: Tuning::Forced,
        cache: Some(folder.path().to_path_buf()),
        ..GpuOptions::default()
    };
    let case = shapes::matmul([1, 5, 6, 7], [false; 2], [false; 2]);
    let operands = case.operands(0);
    let expected = case.run(gpu(false), &operands);
    assert_eq!(case.run(&open(options()), &operands), expected);
    let cached = files(folder.path()).into_iter().find(|path| path.extension().is_some_and(|e| e == "bin"));
    // Metal and DX12 keep compiled shaders themselves.
    assert_eq!(cached.is_some(), gpu(false).info().backend.eq_ignore_ascii_case("vulkan"));
    let Some(file) = cached else { return };
    let whole = fs::read(&file).unwrap();
    for bytes in [whole.clone(), whole[..whole.len() / 2].to_vec(), Vec::new(), vec![0xff; 4096]] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(case.run(&open(options()), &operands), expected);
        assert!(!fs::read(&file).unwrap().is_empty());
    }
}

#[test]
fn a_software_driver_is_not_timed_and_leaves_nothing_unless_forced() {
    if !gpu(false).info().software {
        return;
    }
    let folder = TempDir::new().unwrap();
    let cache = Some(folder.path().to_path_buf());
    let options = GpuOptions { allow_software: true, cache, ..GpuOptions::default() };
    assert_eq!(options.tuning, Tuning::Measured);
    let device = gia_gpu::device::gpu::Gpu::new(options).unwrap();
    let case = shapes::matmul([1, 33, 40, 48], [false; 2], [false; 2]);
    case.run(&device, &case.operands(0));
    assert!(files(folder.path()).is_empty());
}
