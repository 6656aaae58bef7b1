//! A page with every kind of section, of the embedded pictures and noisy copies of them.

use gia_gpu::{
    attack::threat::ThreatModel,
    data::{Picture, samples},
    device::DeviceInfo,
    metrics::compare,
    random,
    report::html::*,
};

/// The first `count` embedded pictures, and copies with this much noise in reversed order.
pub(crate) fn batch(count: usize, noise: f32) -> (Vec<Picture>, Vec<Picture>) {
    let dataset = samples();
    let originals: Vec<Picture> = (0..count).map(|i| dataset.picture(i % dataset.len()).unwrap()).collect();
    let mut generator = random::generator(7, "noisy copies");
    let noisy = |picture: &Picture| {
        let noise = random::uniform(&mut generator, noise, picture.pixels.len());
        let pixels = picture.pixels.iter().zip(noise).map(|(p, n)| (p + n).clamp(0.0, 1.0)).collect();
        Picture { pixels, ..picture.clone() }
    };
    let mut copies: Vec<Picture> = originals.iter().map(noisy).collect();
    copies.reverse();
    (originals, copies)
}

/// A batch with names, of which every third was read wrong.
pub(crate) fn named_batch(title: &str, count: usize, noise: f32) -> PictureBatch {
    let dataset = samples();
    let (originals, copies) = batch(count, noise);
    let mut batch = PictureBatch::new(title, &originals, &copies, &compare(&originals, &copies).unwrap());
    let name = |index: usize| dataset.class_names[dataset.labels()[index % dataset.len()]].clone();
    for (i, original) in batch.originals.iter_mut().enumerate() {
        original.label = Some(i % 10);
        original.name = Some(name(i));
    }
    for (i, found) in batch.reconstructions.iter_mut().enumerate() {
        let original = found.original.unwrap();
        found.label = Some(original % 10);
        found.truth = Some(name(original));
        found.found = Some(name(original + usize::from(i % 3 == 2)));
    }
    batch
}

pub(crate) fn provenance() -> Provenance {
    let device = DeviceInfo {
        kind: "cpu".into(),
        name: "A processor with a name".into(),
        backend: "native".into(),
        driver: String::new(),
        software: false,
        isa: Some("avx2".into()),
    };
    let command = ["gia-gpu", "run", "--data", "my pictures", "--batch", "4"].map(String::from);
    Provenance::new(command.to_vec(), 42, &device)
        .with("victim", "lenet-zhu, weights drawn from seed 42")
        .with("data", samples().name)
}

pub(crate) fn matrix(names: &[String]) -> Matrix {
    let count = names.len();
    let row = |i: usize| {
        let chosen = if i % 3 == 2 { (i + 1) % count } else { i };
        let weight = |k: usize| {
            if k == chosen { 60.0 / (i + 1) as f64 } else { 0.1 + ((i * 7 + k * 3) % 5) as f64 / 4.0 }
        };
        let sum: f64 = (0..count).map(weight).sum();
        Row {
            name: i.to_string(),
            values: (0..count).map(|k| weight(k) / sum).collect(),
            chosen: Some(chosen),
            truth: Some(i),
        }
    };
    Matrix { of: "label".into(), columns: names.to_vec(), rows: (0..count.min(8)).map(row).collect() }
}

fn measured(mean: f64, half: f64) -> Measured {
    Measured { mean, interval_95: Some([(mean - half).max(0.0), (mean + half).min(1.0)]) }
}

pub(crate) fn ranking() -> Ranking {
    let names = ["dress", "coat", "bag", "sandal"];
    let pairs = (0..4).flat_map(|a| (0..4).filter(move |&b| b != a).map(move |b| (a, b)));
    let hypotheses = pairs.enumerate().map(|(i, (a, b))| Hypothesis {
        names: vec![(3, names[a].into()), (7, names[b].into())],
        loss: 0.0123 * (1.0 + [0.0, 0.0, 0.04, 0.05][i.min(3)] + 0.02 * i.saturating_sub(3) as f64),
        score: Some(if i < 2 { 0.35 } else { 0.03 }),
        is_true: i == 2,
    });
    Ranking { hypotheses: hypotheses.collect(), tie: 1e-6 }
}

fn film() -> Film {
    let frame = |i: u16| (Picture::flat(1, 8, 8, f32::from(i) / 2.0).unwrap(), format!("after {}", 10 * i));
    Film { strips: vec![Strip { title: "picture 0".into(), frames: (0..3).map(frame).collect() }] }
}

