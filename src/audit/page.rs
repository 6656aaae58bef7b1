//! `report.html` of a run.

use super::{Clients, Findings, Frame, advised, film, page_readers, rounds, stages};
use crate::{
    attack::invert::LabelSource,
    data::place_of_name,
    report::{
        Batch, RunReport,
        html::{
            Cell, Curves, Facts, KeyFigure, Matrix, Measured, Original, Page, PictureBatch, Pictures,
            Provenance, Reconstructed, Row, Section, Series, Table, Threat,
        },
    },
    semantic::{IndexNaming, Score, SemanticReport},
};

/// Batches whose losses are drawn.
const LOSSES: usize = 6;

pub(crate) fn page(findings: &Findings, report: &RunReport, frames: &[Vec<Frame>]) -> Page {
    let mut sections = vec![Section::new("Pictures", pictures(findings, report))];
    sections.extend(rounds::sections(report));
    if let Some(semantic) = &report.semantic {
        sections.push(matrix(semantic));
        sections.extend(accuracy(semantic));
        sections.extend(page_readers::section(report));
    }
    sections.extend(likeness(report));
    sections.extend(film::section(frames));
    sections.extend(stages::section(findings, report));
    sections.push(loss(report));
    sections.extend(report.advice.as_ref().map(advised::section));
    if !report.head.defences.client.is_empty() {
        sections.push(
            Section::new("Defences", defences(report)).reading("What protected the client before it sent."),
        );
    }
    sections.push(Section::new("Threat model", Threat::from(&report.head.threat_model.model)));
    Page {
        title: "What the update gives away".into(),
        verdict: report.head.verdict.clone().into(),
        figures: key_figures(report),
        sections,
        provenance: provenance(report),
    }
}

fn pictures(findings: &Findings, report: &RunReport) -> Pictures {
    let batches = report.batches.iter().enumerate().map(|(number, batch)| {
        let title = format!("batch {number}");
        let found = &findings.outcome.pictures[number];
        let named = report.semantic.as_ref().map(|s| &s.batches[number].labels[..]).unwrap_or_default();
        let mut shown = match (findings.clients, &batch.metrics) {
            (Some(clients), Some(metrics)) => {
                let originals = &clients.batches[number].pictures;
                let mut shown = PictureBatch::new(title, originals, found, metrics);
                name_originals(&mut shown.originals, clients, number);
                shown
            }
            _ => PictureBatch::alone(title, found),
        };
        for (picture, &index) in shown.reconstructions.iter_mut().zip(&batch.labels) {
            let naming = named.iter().find(|n| n.index == index);
            picture.label = Some(index);
            picture.found = naming.map(|n| n.name.clone());
            picture.truth = naming.and_then(|n| n.truth.clone());
        }
        shown
    });
    let mut batches: Vec<PictureBatch> = batches.collect();
    if report.head.batch == 1 && batches.len() > 1 {
        batches = vec![side_by_side(batches)];
    }
    Pictures { batches }
}

/// Batches of one picture each as one row.
fn side_by_side(batches: Vec<PictureBatch>) -> PictureBatch {
    let title = format!("{} batches of one picture", batches.len());
    let mut row = PictureBatch { title, originals: vec![], reconstructions: vec![] };
    for batch in batches {
        let before = row.originals.len();
        row.originals.extend(batch.originals);
        row.reconstructions.extend(batch.reconstructions.into_iter().map(|found| Reconstructed {
            original: found.original.map(|original| before + original),
            ..found
        }));
    }
    row
}

fn name_originals(originals: &mut [Original], clients: &Clients, number: usize) {
    for (original, &index) in originals.iter_mut().zip(&clients.batches[number].labels) {
        original.label = Some(index);
        original.name = clients.names[index].clone();
    }
}

fn matrix(semantic: &SemanticReport) -> Section {
    let column = |name: &String| place_of_name(&semantic.names, name);
    let row = |label: &IndexNaming| Row {
        name: match label.reconstructions {
            1 => format!("label {}", label.index),
            n => format!("label {} ({n} pictures)", label.index),
        },
        values: label.similarity.clone(),
        chosen: column(&label.name),
        truth: label.truth.as_ref().and_then(column),
    };
    let matrix = Matrix {
        of: "label index".into(),
        columns: semantic.names.clone(),
        rows: semantic.aggregated.iter().map(row).collect(),
    };
    let mut section = Section::new("What the labels mean", matrix);
    if semantic.batches.len() > 1 {
        section = section.note(format!(
            "A row is the mean over all pictures of {} batches that carry the label.",
            semantic.batches.len()
        ));
    }
    if let Some(examples) = &semantic.examples {
        section = section.note(sentence(&examples.sentence()));
    }
    semantic.notes.iter().fold(section, |section, note| section.note(note))
}

/// Begins with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn accuracy(semantic: &SemanticReport) -> Option<Section> {
    let accuracy = semantic.accuracy.as_ref()?;
    let columns = [
        "labels named right from",
        "each batch alone",
        "all batches together",
        "alone, one-to-one",
        "together, one-to-one",
    ];
    let alone = |score: Option<&Score>| score.map_or(Cell::none(), |s| Cell::share(s.per_batch));
    let together = |score: Option<&Score>| {
        let share = score.and_then(|s| s.aggregated);
        share.map_or(Cell::none(), |s| {
            Cell::share(Measured { mean: s.share, interval_95: Some(s.interval_95) })
        })
    };
    let mut table = Table::new(columns);
    for (name, accuracy) in accuracy.rows() {
        let one_to_one = accuracy.one_to_one.as_ref();
        let greedy = Some(&accuracy.greedy);
        let cells = [alone(greedy), together(greedy), alone(one_to_one), together(one_to_one)];
        table = table.row([Cell::from(name)].into_iter().chain(cells));
    }
    let random = || Cell::share(accuracy.random);
    table = table.row([Cell::from("a random name"), random(), random(), random(), random()]);
    let section = Section::new("Is it more than chance?", table).reading(
        "Share of the labels whose name was found. The first row is the attack; originals show what the naming model can \
         do at best; the rows under them know nothing of the client's pictures. Numbers in brackets are 95 % intervals.",
    );
    Some(section.note(format!("Named by {}.", semantic.model)))
}

