//! `report.html` of a guided naming.

use super::{
    page_compared,
    report::{Explanation, GuideBatch, GuideReport, HypothesisRecord},
};
use crate::{
    data::Picture,
    metrics::{MetricsError, compare},
    report::html::{
        Cell, KeyFigure, Matrix, Page, PictureBatch, Pictures, Provenance, Ranking, Row, Section, Table,
        Threat,
    },
};

/// Batches that are shown with their pictures and their ranking.
const SHOWN: usize = 8;

/// `believed`: of each batch the pictures of the hypothesis that ranks first.
pub(crate) fn page(
    explanation: &Explanation,
    report: &GuideReport,
    believed: &[Vec<Picture>],
) -> Result<Page, MetricsError> {
    let Explanation { evidence, search, found, .. } = explanation;
    let mut sections: Vec<Section> = tally(report).into_iter().collect();
    sections.extend(page_compared::sections(report));
    for (number, batch) in report.batches.iter().enumerate().take(SHOWN) {
        let mut section = Section::new(format!("Hypotheses of batch {number}"), ranking(batch));
        section = section.note(format!("Named without guidance: {}.", named(batch, &batch.unguided_names)));
        if report.calibration.is_some() {
            section = section.note("Shown is the calibrated score with its sign turned: less is better.");
        }
        if let Some(pruned) = batch.pruned.filter(|&pruned| pruned > 0) {
            let truth = if batch.truth_pruned == Some(true) { " The true one is among them." } else { "" };
            section = section.note(format!(
                "{pruned} of {} hypotheses were left out, as unlikely by the unguided reconstruction.{truth}",
                batch.hypotheses_in_all.unwrap_or_default()
            ));
        }
        sections.push(section);
    }
    let mut pictures = Pictures { batches: vec![] };
    for (number, batch) in report.batches.iter().enumerate().take(SHOWN) {
        let client = evidence.clients.map(|clients| &clients.batches[number]);
        for (how, shown, names) in [
            ("without guidance", &found.unguided.pictures[number], &batch.unguided_names),
            ("under the hypothesis believed", &believed[number], &batch.hypotheses[0].names),
        ]
        .into_iter()
        .take(if found.guided.is_some() { 2 } else { 1 })
        {
            let title = format!("batch {number}, {how}");
            let mut one = match client {
                Some(c) => PictureBatch::new(title, &c.pictures, shown, &compare(&c.pictures, shown)?),
                None => PictureBatch::alone(title, shown),
            };
            for (picture, label) in one.reconstructions.iter_mut().zip(&batch.labels) {
                let place = batch.indices.iter().position(|index| index == label);
                picture.label = Some(*label);
                picture.found = place.map(|i| names[i].clone());
                picture.truth = place.and_then(|i| batch.true_names[i].clone());
            }
            for (picture, &label) in one.originals.iter_mut().zip(client.iter().flat_map(|c| &c.labels)) {
                picture.label = Some(label);
                picture.name = search.candidates.truth.get(label).cloned().flatten();
            }
            pictures.batches.push(one);
        }
    }
    sections.push(Section::new("Pictures", pictures));
    sections.push(Section::new("Similarity without guidance", similarity(report)));
    sections.push(Section::new("Threat model", Threat::from(&report.head.threat_model.model)));
    let guidance = report
        .head
        .attack
        .guidance
        .map_or(String::new(), |g| format!("weight {}, which falls by {}", g.weight, g.schedule));
    let device = &report.head.device;
    Ok(Page {
        title: "What the labels mean, by guided reconstruction".into(),
        verdict: report.head.verdict.clone().into(),
        figures: key_figures(report),
        sections,
        provenance: Provenance::new(report.head.command.clone(), report.head.seed, device)
            .with(
                "victim",
                format!("{}, weights {}", report.head.architecture, report.head.threat_model.weights),
            )
            .with("data", &report.head.data)
            .with("batches", format!("{} of {} pictures", report.batches.len(), report.head.batch))
            .with(
                "attack",
                format!("{}, {} iterations", report.head.attack.preset, report.head.attack.iterations),
            )
            .with("restarts of each hypothesis", report.head.restarts)
            .with("compared by", format!("{}: {}", report.comparison, report.comparison.measure()))
            .with("guidance", guidance)
            .with("pictures compared with names by", &report.model)
            .with(
                "time",
                format!(
                    "{:.1} s",
                    report.unguided_timing.seconds + report.timing.map_or(0.0, |timing| timing.seconds)
                ),
            ),
    })
}

