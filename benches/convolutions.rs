//! Every way of a 3×3 convolution on the same shapes: what `device::cpu::convolution` chooses by.
//!
//! Throughput is in multiplications of the definition, whatever the way saves of them.

use std::collections::HashMap;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable, Way},
    plan::{
        Plan,
        kernel::{ConvKernel, Kernel, Step},
    },
    tape::{Var, spec::ConvSpec},
};

/// A compiled plan of one convolution, filled with numbers.
fn executable(kernel: Kernel, way: Option<Way>, reads: [usize; 2], written: usize) -> CpuExecutable<f32> {
    let buffers = vec![reads[0], reads[1], written];
    let bound: HashMap<Var, (usize, usize)> =
        buffers.iter().enumerate().map(|(i, &len)| (Var::from_index(i), (i, len))).collect();
    let plan = Plan {
        steps: vec![Step { kernel, reads: vec![0, 1], write: 2 }],
        buffers,
        literals: Vec::new(),
        bound,
        ..Plan::default()
    };
    let cpu = Cpu::new();
    let cpu = way.map_or(cpu, |way| cpu.with_way(way));
    let mut executable = cpu.compile_typed(&plan).expect("the plan is sound");
    for (i, len) in reads.into_iter().enumerate() {
        let values: Vec<f32> = (0..len).map(|j| (j * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
        executable.write_typed(Var::from_index(i), &values).expect("the lengths agree");
    }
    executable
}

fn convolutions(c: &mut Criterion) {
    // Batch, channels, outputs, side; padding 1.
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
        let spec = ConvSpec {
            batch,
            channels,
            outputs,
            size: [size; 2],
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let kernel = ConvKernel { spec, trials: 1, shared: [false, true] };
        let own = ConvKernel { shared: [false; 2], ..kernel };
        let [x, w, g] = [spec.input_len(), spec.weight_len(), spec.output_len()];
        for (derivative, kernel, reads, written) in [
            ("output", Kernel::Conv2d(kernel), [x, w], g),
            ("input", Kernel::Conv2dGradInput(kernel), [g, w], x),
            ("weight", Kernel::Conv2dGradWeight(own), [x, g], w),
        ] {
            let mut group =
                c.benchmark_group(format!("{batch} {channels}→{outputs} {size}² by {derivative}"));
            group.throughput(Throughput::Elements(spec.flops() / 2));
            for (name, way) in [
                ("chosen", None),
                ("patches", Some(Way::Patches)),
                ("direct", Some(Way::Direct)),
                ("winograd", Some(Way::Winograd)),
            ] {
                let mut executable = executable(kernel.clone(), way, reads, written);
                group.bench_function(name, |b| b.iter(|| executable.run(1).expect("the plan runs")));
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(100))
        .measurement_time(std::time::Duration::from_millis(400))
        .sample_size(10);
    targets = convolutions
}
criterion_main!(benches);
