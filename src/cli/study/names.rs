//! `gia-gpu study names`

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::super::{
    clip_options::ClipOptions,
    help::group,
    misuse,
    named_sets::NamedPath,
    options::{DeviceOptions, check_limit},
    print_json, print_line,
    progress::Progress,
};
use crate::{
    clip::{
        ClipError, Encoder, Head, Templates,
        calibration::expected_calibration_error,
        conditions::{CONDITIONS, Condition},
        zero_shot::name_pictures,
    },
    data::{Dataset, Picture, add_name, spoken},
    device::{Device, DeviceInfo},
    report::share_interval_95,
};

/// How well a model names data sets, as they are and degraded.
///
/// Name the pictures of labelled data sets, as they are and as reconstructions spoil them: how often the right name comes
/// first among the set's own names and among those of all sets, and how well the probabilities are calibrated.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu study names --data cifar-10=cifar/test --data fashion-mnist=fashion-mnist/t10k-images-idx3-ubyte.gz"
)]
pub struct NameStudy {
    /// Data set and what to call it
    ///
    /// Class folders, CIFAR-10's binary batches or IDX files. Again for each further one.
    #[arg(long, value_name = "NAME=PATH", required = true)]
    data: Vec<NamedPath>,
    /// Name N pictures of each only, evenly spaced over the data set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Name the degraded views of N pictures of each only; 0 leaves them out
    #[arg(long, value_name = "N")]
    degraded: Option<usize>,
    #[command(flatten)]
    clip: ClipOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

#[derive(Serialize)]
struct Report {
    tool: &'static str,
    version: &'static str,
    device: DeviceInfo,
    model: String,
    /// Of all data sets together.
    names: usize,
    rows: Vec<Row>,
}

/// One data set under one condition.
#[derive(Serialize)]
struct Row {
    data: String,
    condition: &'static str,
    pictures: usize,
    /// Of the data set.
    names: usize,
    /// Share whose own name comes first among the data set's, with Wilson's 95 % interval.
    top1: f64,
    top1_interval_95: [f64; 2],
    /// Share whose own name comes first among those of all data sets.
    top1_among_all: f64,
    /// Among the data set's own names.
    expected_calibration_error: f64,
}

/// A data set, its names, and which of all names they are.
struct Set {
    name: String,
    dataset: Dataset,
    own: Vec<usize>,
}

impl NameStudy {
    pub fn run(self) -> anyhow::Result<()> {
        check_limit(self.limit)?;
        let (sets, names) = self.sets()?;
        let encoder = self.clip.open()?;
        let templates = self.clip.templates()?;
        let device = self.device.open()?;
        let mut rows = vec![];
        for set in &sets {
            rows.extend(self.rows(&*device, &*encoder, &templates, &names, set)?);
        }
        let report = Report {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            device: device.info(),
            model: encoder.model(),
            names: names.len(),
            rows,
        };
        if self.json { print_json(&report) } else { print_line(table(&report)) }
    }

    fn sets(&self) -> anyhow::Result<(Vec<Set>, Vec<String>)> {
        let mut names: Vec<String> = vec![];
        let mut sets = vec![];
        for NamedPath { name, path } in &self.data {
            let dataset = Dataset::open(path)?;
            if dataset.is_empty() {
                return Err(misuse(format!("--data: {} has no pictures", path.display())));
            }
            let own = dataset.class_names.iter().map(|class| add_name(&mut names, &spoken(class))).collect();
            sets.push(Set { name: name.clone(), dataset, own });
        }
        Ok((sets, names))
    }

    /// All conditions of one data set.
    fn rows(
        &self,
        device: &dyn Device,
        encoder: &dyn Encoder,
        templates: &Templates,
        names: &[String],
        set: &Set,
    ) -> anyhow::Result<Vec<Row>> {
        let size = encoder.image_size();
        let all = set.dataset.len();
        let most = self.limit.map_or(all, |limit| limit.min(all));
        let counts = CONDITIONS.iter().enumerate().map(|(place, condition)| {
            let degraded = self.degraded.filter(|_| place > 0);
            (condition, degraded.map_or(most, |count| count.min(most)))
        });
        let wanted: Vec<(&Condition, usize)> = counts.filter(|&(_, count)| count > 0).collect();
        let total = wanted.iter().map(|&(_, count)| count).sum();
        let show = |condition: &Condition, i: usize, count: usize| -> Result<Picture, ClipError> {
            let picture = set.dataset.picture(i * all / count)?.with_channels(3)?;
            // As large as what is attacked, so that a pixel of blur or shift is the same for all.
            let picture =
                if picture.height.max(picture.width) > size { picture.resized(size, size)? } else { picture };
            Ok(condition.show(picture, i as u64))
        };
        let bar = Progress::counting("naming");
        let mut rows = vec![];
        let mut done = 0;
        for (condition, count) in wanted {
            let pictures = (0..count).map(|i| (format!("{} {i}", set.name), show(condition, i, count)));
            let mut progress = |stage: &'static str, now: usize, _: usize| {
                if stage == "pictures" {
                    bar.count(done + now, total);
                }
            };
            let found = name_pictures(device, encoder, names, templates, pictures, &mut progress)?;
            let labels = (0..count).map(|i| set.dataset.labels()[i * all / count]);
            rows.push(row(set, condition, encoder.head(), &found.cosine, labels));
            done += count;
        }
        bar.finish();
        Ok(rows)
    }
}

fn row(
    set: &Set,
    condition: &Condition,
    head: Head,
    cosine: &[Vec<f64>],
    labels: impl Iterator<Item = usize>,
) -> Row {
    let (mut answers, mut right_of_all) = (vec![], 0);
    for (row, label) in cosine.iter().zip(labels) {
        let own: Vec<f64> = set.own.iter().map(|&name| row[name]).collect();
        let said = head.probabilities(&own);
        let surest = said.iter().copied().fold(0.0, f64::max);
        answers.push((surest, said[label] == surest));
        right_of_all += usize::from(row.iter().all(|&c| c <= own[label]));
    }
    let right = answers.iter().filter(|answer| answer.1).count();
    let pictures = answers.len();
    Row {
        data: set.name.clone(),
        condition: condition.name,
        pictures,
        names: set.own.len(),
        top1: right as f64 / pictures.max(1) as f64,
        top1_interval_95: share_interval_95(right, pictures),
        top1_among_all: right_of_all as f64 / pictures.max(1) as f64,
        expected_calibration_error: expected_calibration_error(&answers),
    }
}

/// Markdown, so that it can stand in a model card.
fn table(report: &Report) -> String {
    let mut text = format!(
        "{} on {}: top-1 among the data set's own names, among all {}, and expected calibration error\n\n\
         | data set | shown | pictures | top-1 of own | 95 % | top-1 of all | ECE |\n|---|---|---|---|---|---|---|",
        report.model, report.device.name, report.names
    );
    for row in &report.rows {
        let [low, high] = row.top1_interval_95.map(|share| 100.0 * share);
        let _ = write!(
            text,
            "\n| {} ({}) | {} | {} | {:.2} % | [{low:.2}, {high:.2}] | {:.2} % | {:.3} |",
            row.data,
            row.names,
            row.condition,
            row.pictures,
            100.0 * row.top1,
            100.0 * row.top1_among_all,
            row.expected_calibration_error
        );
    }
    text
}
