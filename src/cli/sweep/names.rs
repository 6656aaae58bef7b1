//! Naming as a stage of a cell.

use std::collections::{BTreeMap, BTreeSet};

use super::laboratory::Laboratory;
use crate::{
    attack::invert::Reconstruction,
    cli::{
        experiment::{ClientBatch, read_pictures},
        note,
        progress::Progress,
    },
    data::Picture,
    federated::Victim,
    semantic::{self, Accuracies, Assignment, Seen, Truth, controls, reconstruct_labels},
    sweep::{Groups, Naming, Scores, Shares, Source},
};

/// Shares of indices named right, from each batch alone: what a row of a batch has.
type OfBatches = Vec<BTreeMap<Source, Shares>>;

impl Laboratory<'_> {
    /// What the label indices mean, with controls; `None` where nothing can be judged.
    pub(super) fn name(
        &mut self,
        batches: &[ClientBatch],
        found: &[Reconstruction],
        pictures: &[Vec<Picture>],
        names: &[Option<String>],
        victim: &Victim,
        seed: u64,
    ) -> anyhow::Result<Option<(Naming, OfBatches)>> {
        let unrelated = if batches.len() == 1 { self.others(&batches[0], victim)? } else { vec![] };
        let Some(namer) = &mut self.namer else { return Ok(None) };
        let views: Vec<semantic::Batch> = batches
            .iter()
            .zip(found)
            .zip(pictures)
            .map(|((batch, found), pictures)| semantic::Batch {
                reconstructions: pictures,
                indices: &found.labels,
                originals: Some((&batch.pictures[..], &batch.labels[..])),
            })
            .collect();
        let objectives: Vec<f32> = found.iter().map(|f| f.best().objective).collect();
        let weights = self.naming.weights(&objectives);
        let study = semantic::Study {
            // Both assignments are recorded.
            assignment: Assignment::Greedy,
            weights: Some(&weights),
            truth: names,
            unrelated: &unrelated,
            seed,
        };
        let bar = Progress::counting("naming");
        let report = reconstruct_labels(namer, &views, &study, &mut |_, done, of| bar.count(done, of));
        bar.finish();
        let report = report?;
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
            let groups = Groups {
                seen: &seen,
                present: &present,
                truth: &truth,
                weights: &weights,
                size: self.together,
            };
            aggregated.extend(groups.scores().map(|scores| (source, scores)));
            named.iter_mut().zip(groups.alone()).for_each(|(named, shares)| {
                named.insert(source, shares);
            });
        }
        Ok(Some((Naming { random: accuracy.random, single: single(&accuracy), aggregated }, named)))
    }

    /// Pictures that are not in the only batch.
    fn others(&self, batch: &ClientBatch, victim: &Victim) -> anyhow::Result<Vec<Picture>> {
        let others = (0..self.dataset.len()).filter(|i| !batch.indices.contains(i));
        read_pictures(self.dataset, victim, &others.take(batch.indices.len()).collect::<Vec<_>>())
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
