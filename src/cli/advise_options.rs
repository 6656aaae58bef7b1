//! What would protect the clients: whether to ask, and how long the answer may learn.

use std::fmt::Write;

use clap::Args;

use super::{help::group, options::at_least_one, progress::Terminal};
use crate::{
    audit::Findings,
    data::Dataset,
    device::Device,
    report::{Accuracy, Advice, Answer, Tried, What},
    study::Advisor,
};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::CLIENT)]
pub(crate) struct AdviseOptions {
    /// Where something leaks, measure which defence would close it and what that costs
    ///
    /// Tries defences of rising strength on up to eight of the clients, each against an eavesdropper who knows it, until what
    /// leaks is at its floor; then trains with the best three of them and without any, and says what accuracy they cost and
    /// what DP-SGD promises over all rounds. Takes some ten to twenty times as long as the attack.
    #[arg(long, conflicts_with_all = ["gradient", "defence", "adaptive"])]
    advise: bool,
    /// Pictures that --advise trains on, at most
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one(), requires = "advise")]
    advise_limit: usize,
    /// Epochs that --advise trains
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one(), requires = "advise")]
    advise_epochs: usize,
}

impl AdviseOptions {
    /// `None` where nobody asked.
    pub(crate) fn advice(
        &self,
        findings: &Findings,
        dataset: &Dataset,
        device: &dyn Device,
    ) -> anyhow::Result<Option<Advice>> {
        let Some(clients) = findings.clients.filter(|_| self.advise) else { return Ok(None) };
        let verdict = findings.report()?.head.verdict;
        let leaks = verdict.findings.iter().filter(|finding| finding.answer == Answer::Leaks);
        let leaking: Vec<What> = leaks.map(|finding| finding.what).collect();
        let (audit, limit, epochs) = (findings.audit, self.advise_limit, self.advise_epochs);
        let advisor = Advisor { device, audit, clients, dataset, limit, epochs };
        Ok(Some(advisor.advise(&leaking, &Terminal)?))
    }
}

/// For people.
pub(crate) fn text(advice: &Advice) -> String {
    let mut text = format!("advice: {}\n", advice.sentence);
    if advice.tried.is_empty() {
        return text;
    }
    let columns = [What::Pictures, What::Membership, What::Labels];
    let _ = write!(text, "  {:24}{:>9}", "defence, adaptive attack", "cosine");
    columns.iter().for_each(|what| write!(text, "{:>12}", what.name()).unwrap_or_default());
    let _ = writeln!(text, "  target");
    for tried in &advice.tried {
        let _ = write!(text, "  {:24}{:>9.3}", tried.defence, tried.similarity);
        for what in columns {
            let estimate = tried.of(what).and_then(|finding| finding.estimate);
            let cell = match (what, estimate) {
                (_, None) => "–".to_string(),
                (What::Pictures, Some(ssim)) => format!("{ssim:.3}"),
                (_, Some(share)) => format!("{:.0} %", 100.0 * share),
            };
            let _ = write!(text, "{cell:>12}");
        }
        let _ = writeln!(text, "  {}", standing(tried, &advice.target));
    }
    if let Some(accuracy) = &advice.accuracy {
        let line = |name: &str, accuracy: &Accuracy, more: &str| {
            let [low, high] = accuracy.interval.map(|share| 100.0 * share);
            format!("  {name:24} accuracy {:.1} % [{low:.1}, {high:.1}]{more}\n", 100.0 * accuracy.share)
        };
        text.push_str(&line("no defence", accuracy, ""));
        for cost in &advice.frontier {
            let privacy = cost.privacy.map_or(String::new(), |privacy| format!("; {privacy}"));
            text.push_str(&line(&cost.defence, &cost.accuracy, &privacy));
        }
    }
    let notes = advice.notes.iter().chain(advice.frontier.iter().filter_map(|cost| cost.note.as_ref()));
    notes.for_each(|note| writeln!(text, "  {note}").unwrap_or_default());
    text
}

/// Whether it closes what leaks.
fn standing(tried: &Tried, target: &[What]) -> &'static str {
    let failed = |what: &What| tried.of(*what).is_some_and(|finding| finding.answer == Answer::Failed);
    match tried.protects {
        true => "at the floor",
        false if tried.answer == Answer::Failed || target.iter().any(failed) => "attack failed",
        false => "leaks",
    }
}
