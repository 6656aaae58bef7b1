//! `metrics` pairs pictures as people name them.

use std::path::Path;

use gia_gpu::{data::Picture, metrics::compare_folders};
use tempfile::TempDir;

fn folder(names: impl Fn(usize) -> String, noise: f32) -> TempDir {
    let folder = TempDir::new().unwrap();
    for i in 0..12 {
        let pixels = (0..3 * 12 * 12).map(|at| 0.05 * i as f32 + 0.3 + noise * ((at * 7 % 13) as f32 / 13.0));
        let picture = Picture::new(3, 12, 12, pixels.collect()).unwrap();
        picture.write_png(&folder.path().join(names(i))).unwrap();
    }
    folder
}

fn compare(a: &Path, b: &Path) -> gia_gpu::metrics::Comparison {
    compare_folders(a, b).unwrap().comparison
}

#[test]
fn numbers_count_with_and_without_leading_zeros() {
    let short = folder(|i| format!("{i}.png"), 0.1);
    let long = folder(|i| format!("{i:02}.png"), 0.1);
    let other = folder(|i| format!("image_{i}.png"), 0.1);
    for pair in [[&short, &long], [&long, &short], [&short, &other]] {
        let found = compare(pair[0].path(), pair[1].path());
        assert_eq!(found.ssim.aligned, 1.0);
        assert_eq!(found.infinite_psnr.aligned, 12);
        assert!(found.psnr.aligned.is_infinite());
    }
}

#[test]
fn names_of_which_only_some_are_equal_are_no_pairs() {
    let numbers = folder(|i| format!("{i}.png"), 0.1);
    let mixed = folder(|i| if i < 6 { format!("{i}.png") } else { format!("{i}_x.png") }, 0.1);
    let error = compare_folders(numbers.path(), mixed.path()).unwrap_err().to_string();
    assert!(error.contains("6 of 12 names") && error.contains("_x"), "{error}");
}

#[test]
fn identical_pictures_are_counted_apart_from_the_mean() {
    let reference = folder(|i| format!("{i}.png"), 0.1);
    let found = folder(|i| format!("{i}.png"), 0.2);
    std::fs::copy(reference.path().join("4.png"), found.path().join("4.png")).unwrap();
    let comparison = compare(reference.path(), found.path());
    assert_eq!(comparison.infinite_psnr.aligned, 1);
    let finite: Vec<f64> =
        comparison.psnr.per_image.aligned.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len() as f64;
    assert!(finite.len() == 11 && (comparison.psnr.aligned - mean).abs() < 1e-9);
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["infinite_psnr"]["aligned"], 1);
}