/// Every kind of section.
pub(crate) fn page() -> Page {
    let names = samples().class_names;
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0];
    let falling = |start: f64, rate: f64| {
        sizes.iter().zip(0..).map(move |(&b, i)| (b, measured(start * f64::powi(rate, i), 0.08)))
    };
    let curves = Curves::over_batch_size(vec![
        Series::new("originals", sizes.map(|b| (b, measured(0.97, 0.02)))),
        Series::new("single batch", falling(0.67, 0.78)),
        Series::new("aggregated over 8 batches", falling(0.9, 0.85)),
        Series::new("noise images", sizes.map(|b| (b, measured(0.11, 0.05)))),
        Series::new("shuffled reconstructions", sizes.map(|b| (b, measured(0.13, 0.06)))),
    ]);
    let loss = |restart: usize| {
        let history: Vec<(usize, f32)> = (0..400)
            .map(|i| {
                (
                    5 * i,
                    (0.4 * (-(i as f32) / (40.0 + 12.0 * restart as f32)).exp() + 2e-4)
                        * (1.0 + 0.1 * (i as f32 / 3.0).sin()),
                )
            })
            .collect();
        Series::losses(format!("trial {restart}"), &history)
    };
    let group = |name: &str, single: f64, aggregated: f64| Group {
        name: name.into(),
        values: vec![measured(single, 0.07), measured(aggregated, 0.05)],
        difference: Some(measured(aggregated - single, 0.04)),
    };
    let bars = Bars {
        x: "pictures in a batch".into(),
        y: Axis::new("labels named right", Scale::Share),
        conditions: vec!["single batch".into(), "aggregated over 8".into()],
        groups: vec![
            group("1", 0.67, 0.9),
            group("2", 0.5, 0.76),
            group("4", 0.44, 0.65),
            group("8", 0.3, 0.45),
        ],
        levels: vec![Level::new("random", 0.1)],
    };
    let defences = Table::new(["defence", "SSIM", "PSNR dB", "labels named right"])
        .row([
            Cell::from("none"),
            Cell::measured(measured(0.81, 0.03), 3),
            Cell::number(23.41, 1),
            Cell::share(measured(0.67, 0.08)),
        ])
        .row([
            Cell::from("Gaussian noise σ = 0.01"),
            Cell::measured(measured(0.31, 0.04), 3),
            Cell::number(14.2, 1),
            Cell::share(measured(0.21, 0.06)),
        ])
        .row([
            Cell::from("top 1 % of the gradient kept"),
            Cell::measured(measured(0.12, 0.04), 3),
            Cell::number(9.9, 1),
            Cell::none(),
        ]);
    let sections = vec![
        Section::new(
            "Pictures",
            Pictures {
                batches: vec![
                    named_batch("Batch 0", 4, 0.3),
                    named_batch("Batch 1", 8, 0.6),
                    named_batch("Batch 2", 16, 0.5),
                ],
            },
        ),
        Section::new("What each label was read as", matrix(&names))
            .note("Rows are means over all reconstructions with that label."),
        Section::new("Accuracy against batch size", curves.level("random", 0.1)),
        Section::new("Single batch against aggregated", bars),
        Section::new("Hypotheses", ranking()).note("72 of 84 hypotheses were pruned by the unguided matrix."),
        Section::new("How the attack went", Curves::of_losses((0..4).map(loss).collect())),
        Section::new("Defences", defences),
        Section::new("Threat model", Threat::from(&ThreatModel::named("server").unwrap())),
        Section::new("Settings", Facts::new().with("preset", "dlg").with("iterations", 2000)),
        Section::new("How they came about", film()),
    ];
    let figure = |value: &str, meaning: &str, beside: &str| KeyFigure {
        value: value.into(),
        meaning: meaning.into(),
        beside: beside.into(),
    };
    Page {
        title: "What one training step gave away".into(),
        verdict: "From one gradient of 4 pictures the eavesdropper reads 3 of 4 labels right, where guessing gets 1 in 10."
            .into(),
        figures: vec![
            figure("75 %", "of the labels named right", "random: 10 %, originals: 100 %"),
            figure("0.81", "SSIM, one-to-one", "flat grey: 0.12, noise: 0.01"),
            figure("23.4 dB", "PSNR, one-to-one", "flat grey: 9.1 dB"),
        ],
        sections,
        provenance: provenance(),
    }
}
