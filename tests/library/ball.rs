//! The projection on the l1 ball, which finds its threshold by Newton's method, against one that sorts (Duchi 2008).

use gia_gpu::{
    attack::ball::{project, shrink},
    device::{Device, cpu::Cpu},
    plan::Plan,
    random,
    tape::Tape,
};
use rand::RngExt;

/// The nearest `v` with ‖v‖₁ ≤ `radius`, by sorting.
fn sorted(v: &[f32], radius: f64) -> Vec<f64> {
    let mut sizes: Vec<f64> = v.iter().map(|v| f64::from(v.abs())).collect();
    if sizes.iter().sum::<f64>() <= radius {
        return v.iter().map(|&v| f64::from(v)).collect();
    }
    sizes.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (i, size) in sizes.iter().enumerate() {
        sum += size;
        let candidate = (sum - radius) / (i + 1) as f64;
        if *size >= candidate {
            threshold = candidate;
        }
    }
    v.iter().map(|&v| f64::from(v.signum()) * (f64::from(v.abs()) - threshold).max(0.0)).collect()
}

/// By the plan, of many vectors of one length at once.
fn by_plan(vectors: &[Vec<f32>], radii: &[f32]) -> Vec<Vec<f32>> {
    let (count, length) = (vectors.len(), vectors[0].len());
    let mut tape = Tape::new();
    let [v, radius] = [length, 1].map(|n| tape.input(&[1, count, n]));
    let near = shrink(&mut tape, v, radius, &[2]);
    let mut run = Cpu::<f32>::new().compile(&Plan::new(&tape, &[near], &[])).unwrap();
    run.write(v, &vectors.concat()).unwrap();
    run.write(radius, radii).unwrap();
    run.run(1).unwrap();
    run.read(near).unwrap().chunks(length).map(<[f32]>::to_vec).collect()
}

fn check(vectors: &[Vec<f32>], radii: &[f32]) {
    for ((v, &radius), found) in vectors.iter().zip(radii).zip(by_plan(vectors, radii)) {
        let expected = sorted(v, radius.into());
        let largest = v.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let off = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(off <= 2e-5 * f64::from(largest), "off by {off} of {largest}, radius {radius}, {}", v.len());
        let length: f64 = found.iter().map(|v| f64::from(v.abs())).sum();
        assert!(length <= f64::from(radius) * (1.0 + 1e-5), "{length} beyond {radius}");
    }
}

/// 10,000 vectors: of normal numbers, of powers that span many magnitudes, and of few values with many ties.
#[test]
fn the_threshold_is_the_one_that_sorting_finds() {
    let mut generator = random::generator(26, "balls");
    let mut left = 10_000;
    for length in [1, 2, 3, 7, 64, 300] {
        let count = if length == 300 { left } else { 1_900 };
        left -= count;
        let vectors: Vec<Vec<f32>> = (0..count)
            .map(|i| match i % 3 {
                0 => random::normal(&mut generator, length),
                1 => (0..length).map(|_| 10f32.powf(generator.random_range(-6.0..6.0))).collect(),
                _ => (0..length).map(|_| generator.random_range(-2..=2) as f32).collect(),
            })
            .collect();
        // Inside, at the border, and far outside.
        let share = |i: usize| [0.0, 1e-3, 0.1, 0.5, 0.999, 1.0, 2.0][i % 7];
        let length = |v: &Vec<f32>| v.iter().map(|v| v.abs()).sum::<f32>();
        let radii: Vec<f32> = vectors.iter().enumerate().map(|(i, v)| share(i) * length(v)).collect();
        check(&vectors, &radii);
    }
    assert_eq!(left, 0);
}

#[test]
fn a_million_values_and_the_edges() {
    let mut generator = random::generator(27, "balls");
    let long = random::normal(&mut generator, 1_000_000);
    check(std::slice::from_ref(&long), &[800.0]);
    check(std::slice::from_ref(&long), &[4e5]);
    check(&[long], &[0.0]);
    check(&[vec![3.0, -3.0, 3.0, 3.0]], &[6.0]);
    check(&[vec![0.0; 5]], &[0.0]);
    check(&[vec![-4.0]], &[1.5]);
    // Values of very different sizes, most of which are far below the threshold.
    let slow: Vec<f32> = (0..60).map(|i| 0.5f32.powi(i)).collect();
    let found = by_plan(&[slow], &[1e-3]).swap_remove(0);
    assert!(found.iter().sum::<f32>() <= 1e-3 * 1.00001);
}

/// Each picture has a ball of its own around its own centre.
#[test]
fn a_picture_keeps_near_its_centre() {
    let mut tape = Tape::new();
    let [x, centre] = [0, 1].map(|_| tape.input(&[1, 2, 3]));
    let near = project(&mut tape, x, centre, 0.5);
    let mut run = Cpu::<f32>::new().compile(&Plan::new(&tape, &[near], &[])).unwrap();
    run.write(centre, &[1.0, -1.0, 2.0, 10.0, 0.0, 0.0]).unwrap();
    run.write(x, &[5.0, -1.0, 2.0, 11.0, 1.0, 0.0]).unwrap();
    run.run(1).unwrap();
    let found = run.read(near).unwrap();
    let expected = [3.0, -1.0, 2.0, 11.0, 1.0, 0.0];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
}
