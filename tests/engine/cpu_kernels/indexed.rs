//! Rows taken from a table and added into one.

use gia_gpu::{
    device::cpu::Number,
    plan::kernel::{GatherKernel, Kernel},
};

use super::{
    naive,
    support::{Random, absolute, assert_close, at_every_level, run},
};

pub(crate) fn random_gather(random: &mut Random) -> (GatherKernel, Vec<f64>) {
    let [rows, width, count] = [0; 3].map(|_| random.one_of(&[1, 2, 3, 7, 13, 61]));
    let index = (0..count).map(|_| random.below(rows + 2) as f64 - 1.0).collect();
    (GatherKernel { rows, width, count }, index)
}

fn scatter(kernel: &GatherKernel, values: &[f64], index: &[f64]) -> Vec<f64> {
    let mut table = vec![0.0; kernel.rows * kernel.width];
    for (i, &index) in index.iter().enumerate() {
        if let Some(row) = naive::table_row(kernel, index) {
            for j in 0..kernel.width {
                table[row * kernel.width + j] += values[i * kernel.width + j];
            }
        }
    }
    table
}

fn check<R: Number>(random: &mut Random) {
    let (kernel, index) = random_gather(random);
    let GatherKernel { rows, width, count } = kernel;
    let table = random.values(rows * width);
    let row_of = |&index: &f64| match naive::table_row(&kernel, index) {
        Some(row) => table[row * width..][..width].to_vec(),
        None => vec![0.0; width],
    };
    let expected: Vec<f64> = index.iter().flat_map(row_of).collect();
    let what = format!("{kernel:?}");
    let values = random.values(count * width);
    let (added, magnitude) =
        (scatter(&kernel, &values, &index), scatter(&kernel, &absolute(&values), &index));
    at_every_level(|isa| {
        let found = run::<R>(isa, Kernel::Gather(kernel), &[&table, &index], count * width);
        assert_eq!(found, expected, "{what}");
        let found = run::<R>(isa, Kernel::ScatterAdd(kernel), &[&values, &index], rows * width);
        assert_close::<R>(&what, &found, &added, &magnitude, count);
    });
}

#[test]
fn gather_and_scatter_add_match_their_definition_and_ignore_indices_outside() {
    let mut random = Random::new(6);
    for _ in 0..200 {
        check::<f64>(&mut random);
        check::<f32>(&mut random);
    }
}

#[test]
fn an_index_that_is_not_a_number_reads_zeros() {
    let kernel = GatherKernel { rows: 2, width: 2, count: 3 };
    let (table, index) = ([1.0, 2.0, 3.0, 4.0], [f64::NAN, f64::INFINITY, 1.0]);
    at_every_level(|isa| {
        for found in [
            run::<f32>(isa, Kernel::Gather(kernel), &[&table, &index], 6),
            run::<f64>(isa, Kernel::Gather(kernel), &[&table, &index], 6),
        ] {
            assert_eq!(found, [0.0, 0.0, 0.0, 0.0, 3.0, 4.0]);
        }
    });
}
