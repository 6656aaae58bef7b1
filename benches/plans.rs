//! How long an attack takes to begin: the graph with its second derivatives, `Plan::new`, and compilation for the CPU
//! device, for every standard victim.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use gia_gpu::{
    attack::{
        adam::{self, Adam},
        config::AttackConfig,
        problem::{Problem, Scene, Sizes},
    },
    bench::{Work, standard},
    device::{Device, cpu::Cpu},
    federated::{DEFAULT_CLASSES, Protocol},
    nn::Model,
};

fn plans(c: &mut Criterion) {
    for subject in standard().into_iter().filter(|subject| subject.work == Work::Attack) {
        let victim = &subject.victim;
        let model =
            Model::new(&victim.name, &victim.options, victim.image, DEFAULT_CLASSES).expect("it is standard");
        let config = AttackConfig::preset("ig", &victim.name).expect("the preset exists");
        let protocol = Protocol::default();
        let scene =
            Scene { model: &model, protocol: &protocol, config: &config, views: &[], weighted: false };
        let problem = || Problem::new(&scene, Sizes::one_target(subject.trials, subject.batch, false));
        let adam = Adam::of(config.optimiser, 0).expect("the preset uses Adam");
        let plan =
            |mut problem: Problem| adam::Iteration::new(&mut problem, adam, config.iterations, None).plan;
        let planned = plan(problem());

        let mut group = c.benchmark_group(subject.to_string());
        group.bench_function("graph", |bencher| bencher.iter(|| black_box(problem().tape.nodes().len())));
        group.bench_function("plan", |bencher| {
            bencher.iter_with_setup(problem, |problem| black_box(plan(problem).steps.len()))
        });
        group.bench_function("compile", |bencher| {
            bencher.iter_with_large_drop(|| Cpu::<f32>::new().compile(&planned).expect("the plan is sound"))
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(10);
    targets = plans
}
criterion_main!(benches);
