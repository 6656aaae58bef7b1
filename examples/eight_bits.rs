//! Rounds the weights of a safetensors file to 8 bits with a scale per output channel, metadata unchanged:
//! `cargo run --release --example eight_bits -- IN.safetensors OUT.safetensors`

use std::path::Path;

use gia_gpu::tensor_file::{Storage, TensorFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [input, output] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "expected IN OUT")?;
    let file = TensorFile::read(Path::new(&input))?;
    TensorFile::write_as(Path::new(&output), &file.tensors, &file.metadata, Storage::EightBits)?;
    Ok(())
}
