//! What a CLIP computes on the engine, for comparison with another implementation: features of pictures and texts,
//! their cosines, and how a cosine changes with the pixels.
//!
//!     cargo run --release --example clip_features -- MODEL IN.safetensors OUT.safetensors cpu[:ISA]|gpu [serve]
//!
//! IN holds `pixels` `(N,3,S,S)`, normalised, and `tokens` `(K,L)`: ids, each text up to the model's context, or to the
//! first number below 0. OUT gets `image_features` `(N,E)`, `text_features` `(K,E)`, `logits` `(N,K)`, `cosine` `(N)` of
//! picture n and text n mod K, and `gradient` `(N,3,S,S)` of the sum of these. With `serve`, it then answers each line `forward`
//! (the image encoder alone) or `gradient` (with the gradient) on standard input with the milliseconds of one run, and `device`
//! with what it runs on. `cpu:avx2` computes with this instruction set, `cpu` with the widest.

#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::{Context, ensure};
use gia_gpu::{
    clip::{Clip, Encoder, cosine},
    device::{Device, Executable, cpu::Cpu, gpu::Gpu, gpu::GpuOptions},
    plan::Plan,
    tape::{Tape, Var},
    tensor_file::{Tensor, TensorFile},
    watch::Silent,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, output, device, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("expected MODEL IN.safetensors OUT.safetensors cpu[:ISA]|gpu [serve]");
    };
    let device: Box<dyn Device> = match device.split_once(':').unwrap_or((device, "auto")) {
        ("cpu", isa) => Box::new(Cpu::<f32>::new().with_isa(isa.parse()?)),
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

    let texts: Vec<Vec<usize>> = tokens.data.chunks(tokens.shape[1]).map(until_negative).collect();
    let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
    let text_features = clip.text_features(&*device, &texts, &Silent)?;
    let (count, width) = (pixels.shape[0], text_features.len() / texts.len());

    let serve = rest.first().is_some_and(|word| word == "serve");
    let mut forward = Pass::new(&*device, &clip, pixels, None)?;
    let image_features = forward.run()?.remove(0);
    // Kept for timing alone: its weights are a second copy.
    let forward = serve.then_some(forward);
    let targets: Vec<f32> =
        (0..count).flat_map(|n| &text_features[n % texts.len() * width..][..width]).copied().collect();
    let mut gradient = Pass::new(&*device, &clip, pixels, Some((&targets, width)))?;
    let [cosines, slope]: [Vec<f32>; 2] = gradient.run()?.try_into().expect("two outputs");

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
        .flat_map(|image| {
            names.chunks(width).map(|name| clip.head.scale * dot(image, name)).collect::<Vec<_>>()
        })
        .collect();
    let results = [
        ("image_features", vec![count, width], image_features),
        ("text_features", vec![texts.len(), width], text_features.clone()),
        ("logits", vec![count, texts.len()], logits),
        ("cosine", vec![count], cosines),
        ("gradient", pixels.shape.clone(), slope),
    ];
    let results: BTreeMap<String, Tensor> =
        results.into_iter().map(|(name, shape, data)| (name.into(), Tensor { shape, data })).collect();
    TensorFile::write(Path::new(output), &results, &BTreeMap::new())?;
    if let Some(mut forward) = forward {
        for line in std::io::stdin().lines() {
            match line?.as_str() {
                "device" => println!("{}", serde_json::to_string(&device.info())?),
                "gradient" => println!("{}", gradient.time()?),
                _ => println!("{}", forward.time()?),
            }
        }
    }
    Ok(())
}

/// The image encoder, alone or with the gradient of the cosines with targets `(N,E)`.
struct Pass {
    executable: Box<dyn Executable>,
    /// Features; or cosines and their gradient.
    outputs: Vec<Var>,
}

impl Pass {
    fn new(
        device: &dyn Device,
        clip: &Clip,
        pixels: &Tensor,
        targets: Option<(&[f32], usize)>,
    ) -> anyhow::Result<Pass> {
        let mut tape = Tape::new();
        let x = tape.input(&pixels.shape);
        let (features, mut given) = clip.encode_image(&mut tape, x);
        given.push((x, &pixels.data));
        let mut outputs = vec![features];
        if let Some((values, width)) = targets {
            let target = tape.input(&[pixels.shape[0], width]);
            given.push((target, values));
            let cosines = cosine(&mut tape, features, target);
            outputs = vec![cosines, tape.grad(cosines, &[x])[0]];
        }
        let plan = Plan::new(&tape, &outputs, &[]);
        let mut executable = device.compile(&plan)?;
        for (var, values) in given {
            executable.write(var, values)?;
        }
        Ok(Pass { executable, outputs })
    }

    fn run(&mut self) -> anyhow::Result<Vec<Vec<f32>>> {
        self.executable.run(1)?;
        self.outputs.iter().map(|&var| Ok(self.executable.read(var)?)).collect()
    }

    /// Milliseconds of one run, up to its outputs.
    fn time(&mut self) -> anyhow::Result<f64> {
        let started = Instant::now();
        self.run()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    }
}

/// A text's ids up to its end.
fn until_negative(row: &[f32]) -> Vec<usize> {
    row.iter().take_while(|id| **id >= 0.0).map(|&id| id as usize).collect()
}
