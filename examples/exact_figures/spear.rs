//! SPEAR: pictures of first layers, features of hidden ones, and trained victims.

use std::time::Instant;

use gia_gpu::{
    attack::exact::{
        ExactError,
        batch::{ExactBatch, Spear, restore_batch},
        inputs::LayerInputs,
        layers::{linear_layers, relu_layer},
    },
    data::{Dataset, Normalisation},
    device::Device,
    federated::{Client, Protocol, Request, Victim},
    nn::Options,
};

use super::{Failure, Figures, Pictures, add_noise, median, mlp, victim};

/// PSNR of each restored picture with the nearest true one, in dB of pixels in [0,1].
fn decibels(found: &ExactBatch, truth: &[f32], [c, h, w]: [usize; 3]) -> Vec<f64> {
    let n = found.inputs.columns;
    let deviation = Normalisation::default().for_channels(c).std().to_vec();
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

pub(crate) fn spear(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
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
            match restore_batch(&victim, &gradient, Some(size), &Spear::default(), number as u64, &|| false) {
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

pub(crate) fn heads(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "\n| victim | layer | B | batches | features to 1e-4 | median relative error | worst | median s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, count) in [("lenet5", all.batches), ("vgg11", all.vgg_batches)] {
        if !name.contains(&all.only) {
            continue;
        }
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
                match restore_batch(&victim, &gradient, Some(size), &Spear::default(), number as u64, &|| {
                    false
                }) {
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

/// SPEAR on the first layer of trained weights, pictures that they have not seen.
pub(crate) fn of_trained(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    let (Some(weights), Some(data)) = (&all.mlp, &all.mlp_data) else {
        println!("trained: give --mlp and --mlp-data");
        return Ok(());
    };
    println!(
        "\n| mlp, trained | B | batches | restored | all ≥ 100 dB | median dB | worst dB | labels right | why not | median s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let dataset = Dataset::open(data)?;
    let shape = all.mlp_shape()?;
    let request = Request { options: mlp(&all.mlp_hidden), image: Some(shape), ..Request::named("mlp") };
    let victim = Victim::from_file(weights, &request)?;
    let pictures = Pictures { dataset, shape };
    for size in [1, 2, 4, 8, 12] {
        let (batches, _) = pictures.batches(all.batches, size, 1);
        let (mut restored, mut exact, mut right) = (0, 0, 0);
        let (mut psnr, mut seconds, mut why) = (vec![], vec![], std::collections::BTreeMap::new());
        for (number, batch) in batches.iter().enumerate() {
            let (images, mut labels) = (pictures.images(batch)?, pictures.labels(batch)?);
            let mut client = Client::new(device, &victim, &Protocol::default(), size)?;
            let gradient = client.update(&victim, &images, &labels)?.gradient;
            labels.sort_unstable();
            let started = Instant::now();
            match restore_batch(&victim, &gradient, Some(size), &Spear::default(), number as u64, &|| false) {
                Ok(found) => {
                    let db = decibels(&found, &images, shape);
                    restored += 1;
                    exact += usize::from(db.iter().all(|&d| d >= 100.0));
                    right += usize::from(found.labels == labels);
                    psnr.extend(db);
                }
                Err(error) => *why.entry(reason(&error)).or_insert(0) += 1,
            }
            seconds.push(started.elapsed().as_secs_f64());
        }
        let worst = psnr.iter().copied().fold(f64::INFINITY, f64::min);
        let why: Vec<String> = why.into_iter().map(|(why, count)| format!("{why} ×{count}")).collect();
        println!(
            "| {:?} | {size} | {} | {restored} | {exact} | {:.0} | {worst:.0} | {right} | {} | {:.2} |",
            all.mlp_hidden,
            batches.len(),
            median(psnr),
            why.join(", "),
            median(seconds)
        );
    }
    Ok(())
}

/// A refusal in a word.
fn reason(error: &ExactError) -> &'static str {
    match error {
        ExactError::Hidden { .. } => "rank hidden by noise",
        ExactError::RankAbove { .. } => "rank above B",
        ExactError::Budget { .. } => "budget spent",
        ExactError::Dead { .. } => "gradient 0",
        _ => "other",
    }
}
