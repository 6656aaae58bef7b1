//! `gia-gpu metrics`

use std::path::PathBuf;

use clap::Args;

use super::help::group;

/// Compare two folders of PNG files, paired by sorted name, or files of unrounded pictures (reconstruction.safetensors).
#[derive(Args)]
#[command(next_help_heading = group::INPUT, after_help = "Example: gia-gpu metrics --reference originals --reconstruction found/images --json")]
pub struct Metrics {
    /// Folder of the originals, or a safetensors file with a tensor 'images' (N,C,H,W)
    #[arg(long, value_name = "PATH")]
    reference: PathBuf,
    /// Folder or file of the reconstructions
    #[arg(long, value_name = "PATH")]
    reconstruction: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

impl Metrics {
    pub fn run(self) -> anyhow::Result<()> {
        let result = crate::metrics::compare_folders(&self.reference, &self.reconstruction)?;
        if self.json {
            return super::print_json(&result);
        }
        super::print_line(format!(
            "{}\nA flat grey picture in place of every reconstruction:\n{}",
            result.comparison, result.flat_grey
        ))
    }
}
