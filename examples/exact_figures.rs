//! The figures on exact attacks of `docs/results.md`.
//!
//! `cargo run --release --example exact_figures -- --cifar cifar10-first4000.bin --test cifar10/test \
//!   --resnet20 resnet20_cifar10.safetensors [spear | heads | membership | labels]…`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::{path::PathBuf, time::Instant};

use clap::Parser;
use gia_gpu::{
    attack::{
        exact::{
            batch::{ExactBatch, Spear, restore_batch},
            inputs::LayerInputs,
            layers::{linear_layers, relu_layer},
            membership::Span,
        },
        labels::exact_label,
        last_layer::last_layer,
    },
    data::{Dataset, Normalisation},
    device::{Device, cpu::Cpu},
    federated::{Client, Protocol, Request, Victim},
    nn::{Options, options::Activation},
    random,
};
use rand::{RngExt, seq::SliceRandom};

#[derive(Parser)]
struct Figures {
    /// CIFAR-10's binary format, for untrained victims
    #[arg(long)]
    cifar: PathBuf,
    /// Pictures that the trained victim has not seen: a folder per class
    #[arg(long)]
    test: Option<PathBuf>,
    /// Weights of a trained resnet20
    #[arg(long)]
    resnet20: Option<PathBuf>,
    /// Batches of each row of the SPEAR tables
    #[arg(long, default_value_t = 20)]
    batches: usize,
    /// spear, heads, membership, labels; all if none is given
    tables: Vec<String>,
}

type Failure = Box<dyn std::error::Error>;

/// Normalised pictures and labels.
struct Pictures {
    dataset: Dataset,
    shape: [usize; 3],
}

impl Pictures {
    fn images(&self, indices: &[usize]) -> Result<Vec<f32>, Failure> {
        let fitted = |&i: &usize| Ok(self.dataset.picture(i)?.fitted(self.shape)?);
        let pictures: Vec<_> = indices.iter().map(fitted).collect::<Result<_, Failure>>()?;
        Ok(Normalisation::default().normalise(&pictures)?)
    }

    fn labels(&self, indices: &[usize]) -> Result<Vec<usize>, Failure> {
        Ok(indices.iter().map(|&i| self.dataset.label(i)).collect::<Result<_, _>>()?)
    }

    /// Batches that share no picture, in an order of this seed, and what is left.
    fn batches(&self, count: usize, size: usize, seed: u64) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        order.shuffle(&mut random::generator(seed, "batches"));
        let rest = order.split_off((count * size).min(order.len()));
        (order.chunks(size).map(<[usize]>::to_vec).collect(), rest)
    }
}

fn victim(name: &str, options: Options, seed: u64) -> Result<Victim, Failure> {
    let request = Request { options, image: Some([3, 32, 32]), ..Request::named(name) };
    Ok(Victim::from_seed(&request, seed)?)
}

fn mlp(hidden: &[usize]) -> Options {
    Options { hidden: Some(hidden.to_vec()), ..Options::default() }
}

/// Normal noise on every tensor, of this share of the tensor's root mean square.
fn add_noise(gradient: &mut [Vec<f32>], share: f64, seed: u64) {
    let mut generator = random::generator(seed, "noise");
    for tensor in gradient.iter_mut().filter(|_| share > 0.0) {
        let square: f64 = tensor.iter().map(|&g| f64::from(g).powi(2)).sum();
        let size = (share * (square / tensor.len() as f64).sqrt()) as f32;
        let draws = random::normal(&mut generator, tensor.len());
        tensor.iter_mut().zip(draws).for_each(|(g, n)| *g += size * n);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[values.len() / 2] }
}

/// PSNR of each restored picture with the nearest true one, in dB of pixels in [0,1].
fn decibels(found: &ExactBatch, truth: &[f32], [_, h, w]: [usize; 3]) -> Vec<f64> {
    let n = found.inputs.columns;
    let deviation = Normalisation::default().std().to_vec();
    let of = |row: &[f64]| {
        let mse = |t: &[f32]| {
            let pixel = |(i, (r, &t)): (usize, (&f64, &f32))| {
                ((r - f64::from(t)) * f64::from(deviation[i / (h * w)])).powi(2)
            };
            row.iter().zip(t).enumerate().map(pixel).sum::<f64>() / n as f64
        };
        -10.0 * truth.chunks(n).map(mse).fold(f64::INFINITY, f64::min).max(1e-30).log10()
    };
    (0..found.inputs.rows).map(|i| of(found.inputs.row(i))).collect()
}

