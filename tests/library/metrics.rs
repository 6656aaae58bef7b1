//! Metrics against scikit-image, brute force and what must hold.

use std::{fs, time::Instant};

use gia_gpu::{
    data::{Picture, samples},
    metrics::{assign, compare, compare_folders, flat_grey_floor, ssim_table},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

/// Made by `fixtures/metrics.py`.
#[derive(Deserialize)]
struct Batch {
    shape: [usize; 3],
    references: Vec<String>,
    reconstructions: Vec<String>,
    mse: Vec<Vec<f64>>,
    psnr: Vec<Vec<f64>>,
    ssim: Vec<Vec<f64>>,
    assignment_mse: Vec<usize>,
    assignment_ssim: Vec<usize>,
}

impl Batch {
    fn pictures(&self, hexadecimal: &[String]) -> Vec<Picture> {
        let byte = |text: &[u8]| u8::from_str_radix(std::str::from_utf8(text).unwrap(), 16).unwrap();
        let pixels = |text: &String| {
            text.as_bytes().chunks_exact(2).map(|pair| f32::from(byte(pair)) / 255.0).collect()
        };
        let [channels, height, width] = self.shape;
        let picture = |text| Picture::new(channels, height, width, pixels(text)).unwrap();
        hexadecimal.iter().map(picture).collect()
    }
}

/// Deterministic pictures of 3×`side`×`side` in [0, 1].
fn random_pictures(count: usize, side: usize, seed: u64) -> Vec<Picture> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pixels = || (0..3 * side * side).map(|_| (rng.next_u32() >> 8) as f32 / 16_777_216.0).collect();
    (0..count).map(|_| Picture::new(3, side, side, pixels()).unwrap()).collect()
}

fn assert_close(found: f64, wanted: f64, what: &str) {
    assert!((found - wanted).abs() <= 1e-10 * wanted.abs().max(1.0), "{what}: {found} against {wanted}");
}

#[test]
fn figures_equal_those_of_scikit_image() {
    let batches: Vec<Batch> = serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap();
    for batch in &batches {
        let found =
            compare(&batch.pictures(&batch.references), &batch.pictures(&batch.reconstructions)).unwrap();
        assert_eq!(found.assignment_mse, batch.assignment_mse);
        assert_eq!(found.assignment_ssim, batch.assignment_ssim);
        let scores = [
            ("mse", &found.mse, &batch.mse, &batch.assignment_mse, f64::min as fn(f64, f64) -> f64),
            ("psnr", &found.psnr, &batch.psnr, &batch.assignment_mse, f64::max),
            ("ssim", &found.ssim, &batch.ssim, &batch.assignment_ssim, f64::max),
        ];
        for (name, score, matrix, assignment, better) in scores {
            let mut sums = [0.0; 3];
            for (row, wanted) in matrix.iter().enumerate() {
                let best = wanted.iter().copied().reduce(better).unwrap();
                assert_close(score.per_image.aligned[row], wanted[row], name);
                assert_close(score.per_image.one_to_one[row], wanted[assignment[row]], name);
                assert_close(score.per_image.best_reference[row], best, name);
                sums = [sums[0] + wanted[row], sums[1] + wanted[assignment[row]], sums[2] + best];
            }
            let count = matrix.len() as f64;
            assert_close(score.aligned, sums[0] / count, name);
            assert_close(score.one_to_one, sums[1] / count, name);
            assert_close(score.best_reference, sums[2] / count, name);
        }
    }
}

#[test]
fn a_reversed_batch_scores_the_same_one_to_one() {
    let reference = random_pictures(6, 16, 1);
    let mut reconstruction = random_pictures(6, 16, 2);
    for (picture, original) in reconstruction.iter_mut().zip(&reference) {
        for (value, original) in picture.pixels.iter_mut().zip(&original.pixels) {
            *value = 0.7 * original + 0.3 * *value;
        }
    }
    let forward = compare(&reference, &reconstruction).unwrap();
    assert_eq!(forward.assignment_mse, [0, 1, 2, 3, 4, 5]);
    reconstruction.reverse();
    let backward = compare(&reference, &reconstruction).unwrap();
    assert_eq!(backward.assignment_mse, [5, 4, 3, 2, 1, 0]);
    assert_eq!(backward.assignment_ssim, [5, 4, 3, 2, 1, 0]);
    for (a, b) in [(&forward.psnr, &backward.psnr), (&forward.ssim, &backward.ssim)] {
        assert_close(b.one_to_one, a.one_to_one, "one-to-one");
        assert_close(b.best_reference, a.best_reference, "best reference");
        assert_close(a.aligned, a.one_to_one, "aligned");
        assert!(b.aligned < a.aligned - 0.1);
    }
}

