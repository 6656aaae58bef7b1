//! Speed of the CPU device's kernels, in f32, at the sizes of real attacks: arithmetic throughput of the
//! contractions (elements are multiply-adds) and memory traffic of the others.
//!
//! Set `RAYON_NUM_THREADS=1` for one thread.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gia_gpu::{
    bench::{Case, fused, square, transposed},
    device::cpu::Cpu,
    plan::kernel::View,
    tape::{op::Unary, spec::WindowSpec},
};

fn measure(c: &mut Criterion, case: &Case, throughput: Throughput) {
    let mut compiled = case.compile(&Cpu::<f32>::new()).expect("the plan is sound");
    let mut group = c.benchmark_group(case.name());
    group.throughput(throughput);
    group.bench_function(&case.shape, |bencher| bencher.iter(|| compiled.run(1).expect("the plan runs")));
}

fn measure_arithmetic(c: &mut Criterion, case: &Case) {
    measure(c, case, Throughput::Elements(case.flops() / 2));
}

fn measure_traffic(c: &mut Criterion, case: &Case) {
    measure(c, case, Throughput::Bytes(case.bytes()));
}

fn matmuls(c: &mut Criterion) {
    for size in [
        [1, 256, 2304, 1024],
        [1, 256, 1152, 1024],
        [1, 128, 576, 1024],
        [1, 512, 4608, 16],
        [1, 12, 300, 64],
        [1, 12, 300, 256],
        [64, 1, 768, 100],
        [12, 50, 64, 50],
        [1, 1, 3072, 1024],
    ] {
        measure_arithmetic(c, &Case::matmul(size));
    }
}

fn convolutions(c: &mut Criterion) {
    for size in [
        [1, 1, 256, 256, 32, 3, 1],
        [1, 1, 128, 256, 32, 3, 1],
        [1, 1, 64, 128, 32, 3, 1],
        [1, 4, 128, 256, 32, 3, 1],
        [1, 1, 512, 512, 4, 3, 1],
        [1, 8, 64, 64, 32, 3, 1],
        [1, 1, 3, 12, 32, 5, 2],
        [1, 1, 12, 12, 16, 5, 2],
        [1, 1, 12, 12, 8, 5, 1],
        [1, 8, 12, 12, 8, 5, 1],
        [64, 1, 12, 12, 8, 5, 1],
    ] {
        for case in Case::convolutions(size) {
            measure_arithmetic(c, &case);
        }
    }
}

fn maps(c: &mut Criterion) {
    for n in [3072, 262_144, 8 << 20] {
        for function in [None, Some(Unary::Exp), Some(Unary::Tanh), Some(Unary::Sigmoid), Some(Unary::Erf)] {
            let name = format!("a·b+c {}", function.map_or(String::new(), |f| format!("{f:?}")));
            measure_traffic(c, &Case::map(name.trim_end(), &[n], fused(&[n], function)));
        }
        measure_traffic(c, &Case::sum("Σ a·b+c", &[n], 0, fused(&[n], None)));
    }
}

/// Reductions down columns and over short rows, and a transposed read.
fn layouts(c: &mut Criterion) {
    for [rows, columns] in [[64, 3072], [1024, 1024], [100_000, 10]] {
        let (plain, turned) = ([rows, columns], [columns, rows]);
        for case in [
            Case::sum(&format!("columns of {rows}×{columns}"), &turned, 1, square(transposed(turned))),
            Case::sum(&format!("rows of {rows}×{columns}"), &plain, 1, square(View::contiguous(&plain))),
            Case::map(&format!("transpose {rows}×{columns}"), &plain, square(transposed(plain))),
        ] {
            measure_traffic(c, &case);
        }
    }
}

fn windows(c: &mut Criterion) {
    for (size, kernel, stride, padding) in [(32, 2, 2, 0), (32, 3, 2, 1), (8, 8, 8, 0)] {
        let spec =
            WindowSpec { size: [size; 2], kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] };
        for case in Case::windows(spec, 64) {
            measure_traffic(c, &case);
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(20);
    targets = matmuls, convolutions, maps, layouts, windows
}
criterion_main!(benches);
