//! The result in one sentence.

use super::{SemanticReport, Share};

/// Names that the sentence lists.
const LISTED: usize = 4;

/// What the eavesdropper learned, and how it compares with guessing.
pub fn verdict(report: &SemanticReport) -> String {
    let updates = match report.batches.len() {
        1 => "this update".to_string(),
        n => format!("these {n} updates"),
    };
    let score =
        report.accuracy.as_ref().and_then(|a| Some((a.reconstructions.score(report.assignment)?, a.random)));
    let alone = report.accuracy.as_ref().and_then(|a| a.model_alone.as_ref()?.score(report.assignment));
    let alone = alone.and_then(|score| score.aggregated).map(|share| share.share);
    match score.and_then(|(score, random)| Some((score.aggregated?, random))) {
        Some((share, random)) => scored(&updates, share, random, alone, report.names.len()),
        None => unscored(&updates, report),
    }
}

/// `alone`: the share that public pictures name through the model alone, where there were some.
fn scored(updates: &str, share: Share, random: f64, alone: Option<f64>, names: usize) -> String {
    let Share { share, right, of, interval_95 } = share;
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let interval =
        interval_95.map(|[low, high]| format!(", 95 % interval {} to {}", percent(low), percent(high)));
    let found = format!("{right} of {of}{}", interval.unwrap_or_default());
    let surely = interval_95.map_or(share, |i| i[0]) > random;
    let more = alone.filter(|&alone| alone > random);
    let labels = if of == 1 { "label index" } else { "label indices" };
    if share <= random {
        return format!(
            "From {updates} an eavesdropper reads nothing about what the labels mean: {} of the {labels} named right \
             ({found}), where guessing among {names} names gives {}.",
            percent(share),
            percent(random)
        );
    }
    if let Some(alone) = more.filter(|&alone| share <= alone) {
        return format!(
            "From {updates} an eavesdropper reads nothing about what the labels mean that the model does not give away alone: \
             public pictures passed through it name {} of the {labels} with no gradient, reconstructions {} ({found}).",
            percent(alone),
            percent(share)
        );
    }
    let beside = match surely {
        true => format!("{:.1} times what guessing among {names} names gives", share / random),
        false => {
            format!("guessing among {names} names gives {}: too few to tell them apart", percent(random))
        }
    };
    let gain = alone.map_or(String::new(), |alone| {
        let sure = interval_95.is_none_or(|[low, _]| low > alone);
        let doubt = if sure { "" } else { ": too few to tell them apart" };
        format!("; public pictures through the model alone, with no gradient, give {}{doubt}", percent(alone))
    });
    format!(
        "From {updates} an eavesdropper reads what {} of the {labels} mean ({found}); {beside}{gain}.",
        percent(share)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_gives_away_alone_is_not_credited_to_the_gradient() {
        let share = |right| Share {
            share: f64::from(right) / 10.0,
            right: right as usize,
            of: 10,
            interval_95: None,
        };
        let said = |right, alone| scored("this update", share(right), 0.1, alone, 10);
        let nothing = said(6, Some(1.0));
        assert!(nothing.contains("nothing") && nothing.contains("100 % of the label indices"), "{nothing}");
        let gain = said(6, Some(0.2));
        assert!(gain.contains("reads what 60 %") && gain.contains("no gradient, give 20 %."), "{gain}");
        assert!(!said(6, None).contains("public"));
        assert!(said(1, Some(1.0)).contains("reads nothing"));
    }
}

fn unscored(updates: &str, report: &SemanticReport) -> String {
    let read =
        |i: &super::IndexNaming| format!("{} is “{}” ({:.0} %)", i.index, i.name, 100.0 * i.probability);
    let mut all: Vec<String> = report.aggregated.iter().take(LISTED).map(read).collect();
    if report.aggregated.len() > LISTED {
        all.push("…".into());
    }
    format!(
        "From {updates} an eavesdropper would read that label {}; whether that is right, only the owner of the \
         pictures knows.",
        all.join(", ")
    )
}
