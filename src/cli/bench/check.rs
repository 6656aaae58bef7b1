//! `--input` and `--check`: the same numbers computed elsewhere.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use crate::{
    bench::{BenchError, Inputs, Iteration, Subject, TrainingStep, Work},
    cli::{help::group, misuse, options::check_apart, print_line},
    device::Device,
    tensor_file::TensorFile,
};

#[derive(Args)]
#[command(next_help_heading = group::MEASUREMENT)]
pub(crate) struct CheckOptions {
    /// Take the numbers from this safetensors file
    ///
    /// x (T,B,C,H,W) normalised, labels (T,B) as floats, victim.NAME for every tensor of the victim, and for an attack
    /// target.NAME (T,…) for every trainable one, the gradient that is matched.
    #[arg(long, value_name = "FILE", requires = "network")]
    input: Option<PathBuf>,
    /// Time nothing: evaluate once and write this safetensors file
    ///
    /// Attack: total and objective (T), gradient = ∂total/∂x, and iteration.x after the first iteration; training: loss (1),
    /// and after.NAME and momentum.NAME after the first step.
    #[arg(long, value_name = "FILE", requires = "network")]
    check: Option<PathBuf>,
}

impl CheckOptions {
    pub(crate) fn wanted(&self) -> bool {
        self.check.is_some()
    }

    /// From the file, if there is one; else drawn.
    pub(crate) fn inputs(
        &self,
        device: &dyn Device,
        subject: &Subject,
        seed: u64,
    ) -> Result<Inputs, BenchError> {
        match &self.input {
            Some(path) => Inputs::read(path, subject),
            None => Inputs::drawn(device, subject, seed),
        }
    }

    /// Whether the files fit what is to be measured.
    pub(crate) fn check(&self, subjects: &[Subject]) -> anyhow::Result<()> {
        if (self.input.is_some() || self.check.is_some()) && subjects.len() != 1 {
            let found: Vec<String> = subjects.iter().map(Subject::to_string).collect();
            return Err(misuse(format!(
                "--input and --check are for one victim, one batch, one number of trials and one of --only attack \
                 or training, found {}",
                found.join("; ")
            )));
        }
        if let Some(check) = &self.check {
            check_apart("--check", [check.as_path()], self.input.as_deref())?;
            TensorFile::check_writable(check)?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, device: &dyn Device, subject: &Subject, seed: u64) -> anyhow::Result<()> {
        let Some(out) = &self.check else { return Ok(()) };
        let inputs = self.inputs(device, subject, seed)?;
        let found = match subject.work {
            Work::Attack => Iteration::check(device, &inputs)?,
            Work::Training => TrainingStep::check(device, &inputs)?,
        };
        TensorFile::write(out, &found, &BTreeMap::new())?;
        print_line(format!("{}: {subject}, {} tensors", out.display(), found.len()))
    }
}
