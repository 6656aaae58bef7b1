//! Updates of clients that train as clients do, with whatever optimiser, read by someone who knows of a learning rate at
//! most: none is refused.

use gia_gpu::{
    attack::{labels::sign_and_scale, last_layer::last_layer},
    device::cpu::Cpu,
    federated::{ClientLoss, Kind, Local, LocalOptimiser, Protocol, Request, Victim, client, observed},
    random::{generator, normal},
};
use rand::{Rng, RngExt};

const IMAGE: [usize; 3] = [1, 4, 4];
const PIXELS: usize = 16;

/// Pictures around a mean of their class.
struct Data {
    means: Vec<f32>,
    classes: usize,
}

impl Data {
    fn batch(&self, random: &mut impl Rng, count: usize) -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..count).map(|_| random.random_range(0..self.classes)).collect();
        let mut picture = |label: usize| -> Vec<f32> {
            let mean = &self.means[label * PIXELS..][..PIXELS];
            normal(random, PIXELS).iter().zip(mean).map(|(n, m)| m + 0.5 * n).collect()
        };
        (labels.iter().flat_map(|&label| picture(label)).collect(), labels)
    }
}

/// The victim after `steps` of training on 32 pictures.
fn trained(victim: Victim, data: &Data, random: &mut impl Rng, steps: usize) -> Victim {
    let (x, labels) = data.batch(random, 32);
    let protocol = Protocol { local: Some(Local::sgd(steps, 32, 0.3)), ..Protocol::default() };
    let update = client::update(&Cpu::<f32>::new(), &victim, &protocol, &x, &labels).unwrap();
    let delta = observed::sent(&protocol, 32, update.gradient);
    let mut victim = victim;
    for (tensor, delta) in victim.tensors.iter_mut().zip(&delta) {
        tensor.iter_mut().zip(delta).for_each(|(w, d)| *w += d);
    }
    victim
}

fn optimiser(random: &mut impl Rng) -> LocalOptimiser {
    let all = ["sgd", "momentum:0.9", "nesterov:0.9", "adam", "adamw", "rmsprop"];
    all[random.random_range(0..all.len())].parse().unwrap()
}

fn loss(random: &mut impl Rng) -> ClientLoss {
    let all = ["mean", "mean", "sum", "smoothing:0.1", "smoothing:0.2"];
    all[random.random_range(0..all.len())].parse().unwrap()
}

#[test]
fn no_genuine_update_is_refused_whatever_the_client_trains_with() {
    let (mut read, mut warned) = (0, 0);
    for seed in 0..400 {
        let mut random = generator(seed, "local update");
        let random = &mut random;
        let classes = random.random_range(2..=20);
        let batch = random.random_range(0.0..65f64.ln()).exp() as usize;
        let activation = ["relu", "tanh", "silu"][random.random_range(0..3)];
        let request = Request {
            options: format!("hidden=24 activation={activation}").parse().unwrap(),
            image: Some(IMAGE),
            classes: Some(classes),
            ..Request::named("mlp")
        };
        let data = Data { means: normal(random, classes * PIXELS), classes };
        let mut victim = Victim::from_seed(&request, seed).unwrap();
        if random.random_bool(0.5) {
            let steps = [5, 20, 60][random.random_range(0..3)];
            victim = trained(victim, &data, random, steps);
        }
        let (x, labels) = data.batch(random, batch);
        let local_batch = random.random_range(1..=batch);
        let rate = 10f64.powf(random.random_range(-3.0..-1.0));
        let local = Local {
            optimiser: optimiser(random),
            weight_decay: if random.random_bool(0.3) { 1e-2 } else { 0.0 },
            ..Local::sgd(random.random_range(1..=6), local_batch, rate)
        };
        let protocol = Protocol { local: Some(local), loss: loss(random), ..Protocol::default() };
        let Ok(update) = client::update(&Cpu::<f32>::new(), &victim, &protocol, &x, &labels) else {
            continue;
        };
        let mut sent = observed::sent(&protocol, batch, update.gradient);
        let clip = if random.random_bool(0.3) { random.random_range(0.1..1.0) } else { 1.0 };
        let half = random.random_bool(0.3);
        for value in sent.iter_mut().flatten() {
            *value *= clip;
            if half {
                *value = half::f16::from_f32(*value).to_f32();
            }
        }
        let plain = Local::sgd(local.steps, local.batch, rate);
        let readings = [
            protocol.clone(),
            Protocol { local: Some(plain), ..Protocol::default() },
            // Who knows of no steps.
            Protocol { local: Some(Local::sgd(1, batch, rate)), ..Protocol::default() },
        ];
        for reading in readings {
            let gradient = observed::mean_gradient(&victim, &reading, Kind::Update, batch, sent.clone());
            let layer = last_layer(&victim, &gradient).unwrap();
            let found = sign_and_scale(&layer, batch);
            assert!(
                !found.is_reversed(),
                "seed {seed}: K {classes}, B {batch}, {activation}, {protocol:?} × {clip}, read as {reading:?}: {found}"
            );
            read += 1;
            warned += u32::from(found.warning().is_some());
        }
    }
    assert!(read > 1000, "{read}");
    println!("{warned} of {read} readings warned of, none refused");
}
