//! Every shader against its `f64` twin on the CPU device, compiled with and without runtime checks.
//!
//! Bounds follow the error of a sum of `K` rounded products, `c·√K·ε·Σ|a||b|`; the twin on the operands'
//! magnitudes gives `Σ|a||b|`.

use std::thread;

use crate::step_cases::{
    Case, EPSILON, Operand, fused, fuzz, gpu, magnitudes, open,
    shapes::{self, Conv},
};
use gia_gpu::device::gpu::{Gpu, GpuOptions, TILES, Tuning};

fn check(case: &Case, seed: u64) {
    check_on(case, seed, EPSILON, [true, false].map(gpu));
}

/// Compares what two devices give, the first checked, the second trusted, with the twin, whose operands may be rounded
/// by `epsilon`; returns the trusted result.
fn check_on(case: &Case, seed: u64, epsilon: f64, devices: [&Gpu; 2]) -> Vec<f32> {
    let twin = Twin::of(case, seed, epsilon);
    let [_, trusted] = [(devices[0], true), (devices[1], false)]
        .map(|(device, checked)| twin.check(case, device, if checked { "checked" } else { "trusted" }));
    trusted
}

/// What the twin says, and how far another may be from it.
struct Twin {
    operands: Vec<Vec<f32>>,
    expected: Vec<f64>,
    bounds: Vec<f64>,
}

impl Twin {
    fn of(case: &Case, seed: u64, epsilon: f64) -> Twin {
        let operands = case.operands(seed);
        let expected = case.twin(&operands);
        let absolute: Vec<_> = operands
            .iter()
            .enumerate()
            .map(|(i, values)| match case.reads.get(i) {
                Some(Operand::Index { .. }) => values.clone(),
                _ => magnitudes(values),
            })
            .collect();
        let scale = if case.depth > 0 { case.twin(&absolute) } else { vec![0.0; expected.len()] };
        let bounds = scale.iter().map(|scale| 4.0 * (case.depth as f64).sqrt() * epsilon * scale).collect();
        Twin { operands, expected, bounds }
    }

    /// What `device` finds, which is within the bounds.
    fn check(&self, case: &Case, device: &Gpu, what: &str) -> Vec<f32> {
        let found = case.run(device, &self.operands);
        assert_eq!(found.len(), self.expected.len());
        for (i, (&found, (&expected, &bound))) in
            found.iter().zip(self.expected.iter().zip(&self.bounds)).enumerate()
        {
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= bound,
                "{}: element {i} is {found}, not {expected} (off by {error:e}, bound {bound:e}, {what})",
                case.name,
            );
        }
        found
    }
}

fn check_all(cases: Vec<Case>) {
    for (seed, case) in cases.iter().enumerate() {
        check(case, seed as u64);
    }
}

#[test]
fn matmul_matches_its_twin() {
    check_all(shapes::matmuls());
    check_all(fuzz::matmuls(40));
}

#[test]
fn conv2d_matches_its_twin() {
    check_all(shapes::convs(Conv::Forward));
    check_all(fuzz::convs(Conv::Forward, 40));
}

#[test]
fn conv2d_grad_input_matches_its_twin() {
    check_all(shapes::convs(Conv::GradInput));
    check_all(fuzz::convs(Conv::GradInput, 40));
}

#[test]
fn conv2d_grad_weight_matches_its_twin() {
    check_all(shapes::convs(Conv::GradWeight));
    check_all(fuzz::convs(Conv::GradWeight, 40));
}

/// The zeros that fill up a tile never meet an infinity. (Those of a convolution's own padding may meet an
/// infinite weight, here as in other engines.)
#[test]
fn contractions_carry_infinities_no_further_than_they_reach() {
    let convs = [Conv::Forward, Conv::GradInput, Conv::GradWeight].map(|which| fuzz::convs(which, 8));
    let convs = convs.into_iter().flatten().map(|case| (case, 0));
    let matmuls = [0, 1].map(|operand| fuzz::matmuls(12).into_iter().map(move |case| (case, operand)));
    for (seed, (case, operand)) in convs.chain(matmuls.into_iter().flatten()).enumerate() {
        let mut operands = case.operands(seed as u64);
        let last = operands[operand].len() - 1;
        operands[operand][last] = f32::INFINITY;
        let found = case.run(gpu(false), &operands);
        for (found, expected) in found.iter().zip(case.twin(&operands)) {
            let same = found.is_nan() == expected.is_nan() && found.is_finite() == expected.is_finite();
            assert!(same, "{}: {found}, not {expected}", case.name);
        }
    }
}

#[test]
fn window_kernels_match_their_twins() {
    check_all(shapes::windows());
    check_all(fuzz::windows(60));
}

#[test]
fn gather_and_scatter_add_match_their_twins() {
    check_all(shapes::gathers());
}

#[test]
fn map_matches_its_twin_for_every_kind_of_view() {
    check_all(fused::maps());
    check_all(fuzz::maps(60));
}

#[test]
fn map_reduce_matches_its_twin() {
    check_all(fused::map_reduces());
    check_all(fuzz::map_reduces(40));
}

#[test]
fn a_map_may_have_more_workgroups_than_one_dimension_takes() {
    check(&fused::wide_map(), 0);
}

/// What is split, and where, follows from the shape alone, so no tile changes the order of additions.
#[test]
fn every_tile_matches_the_twin_and_gives_the_same_bits() {
    let cases = shapes::tiled();
    let twins: Vec<Twin> = cases.iter().map(|case| Twin::of(case, 1, EPSILON)).collect();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let by_rule: Vec<_> =
        cases.iter().zip(&twins).map(|(case, twin)| bits(&twin.check(case, gpu(false), "by rule"))).collect();
    let check = |index: usize| {
        let tile = TILES[index].0;
        let options = |checked| GpuOptions { checked, tuning: Tuning::Only(tile), ..GpuOptions::default() };
        let devices = [true, false].map(|checked| open(options(checked)));
        for (k, (case, (twin, by_rule))) in cases.iter().zip(twins.iter().zip(&by_rule)).enumerate() {
            // Every other one with runtime checks, in turn: compiling takes all the time.
            let found = twin.check(case, &devices[(index + k) % 2], &tile.name());
            assert_eq!(&bits(&found), by_rule, "{} in {}", case.name, tile.name());
        }
    };
    let check = &check;
    thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || (half..TILES.len()).step_by(2).for_each(check));
        }
    });
}

/// Where the adapter has subgroups, other tests reduce with them; here without.
#[test]
fn reductions_need_no_subgroups() {
    let options = |checked| GpuOptions { checked, subgroups: false, ..GpuOptions::default() };
    let devices = [true, false].map(|checked| open(options(checked)));
    for (seed, case) in fused::map_reduces().iter().enumerate() {
        check_on(case, seed as u64, EPSILON, devices.each_ref());
    }
}

/// The same bound with the rounding of f16 (its operands', twice a product) for that of f32.
#[test]
fn half_tiles_round_operands_to_eleven_bits_and_no_more() {
    let options =
        |checked| GpuOptions { allow_software: true, checked, half_tiles: true, ..GpuOptions::default() };
    let Ok(trusted) = Gpu::new(options(false)) else {
        eprintln!("no adapter here has 16-bit floats");
        return;
    };
    let checked = open(options(true));
    for case in shapes::tiled() {
        let epsilon = 2.0 * f64::from(half::f16::EPSILON) / 2.0;
        check_on(&case, 2, epsilon, [&checked, &trusted]);
    }
}
