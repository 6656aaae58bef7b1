//! `gia-gpu name`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    clip_options::{ClipOptions, naming_error},
    destination::ForceOption,
    example_options::ExampleOptions,
    help::group,
    misuse, note,
    options::{DeviceOptions, check_apart},
    print_json, print_line,
    progress::Terminal,
};
use crate::{
    audit::NamingModel,
    clip::{
        ClipError, HeldOut,
        zero_shot::{Names, check_labels, check_size, name_pictures},
    },
    data::{Picture, atomic},
    report::spreadsheet,
};

/// Names printed for each picture; `--json` and `--out` have all.
const SHOWN: usize = 5;

/// Say what pictures show: how well each name fits each picture, by CLIP.
///
/// A name's vector is the mean of its sentences' ("a photo of a dog."); a picture's probabilities are the softmax of the
/// model's scale times the cosines with all names. A SigLIP judges each name alone, by the sigmoid of scale times cosine
/// plus bias: its probabilities do not sum to 1.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu name --clip clip-vit-b32 --labels dog,cat,airplane found/images/*.png\n  \
                  gia-gpu name --clip ViT-B-32/model.safetensors --labels dog,cat --templates plain dog.jpg --json\n  \
                  gia-gpu name --names-from chest-x-rays found/images/*.png"
)]
pub(crate) struct Name {
    #[command(flatten)]
    clip: ClipOptions,
    /// Names to choose from, as in dog,cat,airplane
    #[arg(long, value_name = "NAME,NAME", required_unless_present = "names_from", conflicts_with = "names_from",
          allow_hyphen_values = true, help_heading = group::NAMING)]
    labels: Option<String>,
    #[command(flatten)]
    examples: ExampleOptions,
    /// PNG or JPEG files
    #[arg(required = true, value_name = "IMAGE", help_heading = group::INPUT)]
    images: Vec<PathBuf>,
    /// CSV file to write: a row a picture, a column a name
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceOption,
    /// Print JSON: labels, and a row of probabilities and of cosines for each picture
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'n> {
    labels: &'n [String],
    /// `(N,K)`
    probabilities: &'n [Vec<f64>],
    /// `(N,K)`
    cosine: &'n [Vec<f64>],
    model: String,
    /// How well names are known that were learned from examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    examples: Option<&'n HeldOut>,
}

impl Name {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let labels: Vec<String> = self.labels.iter().flat_map(|l| l.split(',')).map(String::from).collect();
        let examples = self.examples.open(None, None)?;
        if examples.is_none() {
            check_labels(&labels).map_err(|error| misuse(format!("--labels: {error}")))?;
        }
        let templates = self.clip.templates()?;
        let out = self.out.as_deref();
        check_apart("--out", out, self.images.iter().map(PathBuf::as_path))?;
        let _claim = out.map(|out| self.force.claim_file(out)).transpose()?;
        // Before the model is read, which takes longer.
        for image in &self.images {
            check_size(&image.display().to_string(), Picture::read_size(image)?)?;
        }
        let device = self.device.place.open()?;
        let NamingModel { encoder, names: labels, templates } = match &examples {
            Some(examples) => self.examples.learn(examples, &self.clip, None, &*device)?,
            None => NamingModel { encoder: self.clip.open()?, names: labels, templates },
        };
        let pictures = self
            .images
            .iter()
            .map(|path| (path.display().to_string(), Picture::read(path).map_err(ClipError::from)));
        let found = name_pictures(&*device, &*encoder, &labels, &templates, pictures, &Terminal);
        let found = found.map_err(|error| naming_error("--labels", error))?;
        found.notes.iter().for_each(|text| note(text));
        if let Some(out) = &self.out {
            atomic::write_bytes(out, csv(&self.images, &found).as_bytes())?;
        }
        if self.json {
            let Names { labels, probabilities, cosine, .. } = &found;
            let (model, examples) = (encoder.model(), encoder.held_out());
            return print_json(&Report { labels, probabilities, cosine, model, examples });
        }
        print_line(table(&self.images, &found))
    }
}

/// A line a picture: its most probable names.
fn table(images: &[PathBuf], found: &Names) -> String {
    let shown: Vec<String> = images.iter().map(|path| path.display().to_string()).collect();
    let width = shown.iter().map(|path| path.chars().count()).max().unwrap_or(0);
    let lines = shown.iter().zip(&found.probabilities).map(|(path, row)| {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        let names = order.iter().take(SHOWN).map(|&k| format!("{} {:.1} %", found.labels[k], 100.0 * row[k]));
        format!("{path:width$}  {}", names.collect::<Vec<_>>().join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The similarity matrix: softmax(scale·cosine) over the names.
fn csv(images: &[PathBuf], found: &Names) -> String {
    let line = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells = [quoted(first)].into_iter().chain(cells);
        cells.collect::<Vec<_>>().join(",") + "\n"
    };
    let mut text = line("image", &mut found.labels.iter().map(|label| quoted(label)));
    for (path, row) in images.iter().zip(&found.probabilities) {
        text += &line(&path.display().to_string(), &mut row.iter().map(f64::to_string));
    }
    text
}

/// A cell of a CSV file (RFC 4180).
fn quoted(text: &str) -> String {
    let cell = spreadsheet::cell(text);
    match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.into_owned(),
    }
}
