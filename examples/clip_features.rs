//! What a CLIP computes on the engine, for comparison with another implementation: features of pictures and texts,
//! their cosines, and how a cosine changes with the pixels.
//!
//!     cargo run --release --example clip_features -- MODEL IN.safetensors OUT.safetensors cpu|gpu [REPEATS]
//!
//! IN holds `pixels` `(N,3,S,S)`, normalised, and `tokens` `(K,L)`: ids, each text ending with its largest. OUT gets
//! `image_features` `(N,E)`, `text_features` `(K,E)`, `logits` `(N,K)`, `cosine` `(N)` of picture n and text n mod K, and
//! `gradient` `(N,3,S,S)` of the sum of these. With REPEATS, standard output gets the milliseconds of the fastest run of
//! the image encoder alone, and of the image encoder with the gradient.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::{Context, ensure};
use gia_gpu::{
    clip::{Clip, Encoder, cosine},
    device::{Device, Executable, cpu::Cpu, gpu::Gpu, gpu::GpuOptions},
    plan::Plan,
    tape::{Tape, Var},
    tensor_file::{Tensor, TensorFile},
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, output, device, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("expected MODEL IN.safetensors OUT.safetensors cpu|gpu [REPEATS]");
    };
    let repeats: usize = rest.first().map_or(Ok(0), |text| text.parse()).context("REPEATS")?;
    let device: Box<dyn Device> = match device.as_str() {
        "cpu" => Box::new(Cpu::<f32>::new()),
        _ => Box::new(Gpu::new(GpuOptions { allow_software: true, ..GpuOptions::default() })?),
    };
    let clip = Clip::open(Path::new(model), None)?;
    clip.notes.iter().for_each(|note| eprintln!("{note}"));
    let file = TensorFile::read(Path::new(input))?;
    let get = |name: &str| file.tensors.get(name).with_context(|| format!("{input}: no tensor '{name}'"));
    let (pixels, tokens) = (get("pixels")?, get("tokens")?);
    let size = clip.image_size();
    ensure!(
        pixels.shape[1..] == [3, size, size],
        "pixels of shape {:?}, expected (N,3,{size},{size})",
        pixels.shape
    );

    let texts: Vec<Vec<usize>> = tokens.data.chunks(tokens.shape[1]).map(until_largest).collect();
    let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
    let text_features = clip.text_features(&*device, &texts, &mut |_, _| ())?;
    let (count, width) = (pixels.shape[0], text_features.len() / texts.len());

    let mut forward = Forward::new(&*device, &clip, count, None)?;
    let image_features = forward.run(pixels, repeats)?.0;
    let forward_time = forward.fastest;
    drop(forward);
    let targets: Vec<f32> =
        (0..count).flat_map(|n| &text_features[n % texts.len() * width..][..width]).copied().collect();
    let mut backward = Forward::new(&*device, &clip, count, Some((&targets, width)))?;
    let (cosines, gradient) = backward.run(pixels, repeats)?;
    if repeats > 0 {
        println!("{forward_time:.3} {:.3}", backward.fastest);
    }

    let unit = |features: &[f32]| -> Vec<f32> {
        features
            .chunks(width)
            .flat_map(|row| {
                let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
                row.iter().map(move |v| v / norm)
            })
            .collect()
    };
    let (images, names) = (unit(&image_features), unit(&text_features));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let logits = images
        .chunks(width)
        .flat_map(|image| names.chunks(width).map(|name| clip.scale * dot(image, name)).collect::<Vec<_>>())
        .collect();
    let results = [
        ("image_features", vec![count, width], image_features),
        ("text_features", vec![texts.len(), width], text_features.clone()),
        ("logits", vec![count, texts.len()], logits),
        ("cosine", vec![count], cosines),
        ("gradient", pixels.shape.clone(), gradient),
    ];
    let results: BTreeMap<String, Tensor> =
        results.into_iter().map(|(name, shape, data)| (name.into(), Tensor { shape, data })).collect();
    TensorFile::write(Path::new(output), &results, &BTreeMap::new())?;
    Ok(())
}

/// The image encoder, alone or with the gradient of the cosines with targets `(N,E)`.
struct Forward {
    executable: Box<dyn Executable>,
    pixels: Var,
    /// Features; or cosines and their gradient.
    outputs: Vec<Var>,
    /// Milliseconds.
    fastest: f64,
}

impl Forward {
    fn new(
        device: &dyn Device,
        clip: &Clip,
        count: usize,
        targets: Option<(&[f32], usize)>,
    ) -> anyhow::Result<Forward> {
        let size = clip.image_size();
        let mut tape = Tape::new();
        let pixels = tape.input(&[count, 3, size, size]);
        let (features, weights) = clip.encode_image(&mut tape, pixels);
        let mut outputs = vec![features];
        let mut given = None;
        if let Some((values, width)) = targets {
            let target = tape.input(&[count, width]);
            given = Some((target, values));
            let cosines = cosine(&mut tape, features, target);
            outputs = vec![cosines, tape.grad(cosines, &[pixels])[0]];
        }
        let plan = Plan::new(&tape, &outputs, &[]);
        if std::env::var_os("DUMP").is_some() {
            eprintln!("{}", plan.dump());
        }
        let mut executable = device.compile(&plan)?;
        for (var, values) in weights.into_iter().chain(given) {
            executable.write(var, values)?;
        }
        Ok(Forward { executable, pixels, outputs, fastest: f64::INFINITY })
    }

    fn run(&mut self, pixels: &Tensor, repeats: usize) -> anyhow::Result<(Vec<f32>, Vec<f32>)> {
        self.executable.write(self.pixels, &pixels.data)?;
        for _ in 0..=repeats {
            let started = Instant::now();
            self.executable.run(1)?;
            self.executable.read(self.outputs[0])?;
            self.fastest = self.fastest.min(started.elapsed().as_secs_f64() * 1e3);
        }
        let second = self.outputs.get(1).map_or(Ok(vec![]), |&var| self.executable.read(var))?;
        Ok((self.executable.read(self.outputs[0])?, second))
    }
}

/// A text's ids up to its end, the largest id.
fn until_largest(row: &[f32]) -> Vec<usize> {
    let mut end = 0;
    for (at, id) in row.iter().enumerate() {
        if *id > row[end] {
            end = at;
        }
    }
    row[..=end].iter().map(|&id| id as usize).collect()
}
