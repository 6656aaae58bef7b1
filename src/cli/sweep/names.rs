//! Naming as a stage of a cell.

use std::collections::{BTreeMap, BTreeSet};

use super::laboratory::Laboratory;
use crate::{
    audit::{Audit, Clients, Outcome, naming::Rule},
    cli::{note, progress::Terminal},
    semantic::{Accuracies, Assignment, Seen, Truth, controls},
    sweep::{Groups, Naming, Scores, Shares, Source},
};

/// Shares of indices named right, from each batch alone: what a row of a batch has.
type OfBatches = Vec<BTreeMap<Source, Shares>>;

impl Laboratory<'_> {
    /// What the label indices mean, with controls; `None` where nothing can be judged.
    pub(super) fn name(
        &mut self,
        audit: &Audit,
        clients: &Clients,
        outcome: &Outcome,
    ) -> anyhow::Result<Option<(Naming, OfBatches)>> {
        let Clients { batches, names, .. } = clients;
        let Some(namer) = &mut self.namer else { return Ok(None) };
        let unrelated =
            if batches.len() == 1 { clients.unrelated(self.dataset, &audit.victim)? } else { vec![] };
        // Both assignments are recorded.
        let rule = Rule { assignment: Assignment::Greedy, ..self.naming.rule() };
        let report = audit.name(namer, rule, outcome, Some(clients), &unrelated, &Terminal)?;
        let (weights, seed) = (&report.batch_weights, audit.seed);
        for text in report.notes {
            if self.notes.insert(text.clone()) {
                note(&text);
            }
        }
        let Some(accuracy) = report.accuracy else { return Ok(None) };

        let truth = Truth::new(names, &report.names);
        let present: Vec<BTreeSet<usize>> =
            batches.iter().map(|b| b.labels.iter().copied().collect()).collect();
        let (reconstructions, originals): (Vec<Seen>, Vec<Seen>) = report
            .batches
            .into_iter()
            .zip(batches)
            .map(|(named, batch)| {
                let originals = named.originals.unwrap_or_default();
                (
                    Seen { indices: named.indices, rows: named.similarity },
                    Seen { indices: batch.labels.clone(), rows: originals },
                )
            })
            .unzip();
        let shuffled = controls::shuffled(&reconstructions, seed);
        let all = [
            (Source::Reconstructions, Some(reconstructions)),
            (Source::Originals, Some(originals)),
            (Source::Shuffled, shuffled),
        ];
        let mut aggregated = BTreeMap::new();
        let mut named = vec![BTreeMap::new(); batches.len()];
        for (source, seen) in all {
            let Some(seen) = seen else { continue };
            let groups =
                Groups { seen: &seen, present: &present, truth: &truth, weights, size: self.together };
            aggregated.extend(groups.scores().map(|scores| (source, scores)));
            named.iter_mut().zip(groups.alone()).for_each(|(named, shares)| {
                named.insert(source, shares);
            });
        }
        Ok(Some((Naming { random: accuracy.random, single: single(&accuracy), aggregated }, named)))
    }
}

fn single(accuracy: &Accuracies) -> BTreeMap<Source, Scores> {
    let all = [
        (Source::Reconstructions, Some(&accuracy.reconstructions)),
        (Source::Originals, Some(&accuracy.originals)),
        (Source::Shuffled, accuracy.shuffled.as_ref()),
        (Source::Noise, Some(&accuracy.noise)),
        (Source::FlatGrey, Some(&accuracy.flat_grey)),
        (Source::Unrelated, accuracy.unrelated.as_ref()),
    ];
    all.into_iter().filter_map(|(source, accuracy)| Some((source, accuracy?.into()))).collect()
}
