//! A verdict in sentences.

use super::{Attacked, Grounds};
use crate::report::{Answer, Finding, Test, What};

/// Fewer batches are called few.
const FEW: usize = 6;

/// Pictures first; how many updates it rests on; a demonstration says that it is one.
pub(crate) fn sentence(grounds: &Grounds, answer: Answer, findings: &[Finding]) -> String {
    let updates = match grounds.batches {
        1 => "this update".to_string(),
        n => format!("these {n} updates"),
    };
    let leaking: Vec<String> =
        findings.iter().filter(|f| f.answer == Answer::Leaks).map(|f| leak(f, grounds)).collect();
    let begin = if grounds.is_demonstration { "Demo on embedded pictures. " } else { "" };
    let said = match answer {
        Answer::Leaks => {
            let only = findings.iter().all(|f| f.answer != Answer::Leaks || f.what == What::Labels);
            let only = if only { "labels only" } else { "" };
            let rest: Vec<String> = findings
                .iter()
                .filter(|f| f.answer != Answer::Leaks && f.what != What::Names)
                .map(|f| short(f, grounds))
                .collect();
            let rest = if rest.is_empty() { String::new() } else { format!(" {}", rest.join(" ")) };
            match only {
                "" => format!("This leaks: from {updates} an eavesdropper gets {}.{rest}", list(&leaking)),
                only => format!(
                    "This leaks {only}: from {updates} an eavesdropper gets {}.{rest}",
                    list(&leaking)
                ),
            }
        }
        Answer::NotShown => {
            let rest: Vec<String> = findings.iter().map(|f| short(f, grounds)).collect();
            format!(
                "These attacks did not show a leak from {updates}, which is no proof that there is none. {}",
                rest.join(" ")
            )
        }
        Answer::Failed => {
            let why = failed(&grounds.attacked).into_iter().next();
            let why = why.map_or(String::new(), |why| format!(" {why}"));
            format!("The attack on {updates} failed and proves nothing.{why}")
        }
    };
    let few = match (1..FEW).contains(&grounds.batches) && grounds.knows_originals {
        true => format!(" {} batches or more would say how sure that is.", FEW),
        false => String::new(),
    };
    let early =
        if grounds.is_interrupted { "Stopped early: this is what was found until then. " } else { "" };
    format!("{begin}{early}{}{few}", said.trim_end())
}

/// What an eavesdropper gets.
fn leak(finding: &Finding, grounds: &Grounds) -> String {
    let interval = |show: fn(f64) -> String| {
        finding.interval.map_or(String::new(), |[low, high]| format!(" [{}, {}]", show(low), show(high)))
    };
    let (Some(estimate), Some(floor)) = (finding.estimate, finding.floor) else {
        return match finding.what {
            What::Pictures if grounds.knows_originals => {
                "pictures whose gradient is the one observed (they are too small for SSIM)".into()
            }
            What::Pictures => {
                "pictures whose gradient is the one observed (nobody but the owner can say how like the \
                               originals they are)"
                    .into()
            }
            What::Labels => "the label indices".into(),
            What::Membership => "who took part".into(),
            What::Names => "what the labels mean".into(),
        };
    };
    let without = if grounds.batches == 1 { "without the update" } else { "without the updates" };
    let share = format!("{}{}", percent(estimate), interval(percent));
    match finding.what {
        What::Pictures => {
            format!("pictures of SSIM {estimate:.2}{} ({without}: {floor:.2})", interval(two))
        }
        What::Membership => format!("{share} of the members (by chance: {})", percent(floor)),
        What::Labels => format!("{share} of the label indices (by chance: {})", percent(floor)),
        What::Names => {
            format!("what {share} of the label indices mean ({without}: {})", percent(floor))
        }
    }
}

