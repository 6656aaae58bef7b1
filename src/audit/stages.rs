//! What each stage of an attack by a generator found, for people to look at.

use super::Findings;
use crate::{
    attack::invert::Reconstruction,
    report::{
        RunReport, StageRecord,
        html::{Film, Section, Strip},
    },
};

/// Pictures that a page shows stage by stage.
const STRIPS: usize = 6;

/// The first pictures as every stage left them; nothing where there is one stage, or where its pictures are not kept.
pub(crate) fn section(findings: &Findings, report: &RunReport) -> Option<Section> {
    let normalisation = &findings.audit.normalisation;
    let [_, height, width] = findings.audit.victim.image_shape();
    let batches = findings.outcome.found.iter().zip(&report.batches).enumerate();
    let of = |(number, (found, batch)): (usize, (&Reconstruction, &crate::report::Batch))| {
        let stages = found.best().stages.iter().zip(&batch.stages);
        let pictures = stages.filter_map(|(stage, record)| {
            Some((normalisation.denormalise(&stage.images, height, width).ok()?, caption(record)))
        });
        let stages: Vec<_> = pictures.collect();
        let count = stages.first().map_or(0, |(pictures, _)| pictures.len());
        let strip = |picture: usize| Strip {
            title: if count == 1 {
                format!("batch {number}")
            } else {
                format!("batch {number}, picture {picture}")
            },
            frames: stages.iter().map(|(all, caption)| (all[picture].clone(), caption.clone())).collect(),
        };
        (0..count).map(strip).collect::<Vec<_>>()
    };
    let strips: Vec<Strip> = batches.flat_map(of).take(STRIPS).collect();
    (!strips.is_empty()).then(|| {
        Section::new("Stage by stage", Film { strips })
            .reading("Each stage starts from what the one before found; the one whose gradient fits best is the result.")
    })
}

fn caption(StageRecord { name, objective, chosen }: &StageRecord) -> String {
    format!("{name}: {objective:.4}{}", if *chosen { ", chosen" } else { "" })
}
