//! The results as CSV files, a row a cell and a row a batch, in the sweep's order.

use std::path::Path;

use super::{
    BatchRecord, Cell, Finished, Naming, Pairings, Record, Scores, Seen, Shares, Source, SweepError,
};
use crate::{
    data::atomic,
    report::{html::Measured, spreadsheet},
};

/// A row a cell: means with 95 % intervals.
pub const RESULTS: &str = "results.csv";
/// A row a batch, for paired statistics: equal numbers of one seed and batch size are the same pictures.
pub const BATCHES: &str = "batches.csv";
/// How long each cell took and where. Apart, because nothing else in the files depends on it.
pub const TIMINGS: &str = "timings.csv";

/// What names can be read from in groups of batches.
const IN_GROUPS: [Source; 6] = [
    Source::Reconstructions,
    Source::Features,
    Source::Both,
    Source::ModelAlone,
    Source::Originals,
    Source::Shuffled,
];

/// Writes all three files, each whole or not at all.
pub fn write(folder: &Path, cells: &[&Finished]) -> Result<(), SweepError> {
    let records = || cells.iter().map(|c| &c.record);
    let of_cells: Vec<Row> = records().map(cell).collect();
    let of_batches: Vec<Row> = records().flat_map(|r| r.batches.iter().map(|b| batch(&r.cell, b))).collect();
    let of_timings: Vec<Row> = cells.iter().map(|c| timing(c)).collect();
    for (name, rows) in [(RESULTS, of_cells), (BATCHES, of_batches), (TIMINGS, of_timings)] {
        let path = folder.join(name);
        let bytes = csv(&rows).map_err(|cause| SweepError::Results { path: path.clone(), cause })?;
        atomic::write_bytes(&path, &bytes)?;
    }
    Ok(())
}

/// A header from the first row's names; all rows have the same.
fn csv(rows: &[Row]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(vec![]);
    if let Some(first) = rows.first() {
        writer.write_record(first.0.iter().map(|(name, _)| name))?;
    }
    for row in rows {
        writer.write_record(row.0.iter().map(|(_, value)| spreadsheet::cell(value).into_owned()))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Names of columns and what stands in them; nothing where there is no value.
#[derive(Default)]
struct Row(Vec<(String, String)>);

impl Row {
    fn of(cell: &Cell) -> Row {
        let Cell { victim, weights, batch_size, defence, attack, seed } = cell;
        Row::default()
            .with("victim", victim)
            .with("weights", weights)
            .with("batch_size", batch_size)
            .with("defence", defence)
            .with("attack", attack)
            .with("seed", seed)
    }

    fn with(mut self, name: &str, value: impl ToString) -> Row {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// As short as it reads back to the same bits.
    fn number(self, name: &str, value: Option<f64>) -> Row {
        self.with(name, value.map_or(String::new(), |v| v.to_string()))
    }

    fn measured(self, name: &str, value: Option<Measured>) -> Row {
        let end = |end: usize| value.and_then(|v| v.interval_95).map(|interval| interval[end]);
        self.number(name, value.map(|v| v.mean))
            .number(&format!("{name}_low"), end(0))
            .number(&format!("{name}_high"), end(1))
    }

    fn pairings<T: Copy>(self, name: &str, of: &Pairings<T>, column: fn(Row, &str, Option<T>) -> Row) -> Row {
        let Pairings { aligned, one_to_one, best_reference } = *of;
        [("aligned", aligned), ("one_to_one", one_to_one), ("best_reference", best_reference)]
            .into_iter()
            .fold(self, |row, (pairing, value)| column(row, &format!("{name}_{pairing}"), value))
    }

    fn seen<T: Copy>(self, of: &Seen<T>, column: fn(Row, &str, Option<T>) -> Row) -> Row {
        let Seen { lpips, fmse, rank_lpips, rank_features } = *of;
        [
            ("lpips", lpips),
            ("fmse", fmse),
            ("identification_rank_lpips", rank_lpips),
            ("identification_rank_features", rank_features),
        ]
        .into_iter()
        .fold(self, |row, (name, value)| column(row, name, value))
    }

    fn scores(self, name: &str, of: Option<Scores>) -> Row {
        self.measured(&format!("{name}_greedy"), of.map(|s| s.greedy))
            .measured(&format!("{name}_one_to_one"), of.and_then(|s| s.one_to_one))
    }

    fn shares(self, name: &str, of: Option<Shares>) -> Row {
        self.number(&format!("{name}_greedy"), of.map(|s| s.greedy))
            .number(&format!("{name}_one_to_one"), of.and_then(|s| s.one_to_one))
    }
}

fn cell(record: &Record) -> Row {
    let Record { iterations, trials, batches, skipped, figures: f, naming, .. } = record;
    let naming = naming.as_ref();
    let mut row = Row::of(&record.cell)
        .with("batches", batches.len())
        .with("skipped_batches", skipped.len())
        .with("iterations", iterations)
        .with("trials", trials)
        .with("device", &record.device)
        .measured("members_found", record.membership)
        .number("named_random", naming.map(|n| n.random));
    let score = |of: fn(&Naming) -> &std::collections::BTreeMap<Source, Scores>, source: Source| {
        naming.and_then(|n| of(n).get(&source).copied())
    };
    for source in Source::ALL {
        row = row.scores(&format!("named_{}_single", source.name()), score(|n| &n.single, source));
    }
    for source in IN_GROUPS {
        row = row.scores(&format!("named_{}_aggregated", source.name()), score(|n| &n.aggregated, source));
    }
    row.pairings("psnr", &f.psnr, Row::measured)
        .pairings("ssim", &f.ssim, Row::measured)
        .measured("psnr_flat_grey", f.psnr_flat_grey)
        .measured("ssim_flat_grey", f.ssim_flat_grey)
        .measured("psnr_noise", f.psnr_noise)
        .measured("ssim_noise", f.ssim_noise)
        .seen(&f.likeness, Row::measured)
        .measured("le_acc", f.le_acc)
        .measured("ln_acc", f.ln_acc)
        .measured("irec", f.irec)
        .measured("objective", f.objective)
        .measured("client_loss", f.client_loss)
}

fn batch(cell: &Cell, b: &BatchRecord) -> Row {
    let list = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut row = Row::of(cell)
        .with("batch", b.batch)
        .with("pictures", list(&b.pictures))
        .with("true_labels", list(&b.true_labels))
        .with("labels", list(&b.labels));
    for source in IN_GROUPS {
        row = row.shares(&format!("named_{}", source.name()), b.named.get(&source).copied());
    }
    row.pairings("psnr", &b.psnr, Row::number)
        .pairings("ssim", &b.ssim, Row::number)
        .number("psnr_flat_grey", b.psnr_flat_grey)
        .number("ssim_flat_grey", b.ssim_flat_grey)
        .number("psnr_noise", b.psnr_noise)
        .number("ssim_noise", b.ssim_noise)
        .seen(&b.likeness, Row::number)
        .number("le_acc", Some(b.le_acc))
        .number("ln_acc", Some(b.ln_acc))
        .number("irec", Some(b.irec))
        .number("objective", b.objective)
        .number("client_loss", b.client_loss)
}

fn timing(cell: &Finished) -> Row {
    Row::of(&cell.record.cell)
        .number("seconds", Some(cell.timing.seconds))
        .number(
            "milliseconds_per_iteration_and_trial",
            Some(cell.timing.milliseconds_per_iteration_and_trial),
        )
        .with("device", &cell.record.device)
}
