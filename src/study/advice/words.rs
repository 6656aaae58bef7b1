//! Advice in a sentence.

use super::cost::FEW;
use crate::report::{Advice, Cost, Tried, What};

pub(crate) fn sentence(advice: &Advice) -> String {
    if advice.target.is_empty() {
        return "No leak was shown that a defence could close.".into();
    }
    let what = list(&advice.target);
    let best = advice
        .frontier
        .iter()
        .filter(|cost| cost.protects)
        .max_by(|a, b| a.accuracy.share.total_cmp(&b.accuracy.share));
    match best {
        Some(best) => format!(
            "--defence {} brings {what} to what is known without the update{}{}.",
            best.defence,
            price(advice, best),
            promise(best)
        ),
        None => match least(advice) {
            Some(tried) => format!(
                "--defence {} brings {what} to what is known without the update; what it costs was not measured.",
                tried.defence
            ),
            None => format!(
                "No defence that was tried brings {what} to what is known without the update, or the attacks on them \
                 failed and prove nothing."
            ),
        },
    }
}

/// Of the defences that protect the one that leaves most of the gradient.
fn least(advice: &Advice) -> Option<&Tried> {
    let protecting = advice.tried.iter().skip(1).filter(|tried| tried.protects);
    protecting.max_by(|a, b| a.similarity.total_cmp(&b.similarity))
}

fn price(advice: &Advice, cost: &Cost) -> String {
    let after = cost.accuracy;
    let Some(before) = advice.accuracy else { return String::new() };
    if after.pictures < FEW {
        return format!("; {} held-out pictures are too few to say what it costs", after.pictures);
    }
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let epochs = if after.epochs == 1 { "epoch" } else { "epochs" };
    let apart = before.interval[0] > after.interval[1] || after.interval[0] > before.interval[1];
    let sure = if apart { "" } else { ", a difference within the uncertainty" };
    format!(
        ", for an accuracy of {} instead of {} of {} held-out pictures after {} {epochs} on {}{sure}",
        percent(after.share),
        percent(before.share),
        after.pictures,
        after.epochs,
        after.trained_on
    )
}

fn promise(cost: &Cost) -> String {
    cost.privacy.map_or(String::new(), |privacy| format!("; {privacy}"))
}

fn list(target: &[What]) -> String {
    target.iter().map(|what| what.name()).collect::<Vec<_>>().join(" and ")
}
