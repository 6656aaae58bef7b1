//! A sweep of two cells, batches of one and of two pictures, with its tables, plots and page:
//! `cargo run --release --example sweep FOLDER`. What is there is kept: the same command goes on where it was stopped.
#![allow(dead_code, clippy::print_stdout, reason = "a test includes this file; an example prints")]

use std::{env, error::Error, path::Path};

use gia_gpu::{
    data::samples,
    device::cpu::Cpu,
    sweep::{Sweep, SweptVictim},
    watch::Silent,
};

pub(crate) fn sweep(folder: &Path, iterations: usize) -> Result<String, Box<dyn Error>> {
    let dataset = samples();
    let mut victim = SweptVictim::untrained("lenet-zhu", "ig", &dataset, [1, 2])?;
    victim.batches = 4;
    victim.config.iterations = iterations;
    let sweep = Sweep::new(&dataset, vec![victim]);
    let swept = sweep.run(&Cpu::<f32>::new(), folder, &Silent)?;
    Ok(swept.table())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).unwrap_or("swept".into());
    println!("{}\nwrote {folder}/report.html", sweep(folder.as_ref(), 1_000)?);
    Ok(())
}
