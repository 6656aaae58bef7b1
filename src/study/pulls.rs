//! What names look like to models: pictures that each draws by its pull alone, from the same noise, and what the others read in
//! them. A picture in which only the model that drew it reads its name is a pattern, not a shape.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    attack::{
        GO_ON, Hooks,
        config::{Optimiser, Parameterisation, Schedule, Sign, Start},
        drawn::Drawing,
        pixels::Pixels,
        pyramid::Pyramid,
        unknown::Unknown,
    },
    audit::{AuditError, NamingModel},
    data::{DataError, Normalisation, NormalisationPreset, Picture, atomic},
    device::{Device, DeviceInfo},
    files::outgoing,
    report::{ReportError, picture_grid},
    watch::{Silent, Stage, Watch},
};

/// Side of what is drawn.
const SIDE: usize = 32;
const CHANNELS: usize = 3;

/// Models, and how they draw.
pub struct PullStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// Each with what to call it; all know the same names.
    pub models: &'a [(String, NamingModel)],
    /// What is moved.
    pub parameterisation: Parameterisation,
    /// Copies that are looked at in an iteration.
    pub views: Option<usize>,
    /// Adam's steps.
    pub iterations: usize,
    /// Adam's.
    pub learning_rate: f64,
    /// Weight of total variation.
    pub total_variation: f64,
    /// Of noise and looks.
    pub seed: u64,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct PullReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What was drawn.
    pub words: Vec<String>,
    /// What was moved.
    pub parameterisation: Parameterisation,
    /// Copies that were looked at in an iteration.
    pub views: Option<usize>,
    /// Adam's steps.
    pub iterations: usize,
    /// Adam's.
    pub learning_rate: f64,
    /// Weight of total variation.
    pub total_variation: f64,
    /// Of noise and looks.
    pub seed: u64,
    /// Every model in every model's pictures.
    pub readings: Vec<Reading>,
    /// Files for a person to look at.
    #[serde(skip)]
    pub written: Vec<PathBuf>,
}

/// What a model reads in the pictures that one drew.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Who drew.
    pub drawn_by: String,
    /// Who reads.
    pub read_by: String,
    /// Words that come first, of all.
    pub right: usize,
    /// Probability of each picture's own word.
    pub probabilities: Vec<f64>,
}

/// Why the study fails.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// What draws, reads or encodes names.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The pictures cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl PullStudy<'_> {
    /// Draws and reads, and writes `pulls.png`, a row a model.
    ///
    /// # Errors
    /// A word that a model does not know; what the device refuses; a folder that cannot be written.
    pub fn run(&self, out: &Path, watch: &dyn Watch) -> Result<PullReport, PullError> {
        let normalisation = NormalisationPreset::Cifar10.of(CHANNELS);
        let words = &self.models[0].1.names;
        let mut namers = vec![];
        for (_, model) in self.models {
            namers.push(model.namer(self.device, words.len(), watch)?);
        }
        let mut all = vec![];
        for ((name, model), namer) in self.models.iter().zip(&namers) {
            let stage = Stage::new(watch, "drawing");
            watch.note(&format!("{name} draws {} words", words.len()));
            let mut progress = |done: usize, of: usize, latest: &[f32]| stage.iterations(done, of, latest);
            let hooks = &mut Hooks { progress: &mut progress, stop: GO_ON, checkpoints: None };
            let unknown = self.unknown(&normalisation);
            let drawing = Drawing {
                unknown: &*unknown,
                normalisation: &normalisation,
                optimiser: Optimiser::Adam {
                    learning_rate: self.learning_rate,
                    sign: Sign::None,
                    schedule: Schedule::Cosine,
                    warm_up: 0,
                    langevin: 0.0,
                },
                iterations: self.iterations,
                views: self.views,
                total_variation: self.total_variation,
                seed: self.seed,
            };
            let width = namer.vectors.len() / words.len();
            let drawn = drawing
                .of(self.device, &*model.encoder, &namer.vectors, width, hooks)
                .map_err(AuditError::from)?;
            let mut pictures = vec![];
            for values in &drawn {
                pictures.extend(normalisation.denormalise(values, SIDE, SIDE)?);
            }
            all.push(pictures);
        }
        let mut readings = vec![];
        for ((drawn_by, _), pictures) in self.models.iter().zip(&all) {
            for ((read_by, _), namer) in self.models.iter().zip(&mut namers) {
                let calls = pictures.iter().map(|picture| ("a drawing".to_string(), Ok(picture.clone())));
                let rows = namer.rows(calls, &Silent).map_err(AuditError::from)?.probabilities;
                let first = |(i, row): &(usize, &Vec<f64>)| row.iter().all(|other| *other <= row[*i]);
                readings.push(Reading {
                    drawn_by: drawn_by.clone(),
                    read_by: read_by.clone(),
                    right: rows.iter().enumerate().filter(first).count(),
                    probabilities: rows.iter().enumerate().map(|(i, row)| row[i]).collect(),
                });
            }
        }
        outgoing::make_folder(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let rows: Vec<(&str, &[Picture])> = self
            .models
            .iter()
            .zip(&all)
            .map(|((name, _), pictures)| (name.as_str(), &pictures[..]))
            .collect();
        let path = out.join("pulls.png");
        atomic::write_bytes(&path, &picture_grid(&rows, words)?)?;
        Ok(PullReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            device: self.device.info(),
            words: words.clone(),
            parameterisation: self.parameterisation,
            views: self.views,
            iterations: self.iterations,
            learning_rate: self.learning_rate,
            total_variation: self.total_variation,
            seed: self.seed,
            readings,
            written: vec![path],
        })
    }

    fn unknown(&self, normalisation: &Normalisation) -> Box<dyn Unknown> {
        let (image, normalisation) = ([CHANNELS, SIDE, SIDE], normalisation.clone());
        match self.parameterisation {
            Parameterisation::Pyramid => Box::new(Pyramid { batch: 1, image, normalisation }),
            Parameterisation::Pixels => Box::new(Pixels {
                batch: 1,
                image,
                scale: 1,
                start: Start::Normal,
                normalisation,
                clamp: true,
            }),
        }
    }
}

impl PullReport {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let width =
            self.readings.iter().map(|r| r.drawn_by.len().max(r.read_by.len())).max().unwrap_or(0).max(8);
        let _ = writeln!(
            text,
            "{:width$}  {:width$}  {:>12}  {:>16}",
            "drawn by", "read by", "words right", "mean probability"
        );
        for reading in &self.readings {
            let words = self.words.len();
            let mean = reading.probabilities.iter().sum::<f64>() / words.max(1) as f64;
            let right = format!("{} of {words}", reading.right);
            let _ = writeln!(
                text,
                "{:width$}  {:width$}  {right:>12}  {mean:>16.3}",
                reading.drawn_by, reading.read_by
            );
        }
        text.trim_end().into()
    }
}
