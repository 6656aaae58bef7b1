//! Pictures that a generator makes of latents that no attack has drawn, each in a folder of its own, as a data set of as many classes.
//!
//!     cargo run --release --example generator_pictures -- GENERATOR.safetensors COUNT SEED OUT
//!
//! SEED must not be that of the attacks, whose latents are drawn in the same way. An attack by the same generator can reach these pictures
//! exactly, so they show whether its search works, and are no evidence of a leak.

use std::{fs, path::Path};

use anyhow::Context;
use gia_gpu::{
    attack::{
        config::Output,
        generated::{Classes, Latent, Source},
        setting::Trial,
        unknown::{Unknown, pictures},
    },
    audit::read_generator,
    data::Normalisation,
    device::cpu::Cpu,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [generator, count, seed, out] = arguments.as_slice() else {
        anyhow::bail!("expected GENERATOR.safetensors COUNT SEED OUT");
    };
    let (count, seed) = (count.parse().context("COUNT")?, seed.parse().context("SEED")?);
    let prior = read_generator(Path::new(generator), None)?;
    let image @ [channels, height, width] = prior.generator.image();
    let normalisation = Normalisation::new(vec![0.0; channels], vec![1.0; channels])?;
    let source = Source {
        generator: prior.generator,
        image,
        normalisation: normalisation.clone(),
        output: Output::Half,
        classes: Classes::Open,
    };
    let latent = Latent { batch: 1, source, tensors: prior.tensors, latent_kl: 0.0 };
    let trial = |target| Trial { target, hypothesis: 0, restart: 0 };
    let starts: Vec<_> = (0..count).map(|target| latent.start(seed, trial(target))).collect();
    for (number, made) in pictures(&Cpu::<f32>::new(), &latent, &starts)?.iter().enumerate() {
        let folder = Path::new(out).join(format!("{number}"));
        fs::create_dir_all(&folder)?;
        normalisation.denormalise(made, height, width)?[0].write_png(&folder.join("0.png"))?;
    }
    Ok(())
}
