//! `gia-gpu study pulls`

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{
    clip_options::{naming_error, open_encoder},
    help::group,
    misuse,
    options::{DeviceOptions, count_to},
    print_json, print_line,
    progress::Terminal,
    spelled::spelled,
};
use crate::{
    attack::{config::Parameterisation, looks::MAX_VIEWS},
    audit::{AuditError, NamingModel},
    clip::{Templates, zero_shot::check_labels},
    study::{self, PullError},
};

/// What names look like to models.
///
/// Each model draws a picture of each word by its pull alone, from the same noise, and every model reads every picture. Where
/// only the one that drew reads the word, its pull is a pattern that nobody else sees.
#[derive(Args)]
#[command(
    next_help_heading = group::NAMING,
    after_help = "Example: gia-gpu study pulls --models builtin,robust.safetensors --guide-views 8 --parameterisation pyramid \
                  --out pulls"
)]
pub(crate) struct PullStudy {
    /// Models, as --clip takes them
    #[arg(long, value_name = "MODEL,MODEL", default_value = "builtin")]
    models: String,
    /// Words to draw
    #[arg(
        long,
        value_name = "NAME,NAME",
        default_value = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"
    )]
    words: String,
    /// How pictures are moved
    #[arg(long, value_name = "P", value_parser = spelled::<Parameterisation>(), default_value = "pixels")]
    parameterisation: Parameterisation,
    /// Copies of each picture that a model looks at in an iteration, as for `guide`
    #[arg(long, value_name = "N", value_parser = count_to(MAX_VIEWS))]
    guide_views: Option<usize>,
    /// Steps of Adam
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = count_to(100_000))]
    iterations: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "R", default_value_t = 0.1, allow_negative_numbers = true)]
    learning_rate: f64,
    /// Weight of total variation
    #[arg(long, value_name = "W", default_value_t = 0.0, allow_negative_numbers = true)]
    tv: f64,
    /// Seed of noise and looks
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Folder for pulls.png: a row a model, a column a word
    #[arg(long, value_name = "DIR", default_value = "pulls", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl PullStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(misuse(format!(
                "--learning-rate: expected a rate > 0, found {}",
                self.learning_rate
            )));
        }
        if !(self.tv.is_finite() && self.tv >= 0.0) {
            return Err(misuse(format!("--tv: expected a weight ≥ 0, found {}", self.tv)));
        }
        let words: Vec<String> = self.words.split(',').map(String::from).collect();
        let words = check_labels(&words).map_err(|error| naming_error("--words", error))?;
        let mut models = vec![];
        for path in self.models.split(',') {
            let encoder = open_encoder(Some(Path::new(path.trim())), None)?;
            let model = NamingModel { encoder, names: words.clone(), templates: Templates::imagenet() };
            models.push((called(path), model));
        }
        let device = self.device.open()?;
        let study = study::PullStudy {
            device: &*device,
            models: &models,
            parameterisation: self.parameterisation,
            views: self.guide_views,
            iterations: self.iterations,
            learning_rate: self.learning_rate,
            total_variation: self.tv,
            seed: self.seed,
        };
        let report = study.run(&self.out, &Terminal).map_err(|error| match error {
            PullError::Audit(AuditError::Clip(error)) => naming_error("--words", error),
            error => error.into(),
        })?;
        if self.json {
            return print_json(&report);
        }
        let written: Vec<String> = report.written.iter().map(|path| path.display().to_string()).collect();
        print_line(format!("{}\nwrote {}", report.table(), written.join(", ")))
    }
}

/// A file without its folder and ending.
fn called(path: &str) -> String {
    let stem = Path::new(path.trim()).file_stem();
    stem.map_or_else(|| path.into(), |stem| stem.to_string_lossy().into_owned())
}
