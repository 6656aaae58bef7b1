//! What would protect these clients, measured: which defences bring the leak down to what is known without the update, and
//! what they cost.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Finding, What};
use crate::train::Privacy;

/// What the study of defences comes to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Advice {
    /// The advice in one sentence.
    pub sentence: String,
    /// What leaks and is to be brought down to its floor.
    pub target: Vec<What>,
    /// Clients whose updates each defence was tried on.
    pub batches: usize,
    /// Without a defence first; then kind after kind, from weak to strong, up to the first that protects. The eavesdropper
    /// knows each.
    pub tried: Vec<Tried>,
    /// Accuracy after training without a defence; absent where it was not measured.
    pub accuracy: Option<Accuracy>,
    /// Up to three of those tried than which none leaks less and leaves more of the gradient, with what they cost.
    pub frontier: Vec<Cost>,
    /// What was not tried, and why.
    pub notes: Vec<String>,
}

/// One defence, attacked by an eavesdropper who knows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Tried {
    /// As `--defence` takes it; `none`.
    pub defence: String,
    /// Cosine of what is sent with the gradient, mean over the clients.
    pub similarity: f64,
    /// What leaks behind it, in one word.
    pub answer: Answer,
    /// One for each question that was asked.
    pub findings: Vec<Finding>,
    /// The attack did its work, and nothing of the target leaks.
    pub protects: bool,
}

impl Tried {
    /// What was found on this question, if it was asked.
    pub fn of(&self, what: What) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.what == what)
    }
}

/// Accuracy on pictures that were held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Accuracy {
    /// Of the pictures that were classified right, in [0, 1].
    pub share: f64,
    /// 95 % (Clopper and Pearson 1934).
    pub interval: [f64; 2],
    /// Held out.
    pub pictures: usize,
    /// Pictures that the network learned from.
    pub trained_on: usize,
    /// Passes over these.
    pub epochs: usize,
    /// The best of those tried on a part of the pictures.
    pub learning_rate: f64,
}

/// What a defence costs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Cost {
    /// As `--defence` takes it; `none`.
    pub defence: String,
    /// Nothing of the target leaks behind it.
    pub protects: bool,
    /// After training with it.
    pub accuracy: Accuracy,
    /// Absent where the defence promises nothing: all but DP-SGD.
    pub privacy: Option<Privacy>,
    /// What limits these figures; absent where nothing does.
    pub note: Option<String>,
}
