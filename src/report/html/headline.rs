//! What is read first: the answer, in colour and in a word, and the sentence.

use askama::Template;

use super::number::{Measured, NONE, fixed, percent_with_interval, with_interval};
use crate::report::{Answer, Finding, Verdict, What};

/// A verdict, or a sentence where no answer is asked for.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "headline.html")]
pub struct Headline {
    /// In colour, before the sentence.
    pub answer: Option<Answer>,
    /// What was found.
    pub sentence: String,
    /// Of each question, with its own answer.
    pub findings: Vec<Finding>,
    /// Why the attack, or a part of it, proves nothing; a sentence each.
    pub failed_tests: Vec<String>,
    /// What to try next, the most promising first.
    pub next: Vec<String>,
}

impl From<String> for Headline {
    fn from(sentence: String) -> Headline {
        Headline { answer: None, sentence, findings: vec![], failed_tests: vec![], next: vec![] }
    }
}

impl From<&str> for Headline {
    fn from(sentence: &str) -> Headline {
        sentence.to_string().into()
    }
}

impl From<Verdict> for Headline {
    fn from(verdict: Verdict) -> Headline {
        let Verdict { answer, sentence, findings, failed_tests, next } = verdict;
        Headline { answer: Some(answer), sentence, findings, failed_tests, next }
    }
}

impl Headline {
    fn estimate(&self, finding: &Finding) -> String {
        let Some(mean) = finding.estimate else { return "not judged".into() };
        let measured = Measured { mean, interval_95: finding.interval };
        match finding.what {
            What::Pictures => format!("SSIM {}", with_interval(measured, |v| fixed(v, 2))),
            _ => percent_with_interval(measured),
        }
    }

    fn floor(&self, finding: &Finding) -> String {
        match (finding.what, finding.floor) {
            (_, None) => NONE.into(),
            (What::Pictures, Some(floor)) => fixed(floor, 2),
            (_, Some(floor)) => super::number::percent(floor),
        }
    }

    fn chance(&self, finding: &Finding) -> String {
        finding.p_value.map_or(NONE.into(), |p| if p < 0.001 { "< 0.001".into() } else { fixed(p, 3) })
    }
}
