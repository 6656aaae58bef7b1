//! What a report says in the end: what leaks, how sure that is, and what to try next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of three things is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// More is known after the update than without it, beyond chance.
    Leaks,
    /// The attack did its work, and showed no leak.
    NotShown,
    /// The attack did not do its work: nothing follows from it.
    Failed,
}

impl Answer {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Leaks => "leaks",
            Answer::NotShown => "not-shown",
            Answer::Failed => "failed",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Answer::Leaks => "leaks",
            Answer::NotShown => "no leak shown",
            Answer::Failed => "the attack failed",
        }
    }
}

/// What may be given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// What the client's pictures look like; measured in SSIM, one-to-one.
    Pictures,
    /// Whether a given picture was in the batch; share of the members found.
    Membership,
    /// Which label indices the batch holds; share of the labels restored.
    Labels,
    /// What the label indices mean; share of them named right.
    Names,
}

impl What {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            What::Pictures => "pictures",
            What::Membership => "membership",
            What::Labels => "labels",
            What::Names => "names",
        }
    }
}

/// One question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The question.
    pub what: What,
    /// What was found on it.
    pub answer: Answer,
    /// Absent where the truth is not known.
    pub estimate: Option<f64>,
    /// 95 %, over batches; absent where they are too few.
    pub interval: Option<[f64; 2]>,
    /// What is reached without the update.
    pub floor: Option<f64>,
    /// That the estimate comes by chance, corrected for all findings together (Holm 1979).
    pub p_value: Option<f64>,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Leaks where any finding does; else that of the pictures.
    pub answer: Answer,
    /// In words.
    pub sentence: String,
    /// Pictures first.
    pub findings: Vec<Finding>,
    /// Why the attack, or a part of it, proves nothing.
    pub failed_tests: Vec<String>,
    /// What to try next, the most promising first.
    pub next: Vec<String>,
}

impl Verdict {
    /// What was found of this, if it was asked.
    pub fn of(&self, what: What) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.what == what)
    }
}
