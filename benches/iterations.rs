//! One iteration of the `ig` attack on every standard victim, and one training step, on the CPU device.
//!
//! Set `RAYON_NUM_THREADS=1` for one thread.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gia_gpu::{
    bench::{Inputs, Iteration, TrainingStep, Work, standard},
    device::cpu::Cpu,
};

fn iterations(c: &mut Criterion) {
    let device = Cpu::<f32>::new();
    let mut group = c.benchmark_group("iterations");
    for subject in standard() {
        let inputs = Inputs::drawn(&device, &subject, 42).expect("a standard victim");
        group.throughput(Throughput::Elements(subject.trials as u64));
        let name = subject.to_string();
        match subject.work {
            Work::Attack => {
                let mut iteration = Iteration::new(&device, &inputs).expect("the plan is sound");
                group.bench_function(name, |bencher| bencher.iter(|| iteration.run(1).expect("it runs")));
            }
            Work::Training => {
                let mut step = TrainingStep::new(&device, &inputs).expect("the plan is sound");
                group.bench_function(name, |bencher| bencher.iter(|| step.run(1).expect("it runs")));
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(10);
    targets = iterations
}
criterion_main!(benches);