/// The largest sum over all ways to give the rows from `row` on columns that are not in `used`.
fn brute_force(columns: usize, weights: &[f64], row: usize, used: u32) -> f64 {
    let Some(row_weights) = weights.chunks_exact(columns).nth(row) else { return 0.0 };
    let free = (0..columns).filter(|column| used & (1_u32 << column) == 0);
    free.map(|column| row_weights[column] + brute_force(columns, weights, row + 1, used | (1_u32 << column)))
        .fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn assignments_equal_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let square = (1..=6).map(|count| (count, count));
    for (rows, columns) in square.chain([(1, 5), (2, 6), (5, 6)]).flat_map(|shape| [shape; 50]) {
        let weights: Vec<f64> = (0..rows * columns).map(|_| f64::from(rng.next_u32()) / 4e9 - 0.5).collect();
        let sum = |assignment: Vec<usize>| -> f64 {
            let distinct: std::collections::BTreeSet<_> = assignment.iter().collect();
            assert_eq!((assignment.len(), distinct.len()), (rows, rows));
            assignment.iter().enumerate().map(|(row, column)| weights[row * columns + column]).sum()
        };
        let negated: Vec<f64> = weights.iter().map(|weight| -weight).collect();
        let largest = sum(assign::largest_sum(rows, columns, &weights));
        assert_close(largest, brute_force(columns, &weights, 0, 0), "largest");
        let smallest = sum(assign::smallest_sum(rows, columns, &weights));
        assert_close(smallest, -brute_force(columns, &negated, 0, 0), "smallest");
    }
}

#[test]
fn one_to_one_ssim_and_psnr_equal_the_best_of_all_orders() {
    for count in 1..=6 {
        let reference = random_pictures(count, 12, 20 + count as u64);
        let mut found = random_pictures(count, 12, 40 + count as u64);
        // Like several references at once, so that the best order is not plain to see.
        for (i, picture) in found.iter_mut().enumerate() {
            let (a, b) = (&reference[(i + 1) % count].pixels, &reference[(i * 5 + 2) % count].pixels);
            let mixed = a.iter().zip(b).zip(&picture.pixels).map(|((a, b), n)| 0.3 * a + 0.3 * b + 0.4 * n);
            picture.pixels = mixed.collect();
        }
        let together = compare(&reference, &found).unwrap();
        let pairs = || found.iter().flat_map(|f| reference.iter().map(move |r| (f.clone(), r.clone())));
        let alone: Vec<_> = pairs().map(|(f, r)| compare(&[r], &[f]).unwrap()).collect();
        let ssim: Vec<f64> = alone.iter().map(|c| c.ssim.aligned).collect();
        let error: Vec<f64> = alone.iter().map(|c| -c.mse.aligned).collect();
        assert_close(together.ssim.one_to_one * count as f64, brute_force(count, &ssim, 0, 0), "ssim");
        assert_close(together.mse.one_to_one * count as f64, -brute_force(count, &error, 0, 0), "mse");
    }
}

#[test]
fn equal_scores_and_zeros_are_assigned_too() {
    for weights in [[0.0; 9], [1.0; 9], [-1e-300; 9], [1e300; 9]] {
        let mut assignment = assign::largest_sum(3, 3, &weights);
        assignment.sort_unstable();
        assert_eq!(assignment, [0, 1, 2]);
    }
}

#[test]
fn a_batch_of_128_is_assigned_in_seconds() {
    let reference = random_pictures(128, 32, 4);
    let reconstruction: Vec<_> = (0..128).map(|index| reference[index * 37 % 128].clone()).collect();
    let start = Instant::now();
    let found = compare(&reference, &reconstruction).unwrap();
    let wanted: Vec<_> = (0..128).map(|index| index * 37 % 128).collect();
    assert_eq!(found.assignment_mse, wanted);
    assert_eq!(found.assignment_ssim, wanted);
    let seconds = start.elapsed().as_secs_f64();
    println!("B = 128, 3×32×32: {seconds:.2} s");
    assert!(seconds < 60.0, "{seconds} s");
}

#[test]
fn identical_pictures_have_infinite_psnr_and_json_says_null() {
    let pictures = random_pictures(2, 12, 5);
    let found = compare(&pictures, &pictures).unwrap();
    assert_eq!((found.psnr.aligned, found.mse.aligned), (f64::INFINITY, 0.0));
    assert_close(found.ssim.aligned, 1.0, "ssim");
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["psnr"]["aligned"].is_null());
    assert!(json["note"].as_str().unwrap().contains("infinite"));
    assert_eq!(json["mse"]["aligned"], 0.0);
    assert_eq!(json["assignment_mse"], serde_json::json!([0, 1]));
    assert!(found.to_string().contains("inf"));

    let noisy = compare(&pictures, &random_pictures(2, 12, 6)).unwrap();
    assert!(serde_json::to_value(&noisy).unwrap().get("note").is_none());
}

