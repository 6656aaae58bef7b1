//! Every way of a 3×3 convolution on the same shapes: what `device::cpu::convolution` chooses by.
//!
//! Throughput is in multiplications of the definition, whatever the way saves of them.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gia_gpu::{
    bench::Case,
    device::cpu::{Cpu, Way},
};

fn convolutions(c: &mut Criterion) {
    // Batch, channels, outputs, side.
    for [batch, channels, outputs, size] in [
        // ConvNet64
        [1, 64, 128, 32],
        [1, 128, 128, 32],
        [1, 128, 256, 32],
        [1, 256, 256, 32],
        [1, 256, 256, 10],
        [4, 256, 256, 32],
        [4, 256, 256, 10],
        // ResNet-18
        [1, 64, 64, 32],
        [1, 128, 128, 16],
        [1, 256, 256, 8],
        [1, 512, 512, 4],
        [4, 64, 64, 32],
        [4, 128, 128, 16],
        [4, 256, 256, 8],
        [4, 512, 512, 4],
        // ResNet-20
        [1, 32, 32, 16],
        [1, 64, 64, 8],
        [16, 64, 64, 8],
        [128, 16, 16, 32],
        [128, 32, 32, 16],
        [128, 64, 64, 8],
    ] {
        for case in Case::convolutions([1, batch, channels, outputs, size, 3, 1]) {
            let mut group = c.benchmark_group(format!("{} {}", case.name(), case.shape));
            group.throughput(Throughput::Elements(case.flops() / 2));
            let any = || Cpu::<f32>::new();
            for (name, cpu) in [
                ("chosen", any()),
                ("patches", any().with_way(Way::Patches)),
                ("direct", any().with_way(Way::Direct)),
                ("winograd", any().with_way(Way::Winograd)),
            ] {
                let mut compiled = case.compile(&cpu).expect("the plan is sound");
                group.bench_function(name, |b| b.iter(|| compiled.run(1).expect("the plan runs")));
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(10);
    targets = convolutions
}
criterion_main!(benches);