fn spear(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "| mlp | noise | B | batches of pictures all ≥ 100 dB | all ≥ 40 dB | median dB | worst dB | labels right | median s | median row sets |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let rows: [(&[usize], f64, usize); 9] = [
        (&[300, 300], 0.0, 1),
        (&[300, 300], 0.0, 2),
        (&[300, 300], 0.0, 4),
        (&[300, 300], 0.0, 8),
        (&[300, 300], 0.0, 12),
        (&[1000, 1000], 0.0, 8),
        (&[1000, 1000], 0.0, 16),
        (&[1000, 1000], 0.01, 8),
        (&[1000, 1000], 0.001, 8),
    ];
    for (hidden, noise, size) in rows {
        let pictures = Pictures { dataset: Dataset::open(&all.cifar)?, shape: [3, 32, 32] };
        let (batches, _) = pictures.batches(all.batches, size, 1);
        let (mut exact, mut fair, mut psnr, mut seconds, mut sets, mut right) =
            (0, 0, vec![], vec![], vec![], 0);
        for (number, batch) in batches.iter().enumerate() {
            let victim = victim("mlp", mlp(hidden), number as u64)?;
            let (images, mut labels) = (pictures.images(batch)?, pictures.labels(batch)?);
            let mut client = Client::new(device, &victim, &Protocol::default(), size)?;
            let mut gradient = client.update(&victim, &images, &labels)?.gradient;
            add_noise(&mut gradient, noise, number as u64);
            labels.sort_unstable();
            let started = Instant::now();
            match restore_batch(&victim, &gradient, Some(size), &Spear::default(), number as u64) {
                Ok(found) => {
                    let db = decibels(&found, &images, pictures.shape);
                    exact += usize::from(db.iter().all(|&d| d >= 100.0));
                    fair += usize::from(db.iter().all(|&d| d >= 40.0));
                    right += usize::from(found.labels == labels);
                    psnr.extend(db);
                    sets.push(found.record.row_sets as f64);
                }
                Err(error) => eprintln!("batch {number}: {error}"),
            }
            seconds.push(started.elapsed().as_secs_f64());
        }
        let worst = psnr.iter().copied().fold(f64::INFINITY, f64::min);
        let of = batches.len();
        println!(
            "| {hidden:?} | {noise} | {size} | {exact} of {of} | {fair} of {of} | {:.0} | {worst:.0} | {right} of {of} | {:.2} | {:.0} |",
            median(psnr),
            median(seconds),
            median(sets)
        );
    }
    Ok(())
}

fn heads(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "\n| victim | layer | B | batches | features to 1e-4 | median relative error | worst | median s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, count) in [("lenet5", all.batches), ("vgg11", all.batches.min(3))] {
        for size in [1, 2, 4, 8] {
            let pictures = Pictures { dataset: Dataset::open(&all.cifar)?, shape: [3, 32, 32] };
            let (batches, _) = pictures.batches(count, size, 1);
            let (mut exact, mut errors, mut seconds, mut layer) = (0, vec![], vec![], String::new());
            for (number, batch) in batches.iter().enumerate() {
                let victim = victim(name, Options::default(), number as u64)?;
                let at = relu_layer(&victim, None)?;
                layer.clone_from(&linear_layers(&victim)[at].name);
                let (images, labels) = (pictures.images(batch)?, pictures.labels(batch)?);
                let mut client = Client::new(device, &victim, &Protocol::default(), size)?;
                let gradient = client.update(&victim, &images, &labels)?.gradient;
                let truth = LayerInputs::new(device, &victim, at, size)?.of(&images)?;
                let started = Instant::now();
                match restore_batch(&victim, &gradient, Some(size), &Spear::default(), number as u64) {
                    Ok(found) => {
                        let of = |row: &[f64]| {
                            let relative = |t: &Vec<f32>| {
                                let apart: f64 =
                                    row.iter().zip(t).map(|(r, &t)| (r - f64::from(t)).powi(2)).sum();
                                (apart / t.iter().map(|&t| f64::from(t).powi(2)).sum::<f64>()).sqrt()
                            };
                            truth.iter().map(relative).fold(f64::INFINITY, f64::min)
                        };
                        let own: Vec<f64> = (0..found.inputs.rows).map(|i| of(found.inputs.row(i))).collect();
                        exact += usize::from(own.iter().all(|&e| e <= 1e-4));
                        errors.extend(own);
                    }
                    Err(error) => eprintln!("{name}, batch {number}: {error}"),
                }
                seconds.push(started.elapsed().as_secs_f64());
            }
            let worst = errors.iter().copied().fold(0.0, f64::max);
            println!(
                "| {name} | {layer} | {size} | {} | {exact} | {:.1e} | {worst:.1e} | {:.2} |",
                batches.len(),
                median(errors),
                median(seconds)
            );
        }
    }
    Ok(())
}