#[test]
fn best_reference_lets_one_original_serve_twice() {
    let reference = random_pictures(3, 16, 7);
    let collapsed = vec![reference[1].clone(); 3];
    let found = compare(&reference, &collapsed).unwrap();
    assert_eq!(found.mse.best_reference, 0.0);
    assert!(found.mse.one_to_one > 0.05 && found.ssim.one_to_one < 0.5);
}

#[test]
fn the_flat_grey_floor_is_that_of_its_definition() {
    let black_and_white: Vec<_> =
        [0.0, 1.0].into_iter().map(|value| Picture::flat(1, 16, 16, value).unwrap()).collect();
    let floor = flat_grey_floor(&black_and_white).unwrap();
    assert_close(floor.psnr.aligned, -10.0 * 0.25_f64.log10(), "psnr");
    // Without variance only the first factor is left: (2·μx·μy + C1) / (μx² + μy² + C1).
    let ssim = (1e-4 / (0.25 + 1e-4) + (1.0 + 1e-4) / (1.25 + 1e-4)) / 2.0;
    assert!((floor.ssim.aligned - ssim).abs() < 1e-9);
}

#[test]
fn ssim_is_not_defined_below_its_window_and_the_rest_is() {
    let small = random_pictures(3, 8, 8);
    let mut turned = small.clone();
    turned.rotate_left(1);
    let found = compare(&small, &turned).unwrap();
    assert!(found.ssim.aligned.is_nan() && found.ssim.per_image.one_to_one.iter().all(|v| v.is_nan()));
    assert_eq!((found.mse.one_to_one, &found.assignment_mse), (0.0, &vec![1, 2, 0]));
    assert_eq!(found.assignment_ssim, found.assignment_mse);
    assert!(found.note.unwrap().contains("below 11 pixels") && found.to_string().contains("below 11 pixels"));
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["ssim"]["one_to_one"].is_null() && json["mse"]["one_to_one"].is_number());
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let message = |a: &[Picture], b: &[Picture]| compare(a, b).unwrap_err().to_string();
    let pictures = random_pictures(2, 12, 8);
    assert!(message(&[], &[]).contains("no pictures"));
    assert!(message(&pictures, &pictures[..1]).contains("(2), found 1"));
    assert!(message(&pictures, &random_pictures(2, 13, 8)).contains("reconstruction 0: expected 3×12×12"));
    let small = random_pictures(2, 10, 8);
    assert!(ssim_table(&small, &small).unwrap_err().to_string().contains("at least 11"));
    let mut broken = pictures.clone();
    broken[1].pixels[5] = f32::NAN;
    assert!(message(&pictures, &broken).contains("reconstruction 1: expected finite pixels, found NaN"));
    broken[1].pixels.pop();
    assert!(message(&broken, &pictures).contains("432"));
}

#[test]
fn folders_are_paired_by_sorted_name() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["originals", "restored"].map(|name| folder.path().join(name));
    fs::create_dir(&a).unwrap();
    fs::create_dir(&b).unwrap();
    for (index, dir) in [&a, &b, &a, &b].into_iter().enumerate() {
        let name = format!("{}.png", 9 - index / 2);
        samples().picture(index / 2).unwrap().write_png(&dir.join(name)).unwrap();
    }
    let found = compare_folders(&a, &b).unwrap();
    assert_eq!(found.pairs[0].reference, a.join("8.png"));
    assert_eq!(found.pairs[1].reconstruction, b.join("9.png"));
    assert_eq!(found.comparison.mse.aligned, 0.0);
    assert!(found.flat_grey.psnr.aligned < 15.0);
    assert!(serde_json::to_value(&found).unwrap()["flat_grey"]["psnr"]["aligned"].is_f64());

    let message = || compare_folders(&a, &b).unwrap_err().to_string();
    Picture::flat(3, 16, 16, 0.5).unwrap().write_png(&b.join("9.png")).unwrap();
    assert!(message().contains("9.png") && message().contains("3×32×32"), "{}", message());
    fs::remove_file(b.join("9.png")).unwrap();
    assert!(message().contains("restored") && message().contains("2 pictures"), "{}", message());
    fs::remove_file(b.join("8.png")).unwrap();
    assert!(message().contains("restored") && message().contains("empty"), "{}", message());
}