fn ranking(batch: &GuideBatch) -> Ranking {
    let loss = |h: &HypothesisRecord| h.calibrated.map_or(h.loss, |score| -score);
    let first = loss(&batch.hypotheses[0]);
    let tied = batch.hypotheses.iter().filter(|h| h.tied).map(|h| loss(h) - first);
    let hypothesis = |h: &HypothesisRecord| crate::report::html::Hypothesis {
        names: batch.indices.iter().copied().zip(h.names.iter().cloned()).collect(),
        loss: loss(h),
        score: Some(h.posterior.unwrap_or(h.score)),
        is_true: h.is_true,
    };
    Ranking {
        hypotheses: batch.hypotheses.iter().map(hypothesis).collect(),
        tie: tied.filter(|d| d.is_finite()).fold(0.0, f64::max),
    }
}

fn named(batch: &GuideBatch, names: &[String]) -> String {
    let pairs = batch.indices.iter().zip(names).map(|(index, name)| format!("{index} = {name}"));
    pairs.collect::<Vec<_>>().join(", ")
}

fn similarity(report: &GuideReport) -> Matrix {
    let names = &report.names;
    let rows = report.batches.iter().enumerate().take(SHOWN).flat_map(|(number, batch)| {
        batch.indices.iter().enumerate().map(move |(i, index)| {
            let place = |name: &String| names.iter().position(|other| other == name);
            let mut values = vec![0.0; names.len()];
            for (name, p) in batch.names.iter().zip(&batch.similarity[i]) {
                if let Some(place) = place(name) {
                    values[place] = *p;
                }
            }
            Row {
                name: format!("{number}, {index}"),
                values,
                chosen: place(&batch.unguided_names[i]),
                truth: batch.true_names[i].as_ref().and_then(place),
            }
        })
    });
    Matrix { of: "batch and label".into(), columns: names.clone(), rows: rows.collect() }
}

fn tally(report: &GuideReport) -> Option<Section> {
    let tally = report.tally.as_ref()?;
    let table = Table::new(["", "by guidance", "without guidance", "chance"])
        .row([
            Cell::from("true hypothesis first"),
            Cell::share(tally.first),
            Cell::share(tally.unguided),
            Cell::share(tally.chance_first),
        ])
        .row([
            Cell::from("among the first three"),
            Cell::share(tally.top_3),
            Cell::none(),
            Cell::share(tally.chance_top_3),
        ])
        .row([
            Cell::from("indices named right"),
            Cell::share(tally.names),
            Cell::share(tally.unguided_names),
            Cell::none(),
        ]);
    let difference = Cell::share(tally.first_minus_unguided).text;
    Some(
        Section::new(format!("Over {} batches", tally.batches), table)
            .note(format!("First by guidance minus found without, over the same batches: {difference}.")),
    )
}

fn key_figures(report: &GuideReport) -> Vec<KeyFigure> {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let figures = report.tally.as_ref().map(|tally| {
        vec![
            KeyFigure {
                value: percent(tally.first.mean),
                meaning: "of the batches: the truth ranks first".into(),
                beside: format!(
                    "chance: {}, without guidance: {}",
                    percent(tally.chance_first),
                    percent(tally.unguided.mean)
                ),
            },
            KeyFigure {
                value: percent(tally.top_3.mean),
                meaning: "of the batches: the truth is among three".into(),
                beside: format!("chance: {}", percent(tally.chance_top_3)),
            },
        ]
    });
    figures.unwrap_or_default()
}