/// Batches and outsiders of each.
const BATCHES: usize = 40;
const OUTSIDERS: usize = 200;

fn membership(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
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
        let request = Request { image: Some([3, 32, 32]), ..Request::named("resnet20") };
        victims.push(("resnet20, trained", Victim::from_file(weights, &request)?, test, &[1, 2, 4, 8]));
    }
    for (name, victim, data, sizes) in &victims {
        let pictures = Pictures { dataset: Dataset::open(data)?, shape: [3, 32, 32] };
        let layers = linear_layers(victim);
        let layer = &layers[0];
        for noise in [0.0, 1e-3, 1e-2] {
            for &size in *sizes {
                let (batches, rest) = pictures.batches(BATCHES, size, 2);
                let mut reader = LayerInputs::new(device, victim, 0, OUTSIDERS)?;
                let mut client = Client::new(device, victim, &Protocol::default(), size)?;
                let (mut members, mut strangers) = (vec![], vec![]);
                for (number, batch) in batches.iter().enumerate() {
                    let images = pictures.images(batch)?;
                    let mut gradient = client.update(victim, &images, &pictures.labels(batch)?)?.gradient;
                    add_noise(&mut gradient, noise, number as u64);
                    let span = Span::of(&layer.name, &gradient[layer.weight], layer.shape, size, 1)?;
                    let mut generator = random::generator(number as u64, "outsiders");
                    let others: Vec<usize> =
                        (0..OUTSIDERS).map(|_| rest[generator.random_range(0..rest.len())]).collect();
                    let mut far = |images: &[f32]| -> Result<Vec<f64>, Failure> {
                        let inputs = reader.of(images)?;
                        let wide = |v: &Vec<f32>| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
                        Ok(inputs.iter().map(|v| span.distance(&wide(v))).collect())
                    };
                    members.extend(far(&images)?);
                    strangers.extend(far(&pictures.images(&others)?)?);
                }
                let nearest = strangers.iter().copied().fold(f64::INFINITY, f64::min);
                let found = members.iter().filter(|&&d| d < nearest).count();
                let share = 100.0 * found as f64 / members.len() as f64;
                println!("| {name} | {} | {noise} | {size} | {} | {share:.0} % |", layer.name, members.len());
            }
        }
    }
    Ok(())
}

fn labels(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "\n| victim | activation | pictures | labels right | largest error of the factor | … of a reversed update |"
    );
    println!("|---|---|---|---|---|---|");
    let pictures = Pictures { dataset: Dataset::open(&all.cifar)?, shape: [3, 32, 32] };
    let (batches, _) = pictures.batches(100, 1, 3);
    for name in ["mlp", "lenet5", "resnet20"] {
        for activation in [Activation::Tanh, Activation::Silu, Activation::LeakyRelu] {
            let victim = victim(name, Options { activation: Some(activation), ..Options::default() }, 1)?;
            let mut client = Client::new(device, &victim, &Protocol::default(), 1)?;
            let (mut right, mut off, mut turned) = (0, 0.0_f64, 0.0_f64);
            for batch in &batches {
                let truth = pictures.labels(batch)?;
                let mut gradient = client.update(&victim, &pictures.images(batch)?, &truth)?.gradient;
                let found = exact_label(&last_layer(&victim, &gradient)?)?;
                right += usize::from(found.label == truth[0]);
                off = off.max((found.scale - 1.0).abs());
                gradient.iter_mut().flatten().for_each(|g| *g *= -0.01);
                let found = exact_label(&last_layer(&victim, &gradient)?)?;
                turned = turned.max((found.scale / -0.01 - 1.0).abs());
            }
            println!("| {name} | {activation} | {} | {right} | {off:.1e} | {turned:.1e} |", batches.len());
        }
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let all = Figures::parse();
    let device = Cpu::<f32>::new();
    let wanted = |table: &str| all.tables.is_empty() || all.tables.iter().any(|t| t == table);
    if wanted("spear") {
        spear(&all, &device)?;
    }
    if wanted("heads") {
        heads(&all, &device)?;
    }
    if wanted("membership") {
        membership(&all, &device)?;
    }
    if wanted("labels") {
        labels(&all, &device)?;
    }
    Ok(())
}
