//! Members found at no false alarm.

use std::path::PathBuf;

use gia_gpu::{
    attack::exact::{inputs::LayerInputs, layers::linear_layers, membership::Span},
    data::Dataset,
    device::Device,
    federated::{Client, Protocol, Victim},
    nn::Options,
    random,
    statistics::Estimate,
};
use rand::RngExt;

use super::{Failure, Figures, Pictures, add_noise, mlp, percent, trained, victim};

/// Batches and outsiders of each.
const BATCHES: usize = 40;
const OUTSIDERS: usize = 200;

pub(crate) fn membership(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "\n| victim | layer | noise | B | members | found at 0 of {} false alarms |",
        BATCHES * OUTSIDERS
    );
    println!("|---|---|---|---|---|---|");
    let mut victims: Vec<(&str, Victim, &PathBuf, &[usize])> = vec![
        ("lenet-zhu, untrained", victim("lenet-zhu", Options::default(), 1)?, &all.cifar, &[1, 2, 4, 8]),
        ("resnet20, untrained", victim("resnet20", Options::default(), 1)?, &all.cifar, &[1, 2, 4, 8]),
        ("mlp 300,300, untrained", victim("mlp", mlp(&[300, 300]), 1)?, &all.cifar, &[8, 16, 32]),
    ];
    if let (Some(weights), Some(test)) = (&all.resnet20, &all.test) {
        victims.push(("resnet20, trained", trained(weights)?, test, &[1, 2, 4, 8]));
    }
    for (name, victim, data, sizes) in victims.iter().filter(|(name, ..)| name.contains(&all.only)) {
        let pictures = Pictures { dataset: Dataset::open(data)?, shape: [3, 32, 32] };
        let layers = linear_layers(victim);
        let layer = &layers[0];
        // What the layer is given for every picture that there is.
        let mut reader = LayerInputs::new(device, victim, 0, OUTSIDERS)?;
        let mut inputs: Vec<Vec<f32>> = vec![];
        for some in (0..pictures.dataset.len()).collect::<Vec<_>>().chunks(500) {
            inputs.extend(reader.of(&pictures.images(some)?)?);
        }
        for noise in [0.0, 1e-3, 1e-2] {
            for &size in *sizes {
                let (batches, rest) = pictures.batches(BATCHES, size, 2);
                let mut client = Client::new(device, victim, &Protocol::default(), size)?;
                let mut distances = vec![];
                for (number, batch) in batches.iter().enumerate() {
                    let images = pictures.images(batch)?;
                    let mut gradient = client.update(victim, &images, &pictures.labels(batch)?)?.gradient;
                    add_noise(&mut gradient, noise, number as u64);
                    let span = Span::of(&layer.name, &gradient[layer.weight], layer.shape, size, 1)?;
                    let mut generator = random::generator(number as u64, "outsiders");
                    let mut others = || rest[generator.random_range(0..rest.len())];
                    let others: Vec<usize> = (0..OUTSIDERS).map(|_| others()).collect();
                    let far = |&i: &usize| {
                        span.distance(&inputs[i].iter().map(|&v| f64::from(v)).collect::<Vec<_>>())
                    };
                    let far = |of: &[usize]| of.iter().map(far).collect::<Vec<f64>>();
                    distances.push((far(batch), far(&others)));
                }
                let nearest =
                    distances.iter().flat_map(|(_, others)| others).copied().fold(f64::INFINITY, f64::min);
                let share = |(own, _): &(Vec<f64>, Vec<f64>)| {
                    own.iter().filter(|&&d| d < nearest).count() as f64 / own.len() as f64
                };
                let found = Estimate::of_shares(&distances.iter().map(share).collect::<Vec<_>>());
                let members = size * batches.len();
                println!("| {name} | {} | {noise} | {size} | {members} | {} |", layer.name, percent(found));
            }
        }
    }
    Ok(())
}
