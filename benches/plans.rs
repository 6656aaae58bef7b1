//! How long an attack takes to begin: the graph with its second derivatives, `Plan::new`, and compilation for the CPU
//! device, for every standard victim.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use gia_gpu::{
    bench::{Inputs, Iteration, Work, standard},
    device::{Device, cpu::Cpu},
};

fn plans(c: &mut Criterion) {
    let device = Cpu::<f32>::new();
    for subject in standard().into_iter().filter(|subject| subject.work == Work::Attack) {
        let inputs = Inputs::drawn(&device, &subject, 42).expect("a standard victim");
        let plan = Iteration::plan(&inputs, &mut Iteration::graph(&inputs)).plan;

        let mut group = c.benchmark_group(subject.to_string());
        group.bench_function("graph", |bencher| {
            bencher.iter(|| black_box(Iteration::graph(&inputs).tape.nodes().len()))
        });
        group.bench_function("plan", |bencher| {
            let each = |mut problem| black_box(Iteration::plan(&inputs, &mut problem).plan.steps.len());
            bencher.iter_with_setup(|| Iteration::graph(&inputs), each)
        });
        group.bench_function("compile", |bencher| {
            bencher.iter_with_large_drop(|| device.compile(&plan).expect("the plan is sound"))
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(10);
    targets = plans
}
criterion_main!(benches);
