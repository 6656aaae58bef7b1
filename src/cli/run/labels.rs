//! What the label indices mean: naming as a stage of a run.

use super::report::Truth;
use crate::{
    attack::invert::Reconstruction,
    cli::{
        misuse,
        naming_options::{Choice, NamingOptions},
        note,
        progress::Progress,
    },
    clip::zero_shot::Namer,
    data::Picture,
    device::Device,
    semantic::{self, SemanticError, SemanticReport, reconstruct_labels},
};

/// What naming needs.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub device: &'a dyn Device,
    pub options: &'a NamingOptions,
    /// `None`: naming is left out.
    pub choice: Option<&'a Choice>,
    pub seed: u64,
}

impl<'a> Parts<'a> {
    /// A model that knows its names, for so many pictures.
    pub fn namer(&self, pictures: usize) -> anyhow::Result<Option<Namer<'a>>> {
        let Some(choice) = self.choice else { return Ok(None) };
        let bar = Progress::counting("encoding names");
        let namer = self.options.namer(choice, self.device, pictures, &mut |_, done, of| bar.count(done, of));
        bar.finish();
        namer
    }
}

/// Names of the label indices that these reconstructions carry.
pub fn name_labels(
    parts: &Parts,
    namer: &mut Namer,
    found: &[Reconstruction],
    pictures: &[Vec<Picture>],
    truth: Option<&Truth>,
    unrelated: &[Picture],
) -> anyhow::Result<SemanticReport> {
    let batches: Vec<semantic::Batch> = found
        .iter()
        .zip(pictures)
        .enumerate()
        .map(|(i, (found, pictures))| semantic::Batch {
            reconstructions: pictures,
            indices: &found.labels,
            originals: truth.map(|t| (&t.batches[i].pictures[..], &t.batches[i].labels[..])),
        })
        .collect();
    let objectives: Vec<f32> = found.iter().map(|f| f.best().objective).collect();
    let weights = parts.options.weights(&objectives);
    let study = semantic::Study {
        assignment: parts.options.assignment.into(),
        weights: Some(&weights),
        truth: truth.map_or(&[], |t| t.names),
        unrelated,
        seed: parts.seed,
    };
    let bar = Progress::counting("naming");
    let named = reconstruct_labels(namer, &batches, &study, &mut |_, done, of| bar.count(done, of));
    bar.finish();
    let named = named.map_err(|error| match error {
        SemanticError::TooFewNames { .. } => misuse(format!("--assignment one-to-one: {error}")),
        error => error.into(),
    })?;
    named.notes.iter().for_each(|text| note(text));
    Ok(named)
}