fn likeness(report: &RunReport) -> Option<Section> {
    let (found, floors) = (report.metrics.as_ref()?, report.floors.as_ref()?);
    let mut table = Table::new(["pictures", "SSIM", "PSNR, dB", "MSE"]);
    for (name, figures) in
        [("reconstructions", found), ("flat grey", &floors.flat_grey), ("noise", &floors.noise)]
    {
        table = table.row([
            Cell::from(name),
            Cell::measured(figures.ssim.one_to_one, 3),
            Cell::measured(figures.psnr.one_to_one, 1),
            Cell::measured(figures.mse.one_to_one, 4),
        ]);
    }
    let section = Section::new("How like the originals", table).reading(
        "Each reconstruction against the original that it is assigned to one to one; below, what pictures score that know \
         nothing. Numbers in brackets are 95 % intervals.",
    );
    Some(match found.ssim.one_to_one.mean.is_nan() {
        true => section.note("SSIM is not defined for sides below 11 pixels."),
        false => section,
    })
}

fn loss(report: &RunReport) -> Section {
    let section = Section::new("Loss", losses(report));
    match report.batches.len() {
        all if all > LOSSES => section.note(format!("The first {LOSSES} of {all} batches.")),
        _ => section,
    }
}

fn losses(report: &RunReport) -> Curves {
    let series = report.batches.iter().enumerate().take(LOSSES).map(|(number, batch): (usize, &Batch)| {
        Series::losses(format!("batch {number}"), &batch.restarts[batch.best_restart].history)
    });
    Curves::of_losses(series.collect())
}

fn defences(report: &RunReport) -> Facts {
    let mut facts = Facts::new().with("client", report.head.defences.client.join(", ")).with(
        "eavesdropper",
        if report.head.defences.adaptive_eavesdropper { "knows them" } else { "does not know them" },
    );
    if let (Some(epsilon), Some(delta)) = (report.head.defences.epsilon, report.head.defences.delta) {
        facts = facts.with("privacy of the step", format!("ε {epsilon:.3} at δ {delta:e}"));
    }
    facts
}

fn key_figures(report: &RunReport) -> Vec<KeyFigure> {
    let mut figures = vec![];
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    if let Some(semantic) = &report.semantic
        && let Some(accuracy) = &semantic.accuracy
        && let Some(score) = accuracy.reconstructions.score(semantic.assignment)
    {
        let upper = accuracy.originals.score(semantic.assignment).and_then(|s| s.aggregated);
        let upper = upper.map_or(String::new(), |share| format!(", originals: {}", percent(share.share)));
        figures.push(KeyFigure {
            value: score.aggregated.map_or("–".into(), |share| percent(share.share)),
            meaning: "of the labels' meanings read".into(),
            beside: format!("random: {}{upper}", percent(accuracy.random)),
        });
    }
    if let (Some(found), Some(floors)) = (&report.metrics, &report.floors)
        && !found.ssim.one_to_one.mean.is_nan()
    {
        figures.push(KeyFigure {
            value: format!("{:.2}", found.ssim.one_to_one.mean),
            meaning: "SSIM of the pictures".into(),
            beside: format!("flat grey: {:.2}", floors.flat_grey.ssim.one_to_one.mean),
        });
    }
    if let Some(labels) = &report.labels {
        figures.push(KeyFigure {
            value: percent(labels.irec),
            meaning: "of the label indices restored".into(),
            beside: format!("{} classes", report.head.classes),
        });
    }
    figures
}

fn provenance(report: &RunReport) -> Provenance {
    let source = match report.batches[0].label_source {
        LabelSource::Given => "given".to_string(),
        LabelSource::Restored(method) => format!("restored by {method}"),
        LabelSource::Joint => "learned with the pictures".into(),
        LabelSource::Exact => "read with the exact pictures".into(),
    };
    let model = format!("{} {}", report.head.architecture, report.head.architecture_options);
    let provenance = Provenance::new(report.head.command.clone(), report.head.seed, &report.head.device)
        .with("victim", format!("{}, weights {}", model.trim_end(), report.head.threat_model.weights))
        .with("data", &report.head.data)
        .with("batches", format!("{} of {} pictures", report.batches.len(), report.head.batch))
        .with("labels", source)
        .with(
            "attack",
            format!(
                "{}, {} iterations, {} trials",
                report.head.attack.preset, report.timing.iterations, report.head.restarts
            ),
        )
        .with("time", format!("{:.1} s", report.timing.seconds));
    let provenance = match (&report.guidance, &report.head.attack.guidance) {
        (Some(record), Some(guidance)) => {
            let names: Vec<String> =
                record.names.iter().map(|(label, name)| format!("{label} = {name}")).collect();
            let by = if record.by == "oracle" { "true names" } else { "names" };
            provenance.with("guided by", format!("{by}, weight {}: {}", guidance.weight, names.join(", ")))
        }
        _ => provenance,
    };
    match &report.semantic {
        Some(semantic) => provenance.with("names from", &semantic.model),
        None => provenance.with("names", "left out"),
    }
}
