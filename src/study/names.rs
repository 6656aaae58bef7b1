//! How well a model names labelled data sets, as they are and as reconstructions spoil them.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    audit::AuditError,
    clip::{
        ClipError, Encoder, Head, Templates,
        calibration::expected_calibration_error,
        conditions::{CONDITIONS, Condition},
        zero_shot::name_pictures,
    },
    data::{Dataset, Picture, add_name, spoken},
    device::{Device, DeviceInfo},
    statistics::share_interval_95,
    watch::{Stage, Watch},
};

/// Some data sets, and what is to name their pictures.
pub struct NameStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// What compares pictures with names.
    pub encoder: &'a dyn Encoder,
    /// The sentences that names are put into.
    pub templates: &'a Templates,
    /// Each with what to call it; none is empty.
    pub sets: &'a [(String, Dataset)],
    /// Most pictures of each, evenly spaced over the data set.
    pub limit: Option<usize>,
    /// Most pictures of each that are shown degraded; 0 leaves these views out.
    pub degraded: Option<usize>,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct NameReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What named the pictures.
    pub model: String,
    /// Of all data sets together.
    pub names: usize,
    /// One for each data set and condition.
    pub rows: Vec<Row>,
}

/// One data set under one condition.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What the data set is called.
    pub data: String,
    /// How its pictures are shown.
    pub condition: &'static str,
    /// How many were named.
    pub pictures: usize,
    /// Of the data set.
    pub names: usize,
    /// Share whose own name comes first among the data set's, with Wilson's 95 % interval.
    pub top1: f64,
    /// Wilson's, of `top1`.
    pub top1_interval_95: [f64; 2],
    /// Share whose own name comes first among those of all data sets.
    pub top1_among_all: f64,
    /// Among the data set's own names.
    pub expected_calibration_error: f64,
}

/// A data set, and which of all names are its own.
struct Set<'a> {
    name: &'a str,
    dataset: &'a Dataset,
    own: Vec<usize>,
}

impl NameStudy<'_> {
    /// Names every picture under every condition.
    pub fn run(&self, watch: &dyn Watch) -> Result<NameReport, AuditError> {
        let mut names: Vec<String> = vec![];
        let mut sets = vec![];
        for (name, dataset) in self.sets {
            let own = dataset.class_names.iter().map(|class| add_name(&mut names, &spoken(class))).collect();
            sets.push(Set { name, dataset, own });
        }
        let mut rows = vec![];
        for set in &sets {
            rows.extend(self.rows(&names, set, watch)?);
        }
        Ok(NameReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            device: self.device.info(),
            model: self.encoder.model(),
            names: names.len(),
            rows,
        })
    }

    /// All conditions of one data set.
    fn rows(&self, names: &[String], set: &Set, watch: &dyn Watch) -> Result<Vec<Row>, AuditError> {
        let NameStudy { device, encoder, templates, .. } = *self;
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
        let stage = Stage::new(watch, "naming");
        let mut rows = vec![];
        let mut done = 0;
        for (condition, count) in wanted {
            stage.part(&format!("{}, {}", set.name, condition.name), done, total, None);
            let pictures = (0..count).map(|i| (format!("{} {i}", set.name), show(condition, i, count)));
            let found = name_pictures(device, encoder, names, templates, pictures, watch)?;
            let labels = (0..count).map(|i| set.dataset.labels()[i * all / count]);
            rows.push(row(set, condition, encoder.head(), &found.cosine, labels));
            done += count;
        }
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
        data: set.name.into(),
        condition: condition.name,
        pictures,
        names: set.own.len(),
        top1: right as f64 / pictures.max(1) as f64,
        top1_interval_95: share_interval_95(right, pictures),
        top1_among_all: right_of_all as f64 / pictures.max(1) as f64,
        expected_calibration_error: expected_calibration_error(&answers),
    }
}

impl NameReport {
    /// Markdown, so that it can stand in a model card.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {}: top-1 among the data set's own names, among all {}, and expected calibration error\n\n\
             | data set | shown | pictures | top-1 of own | 95 % | top-1 of all | ECE |\n|---|---|---|---|---|---|---|",
            self.model, self.device.name, self.names
        );
        for row in &self.rows {
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
}
