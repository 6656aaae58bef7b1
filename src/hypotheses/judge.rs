//! What a batch's ranking is worth against the truth, and all of it in one sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::{Judged, Names, Order, Ranking, Tally, Trials, rank, report::GuideBatch, tally::chance};

/// A batch whose true names are all candidates; `labels`: the client's; `ways`: other ways to rank, and losses by these. `truth`: place of the true hypothesis among those
/// tried. Where other indices were restored than the batch holds, no hypothesis about them is the whole truth.
pub(crate) fn judge(
    trials: &Trials,
    ranking: &Ranking,
    truth: Option<usize>,
    labels: &[usize],
    ways: &[(&'static str, Vec<f64>)],
) -> Judged {
    let [chance_first, chance_top_3] = chance(trials.kept.of);
    let indices = &trials.similarity.indices;
    let held: BTreeSet<usize> = labels.iter().copied().collect();
    let complete = indices.iter().eq(held.iter());
    let truth = truth.filter(|_| complete);
    let among = |most| truth.map_or(0.0, |truth| ranking.among(most, truth));
    let order = |(by, losses): &(&'static str, Vec<f64>)| {
        let ranking = rank(&losses.iter().map(|&loss| vec![loss]).collect::<Vec<_>>());
        let among = |most| truth.map_or(0.0, |truth| ranking.among(most, truth));
        Order { by, first: among(1), top_3: among(3) }
    };
    let means: BTreeMap<usize, Option<usize>> =
        indices.iter().copied().zip(trials.true_names.iter().copied()).collect();
    let right = |names: &Names| {
        let named = indices.iter().zip(names);
        let right = named.filter(|(index, name)| held.contains(index) && means[index] == Some(**name));
        right.count() as f64 / held.len() as f64
    };
    let whole = |names: &Names| f64::from(u8::from(complete && trials.truth().as_ref() == Some(names)));
    let first = &trials.kept.hypotheses[ranking.order[0].hypothesis];
    Judged {
        first: among(1),
        top_3: among(3),
        chance_first,
        chance_top_3,
        unguided: whole(&trials.unguided),
        names: right(first),
        unguided_names: right(&trials.unguided),
        orders: ways.iter().map(order).collect(),
    }
}

/// What was found, in one sentence.
pub(crate) fn sentence(batches: &[GuideBatch], tally: Option<&Tally>) -> String {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    if let (Some(tally), true) = (tally, batches.len() > 1) {
        return format!(
            "The true names rank first in {} of {} batches and among the first three in {} (chance: {} and {}); naming \
             without guidance finds them in {}.",
            percent(tally.first.mean),
            tally.batches,
            percent(tally.top_3.mean),
            percent(tally.chance_first),
            percent(tally.chance_top_3),
            percent(tally.unguided.mean)
        );
    }
    let batch = &batches[0];
    let first = &batch.hypotheses[0];
    let meant = batch.indices.iter().zip(&first.names).map(|(index, name)| format!("{index} means {name}"));
    let meant = meant.collect::<Vec<_>>().join(", ");
    let count = batch.hypotheses.len();
    let lead = match (batch.tied, batch.margin) {
        (_, None) => "it is the only hypothesis".into(),
        (1, Some(margin)) if first.calibrated.is_some() => {
            format!("its calibrated score is {margin:.2} above the next of {count} hypotheses")
        }
        (1, Some(margin)) => format!("its loss is {margin:.2e} below the next of {count} hypotheses"),
        (tied, _) => format!("{tied} of {count} hypotheses cannot be told apart"),
    };
    let truth = match (batch.rank_of_truth, batch.truth_pruned) {
        (Some(1), _) => "; that is true".into(),
        (Some(rank), _) => format!("; the truth ranks {rank}"),
        (None, Some(true)) => "; the beam left out the truth".into(),
        (None, _) => String::new(),
    };
    let which = match batches.len() {
        1 => "The gradient".into(),
        count => format!("The first of {count} gradients"),
    };
    format!("{which} is explained best if {meant}: {lead}{truth}.")
}