/// What was not found, a sentence.
fn short(finding: &Finding, grounds: &Grounds) -> String {
    let why = match finding.answer {
        Answer::Failed => " (that attack failed and proves nothing)",
        _ => "",
    };
    match (finding.what, finding.estimate, finding.floor) {
        (What::Pictures, Some(estimate), Some(floor)) => {
            format!("Pictures: SSIM {estimate:.2}, without the update {floor:.2}{why}.")
        }
        (What::Pictures, ..) => format!("Pictures: the gradient was not matched closely enough to say{why}."),
        (What::Membership, Some(estimate), _) => {
            format!("Membership: {} of the members found{why}.", percent(estimate))
        }
        (What::Labels, Some(estimate), Some(floor)) => {
            format!("Labels: {} restored, by chance {}{why}.", percent(estimate), percent(floor))
        }
        (What::Labels, ..) => {
            format!(
                "Labels: restored with warnings in {} of {} batches{why}.",
                grounds.attacked.labels_warned, grounds.batches
            )
        }
        (What::Names, Some(estimate), Some(floor)) => {
            format!(
                "Names: {} of the indices named right, without the update {}{why}.",
                percent(estimate),
                percent(floor)
            )
        }
        (what, ..) => format!("{}: not measured.", what.name()),
    }
}

/// The tests that most batches failed.
pub(crate) fn failed(attacked: &Attacked) -> Vec<String> {
    let known = attacked.validity.iter().any(|v| v.at_originals.is_some());
    let all = attacked.validity.len();
    let sentence = |(test, batches): (Test, usize)| {
        let of = if all == 1 { String::new() } else { format!(" ({batches} of {all} batches)") };
        format!("{}{of}.", meaning(test))
    };
    let matters = |(test, _): &(Test, usize)| test.is_failure(known) || *test == Test::StillFalling;
    attacked.failed().into_iter().filter(matters).map(sentence).collect()
}

fn meaning(test: Test) -> &'static str {
    match test {
        Test::NotTheClient => {
            "Not even the original pictures give the observed gradient: the client trains otherwise than the attack assumes"
        }
        Test::High => {
            "The gradient was hardly matched: the client may train otherwise than the attack assumes"
        }
        Test::AboveOriginals => "The attack ended above the objective that the original pictures reach",
        Test::NoBetterThanNothing => "The objective is no lower than at pictures that know nothing",
        Test::Norm => {
            "The reconstruction's gradient has another length than the observed one, by a factor of 100 or more"
        }
        Test::StillFalling => "The objective was still falling when the attack ended",
    }
}

/// What to try next, the most promising first.
pub(crate) fn next(grounds: &Grounds, answer: Answer, findings: &[Finding]) -> Vec<String> {
    let attacked = &grounds.attacked;
    let failed = attacked.failed();
    let fails = |test: Test| failed.contains_key(&test);
    let leaks = |what: What| findings.iter().any(|f| f.what == what && f.answer == Answer::Leaks);
    let mut next = vec![];
    if fails(Test::NotTheClient) || (fails(Test::High) && !leaks(What::Pictures)) {
        next.push(
            "Say how the client trains: --normalisation, --mode, --local-steps, --local-lr, --local-optimiser; or \
             --preset sme, which need not know"
                .into(),
        );
    }
    if fails(Test::Norm) {
        next.push(
            "Check what the file holds (--kind) and the factor between it and a gradient (--local-lr)".into(),
        );
    }
    if fails(Test::StillFalling) {
        next.push("More iterations (--iterations): the objective was still falling".into());
    } else if fails(Test::NoBetterThanNothing) && !fails(Test::AboveOriginals) && !leaks(What::Pictures) {
        next.push(
            "More iterations (--iterations) or restarts (--trials 8): the attack found nothing yet".into(),
        );
    }
    if fails(Test::AboveOriginals) && !fails(Test::StillFalling) && !leaks(What::Pictures) {
        next.push(
            "More iterations (--iterations) or restarts (--trials 8), or another preset (decoder, which needs no prior): the attack stopped above what is possible".into(),
        );
    }
    if attacked.labels_warned > 0 {
        next.push(
            "Give the labels (--labels), or another way to restore them: theirs came with warnings".into(),
        );
    }
    if grounds.knows_originals && grounds.batches < FEW {
        next.push(format!("More batches (--batches {FEW} or more): too few for an interval"));
    }
    if findings.iter().any(|f| f.answer == Answer::Leaks) && !attacked.is_defended {
        next.push(
            "A defence: `gia-gpu run --advise` measures which ones close the leak, and what they cost".into(),
        );
    }
    if attacked.is_defended && answer == Answer::NotShown {
        next.push("An eavesdropper who knows the defence (--adaptive)".into());
    }
    next
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

/// `a, b and c`
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
