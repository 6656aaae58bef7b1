//! Naming as a stage of a cell.

use std::collections::{BTreeMap, BTreeSet};

use super::{Groups, Naming, Scores, Shares, Source, laboratory::Laboratory};
use crate::{
    audit::{
        Audit, AuditError, Clients, Outcome,
        naming::{Beside, Rule},
        verdict::{self, Measure},
    },
    semantic::{Accuracies, Assignment, Seen, Truth, controls},
    watch::Watch,
};

/// What was read out of a cell's labels.
pub(super) struct Named {
    pub naming: Naming,
    /// Shares of indices named right, from each batch alone: what a row of a batch has.
    pub of_batches: Vec<BTreeMap<Source, Shares>>,
    /// From all batches together, for the verdict.
    pub measure: Option<Measure>,
}

impl Laboratory<'_> {
    /// What the label indices mean, with controls; `None` where nothing can be judged.
    pub(super) fn name(
        &mut self,
        audit: &Audit,
        clients: &Clients,
        outcome: &Outcome,
        watch: &dyn Watch,
    ) -> Result<Option<Named>, AuditError> {
        let (Clients { batches, names, .. }, seed) = (clients, audit.seed);
        let Some(namer) = &mut self.namer else { return Ok(None) };
        let unrelated = match batches.len() {
            1 => clients.unrelated(self.plan.sweep.dataset, &audit.victim)?,
            _ => vec![],
        };
        let aggregation = self.plan.sweep.naming_rule.aggregation;
        // Both assignments are recorded.
        let rule = Rule { assignment: Assignment::Greedy, aggregation };
        let device = self.device;
        let public = audit.public(self.plan.sweep.public, &namer.labels, Some(clients))?;
        let public = public.map(|public| audit.public_rows(device, &public, outcome)).transpose()?;
        let beside = Beside { unrelated: &unrelated, public: public.as_ref() };
        let report = audit.name(namer, rule, outcome, Some(clients), &beside, watch)?;
        let objectives: Vec<f32> = outcome.found.iter().map(|f| f.best().objective).collect();
        let weights = aggregation.weights(&objectives);
        let measure = verdict::names(&report);
        for text in report.notes {
            if self.notes.insert(text.clone()) {
                watch.note(&text);
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
        let public = public.as_ref();
        let all = [
            (Source::Features, public.and_then(|public| public.features.clone())),
            (Source::Both, public.and_then(|public| public.with_pictures(&reconstructions))),
            (Source::ModelAlone, public.map(|public| public.of_model(&present))),
            (Source::Reconstructions, Some(reconstructions)),
            (Source::Originals, Some(originals)),
            (Source::Shuffled, shuffled),
        ];
        let mut aggregated = BTreeMap::new();
        let mut named = vec![BTreeMap::new(); batches.len()];
        for (source, seen) in all {
            let Some(seen) = seen else { continue };
            let groups = Groups {
                seen: &seen,
                present: &present,
                truth: &truth,
                weights: &weights,
                size: self.plan.sweep.together,
            };
            aggregated.extend(groups.scores().map(|scores| (source, scores)));
            named.iter_mut().zip(groups.alone()).for_each(|(named, shares)| {
                named.insert(source, shares);
            });
        }
        let naming = Naming { random: accuracy.random, single: single(&accuracy), aggregated };
        Ok(Some(Named { naming, of_batches: named, measure }))
    }
}

fn single(accuracy: &Accuracies) -> BTreeMap<Source, Scores> {
    let all = [
        (Source::Reconstructions, Some(&accuracy.reconstructions)),
        (Source::Features, accuracy.features.as_ref()),
        (Source::Both, accuracy.both.as_ref()),
        (Source::ModelAlone, accuracy.model_alone.as_ref()),
        (Source::Originals, Some(&accuracy.originals)),
        (Source::Shuffled, accuracy.shuffled.as_ref()),
        (Source::Noise, Some(&accuracy.noise)),
        (Source::FlatGrey, Some(&accuracy.flat_grey)),
        (Source::Unrelated, accuracy.unrelated.as_ref()),
    ];
    all.into_iter().filter_map(|(source, accuracy)| Some((source, accuracy?.into()))).collect()
}
