//! Pictures that a generator makes, on a device.

use crate::{
    device::{Device, DeviceError, write_all},
    nn::generator::{Generator, apply, declarations},
    plan::Plan,
    tape::Tape,
};

/// Pictures of one replay.
const TOGETHER: usize = 64;

/// Pictures `(N,C,H,W)` in [0, 1] of the numbers `(N,Z)`, by a generator with these tensors.
pub fn made(
    device: &dyn Device,
    generator: &dyn Generator,
    tensors: &[Vec<f32>],
    latents: &[f32],
) -> Result<Vec<f32>, DeviceError> {
    let numbers = generator.latent();
    let batch = TOGETHER.min(latents.len() / numbers).max(1);
    let mut tape = Tape::new();
    let z = tape.input(&[1, batch, numbers]);
    let shape = |shape: &[usize]| [&[1], shape].concat();
    let inputs: Vec<_> = declarations(generator).iter().map(|d| tape.input(&shape(&d.shape))).collect();
    let pictures = apply(generator, &mut tape, 0..generator.stages(), z, &inputs);
    let half = tape.mul_scalar(pictures, 0.5);
    let pixels = tape.add_scalar(half, 0.5);
    let mut executable = device.compile(&Plan::new(&tape, &[pixels], &[]))?;
    write_all(&mut *executable, &inputs, tensors)?;
    let length: usize = generator.image().iter().product();
    let mut all = Vec::with_capacity(latents.len() / numbers * length);
    for chunk in latents.chunks(batch * numbers) {
        let mut padded = chunk.to_vec();
        padded.resize(batch * numbers, 0.0);
        executable.write(z, &padded)?;
        executable.run(1)?;
        all.extend_from_slice(&executable.read(pixels)?[..chunk.len() / numbers * length]);
    }
    Ok(all)
}
